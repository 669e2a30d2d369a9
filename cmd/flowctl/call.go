package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"flowctl/engine/jobrun"
)

// refusal is an error that the API answered with.
type refusal struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Message }

// errGone says that the process which held the engine is no longer there.
var errGone = errors.New("the process that ran the engine has gone")

// call asks the API: a nil body is a GET.
func (d *door) call(ctx context.Context, path string, body, answer any) error {
	method, data := http.MethodGet, []byte(nil)
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return fmt.Errorf("ask %s: %w", path, err)
		}
		method = http.MethodPost
	}
	return d.ask(ctx, method, path, data, answer)
}

// delete removes what a path names.
func (d *door) delete(ctx context.Context, path string) error {
	return d.ask(ctx, http.MethodDelete, path, nil, nil)
}

// ask sends a request and reads the answer, if it is wanted.
func (d *door) ask(ctx context.Context, method, path string, data []byte, answer any) error {
	if d.workspace != nil {
		return d.askWorkspace(ctx, method, path, data, answer)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return gone(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return gone(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		r := &refusal{}
		if json.Unmarshal(raw, r) != nil || r.Message == "" {
			r.Message = fmt.Sprintf("%s: %s", path, resp.Status)
		}
		if r.Code == "TEMPORARILY_UNAVAILABLE" {
			return fmt.Errorf("%w: %w", errGone, r) // it is stopping, or its disk is full
		}
		return r
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}

func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", errGone, err)
}

// watch follows the journal of a run after seq. It ends with an error when
// the engine has gone or ctx is over.
func (d *door) watch(ctx context.Context, run int64, seq uint64) iter.Seq2[jobrun.Entry, error] {
	return func(yield func(jobrun.Entry, error) bool) {
		path := fmt.Sprintf("%s/flowctl/v1/watch?run_id=%d&after=%d", d.base, run, seq)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(jobrun.Entry{}, err)
			return
		}
		resp, err := d.client.Do(req)
		if err != nil {
			yield(jobrun.Entry{}, gone(ctx, err))
			return
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		dec := json.NewDecoder(bufio.NewReader(resp.Body))
		for {
			var e jobrun.Entry
			if err := dec.Decode(&e); err != nil {
				yield(e, gone(ctx, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

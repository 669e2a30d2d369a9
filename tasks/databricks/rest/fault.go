package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is a workspace's refusal: asking again would not help.
type Error struct {
	Status  int    // of HTTP
	Code    string // error_code
	Message string
}

func (e *Error) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return fmt.Sprintf("the workspace answers %d %s", e.Status, http.StatusText(e.Status))
}

// Missing tells whether a workspace said that something does not exist.
//
// Source: the wire. Unknown runs and jobs are 400 INVALID_PARAMETER_VALUE
// "… does not exist", unknown paths are 404.
func Missing(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Status == http.StatusNotFound || e.Code == "RESOURCE_DOES_NOT_EXIST" ||
		e.Code == "INVALID_PARAMETER_VALUE" && strings.Contains(e.Message, "does not exist")
}

// Denied tells whether a workspace does not know us, or does not let us.
func Denied(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// fault is a failure that may pass.
type fault struct {
	err   error
	after time.Duration // Retry-After; 0: it said nothing
	login bool          // who we are must be found out again
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func asFault(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// refused sorts an answer other than 200: what may pass is a fault.
func (c *Client) refused(resp *http.Response, path string, raw []byte) error {
	e := &Error{Status: resp.StatusCode}
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
		Detail  string `json:"detail"` // SCIM
	}
	if json.Unmarshal(raw, &body) == nil {
		e.Code, e.Message = body.Code, body.Message
		if e.Message == "" {
			e.Message = body.Detail
		}
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("%s: the workspace answers %s", path, resp.Status)
		if said := strings.TrimSpace(string(raw)); said != "" { // a gateway's page, or plain words
			e.Message += fmt.Sprintf(": %.200q", said)
		}
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &fault{err: e, after: retryAfter(resp.Header)}
	case http.StatusUnauthorized:
		return &fault{err: e, login: true}
	}
	return e
}

// maxAfter bounds how long a workspace may send us away at once.
const maxAfter = 10 * time.Minute

// retryAfter reads the header, seconds or a date. A date is held against the
// answer's own, not against our clock, which may go wrong.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return min(max(time.Duration(min(n, 3600))*time.Second, 0), maxAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), maxAfter)
}

// wait is how a request has fared.
type wait struct {
	started time.Time
	next    time.Duration
	logins  int
	trouble bool
}

func (c *Client) newWait() *wait {
	first := c.First
	if first <= 0 {
		first = 500 * time.Millisecond
	}
	return &wait{started: time.Now(), next: first}
}

// maxLogins is how often a refused login is tried anew before it counts.
const maxLogins = 1

// wait lets time pass before the next try. It returns the fault's error when
// there shall be none.
func (w *wait) wait(ctx context.Context, c *Client, f *fault) error {
	patience := c.Patience
	if patience == 0 {
		patience = 5 * time.Minute
	}
	d := f.after
	if d == 0 {
		d = Jitter(w.next)
	}
	if f.login {
		c.relogin()
		if w.logins++; w.logins > maxLogins && patience > 0 {
			return f.err
		}
	}
	if patience > 0 && time.Since(w.started)+d > patience {
		return fmt.Errorf("the workspace was asked for %s: %w", time.Since(w.started).Round(time.Second), f.err)
	}
	limit := c.Max
	if limit <= 0 {
		limit = 30 * time.Second
	}
	w.next = min(2*w.next, limit)
	w.trouble = true
	if c.Trouble != nil {
		c.Trouble(f.err, d)
	}
	return Sleep(ctx, d)
}

// over says that a workspace which was in trouble answers again.
func (w *wait) over(c *Client) {
	if w.trouble && c.Trouble != nil {
		c.Trouble(nil, 0)
	}
}

// Jitter spreads a wait between half of it and all of it, so that many who
// wait do not come back at once.
func Jitter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}

// Sleep waits. It returns ctx's cause if that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/jobspec"
	"flowctl/tasks"
)

// JobRequest makes a job.
type JobRequest struct {
	Settings json.RawMessage
	Creator  string
	RunAs    string
	Code     tasks.Code
}

// CreateJob keeps a job's settings as they are and returns the job's id.
func (e *Engine) CreateJob(ctx context.Context, q JobRequest) (id int64, err error) {
	def, err := parseSettings(q.Settings)
	if err != nil {
		return 0, err
	}
	code, err := json.Marshal(q.Code)
	if err != nil {
		return 0, fmt.Errorf("create job: %w", err)
	}
	err = e.call(ctx, func(tx *store.Tx) error {
		spec, err := tx.PutSpec(q.Settings)
		if err != nil {
			return err
		}
		id = e.newID()
		j := store.Job{ID: id, Name: def.Name, Spec: spec, Creator: q.Creator, RunAs: q.RunAs, Created: e.now().UTC(), Code: code}
		fill(&j.Name, "Untitled")
		return tx.SaveJob(j)
	})
	return id, err
}

// Job reads a job and its settings as they were received.
func (e *Engine) Job(_ context.Context, id int64) (j store.Job, settings json.RawMessage, err error) {
	err = e.store.View(func(tx *store.Tx) error {
		var err error
		if j, err = tx.Job(id); err != nil {
			return err
		}
		settings, err = tx.SpecSource(j.Spec)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = noJob(id)
	}
	return j, settings, err
}

// ResetJob replaces a job's settings. Active runs keep what they began with,
// but for the job's timeout.
//
// Source: the SDK's documentation of UpdateJob for timeout_seconds.
func (e *Engine) ResetJob(ctx context.Context, id int64, settings json.RawMessage) error {
	def, err := parseSettings(settings)
	if err != nil {
		return err
	}
	return e.call(ctx, func(tx *store.Tx) error {
		j, old, err := jobAndSpec(tx, id)
		if err != nil {
			return err
		}
		if j.Spec, err = tx.PutSpec(settings); err != nil {
			return err
		}
		j.Name = def.Name
		fill(&j.Name, "Untitled")
		if err := tx.SaveJob(j); err != nil {
			return err
		}
		if old.Timeout == def.Timeout {
			return nil
		}
		for _, r := range e.live {
			if r.JobID != id {
				continue
			}
			if err := e.apply(r, jobrun.TimeoutChanged{At: e.now(), Timeout: def.Timeout}); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteJob removes a job and cancels its active runs. Its ended runs stay readable.
func (e *Engine) DeleteJob(ctx context.Context, id int64) error {
	return e.call(ctx, func(tx *store.Tx) error {
		if _, _, err := jobAndSpec(tx, id); err != nil {
			return err
		}
		for _, r := range e.live {
			if r.JobID != id {
				continue
			}
			if err := e.apply(r, jobrun.CancelRequested{At: e.now()}); err != nil {
				return err
			}
		}
		return tx.DeleteJob(id)
	})
}

func jobAndSpec(tx *store.Tx, id int64) (store.Job, *jobspec.Job, error) {
	j, err := tx.Job(id)
	if errors.Is(err, store.ErrNotFound) {
		return j, nil, noJob(id)
	}
	if err != nil {
		return j, nil, err
	}
	def, err := tx.Spec(j.Spec)
	return j, def, err
}

// parseSettings reads settings that somebody sends, and refuses those that
// could not run: a job that is kept obeys every rule.
func parseSettings(raw json.RawMessage) (*jobspec.Job, error) {
	doc, err := jobspec.Read("", raw)
	if err != nil {
		return nil, &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
	}
	var bad []string
	for _, p := range doc.Check(jobspec.CheckOptions{}) {
		if p.Severity == jobspec.Error {
			bad = append(bad, p.Path+": "+p.Message)
		}
	}
	if len(bad) > 0 {
		return nil, refuse(InvalidParameter, "%s", strings.Join(bad, "\n"))
	}
	return jobspec.Parse(raw)
}

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/jobspec"
	"flowctl/tasks"
)

// RunRequest asks for a run of a job that the engine keeps: run-now, or a fire.
type RunRequest struct {
	JobID      int64
	Parameters map[string]string // job parameters
	Overrides  *jobrun.Overrides
	Only       []string // task keys, as in jobspec.Select
	Queue      *bool    // nil: as the job says
	Token      string   // idempotency token, at most 64 characters
	Trigger    jobrun.Trigger
	Creator    string
	Namespace  string // the workspace that the token is of
}

// SubmitRequest asks for a one-time run.
type SubmitRequest struct {
	Source     json.RawMessage // job settings, or a submit body's
	Name       string          // run_name; empty: the job's name
	Parameters map[string]string
	Only       []string
	Siblings   map[string]json.RawMessage // jobs of the same file, for run_job
	Code       tasks.Code
	Token      string
	Type       jobrun.Type // empty: SUBMIT_RUN
	Trigger    jobrun.Trigger
	Queue      bool
	Creator    string
	RunAs      string
	Parent     *jobrun.Parent
	Mirror     bool   // a workspace carries the run: see Options.Follower
	Namespace  string // the workspace that the run belongs to
}

// RunNow starts a run of a job and returns its id and its number among the
// job's runs. A token that was used before returns the run that it made.
func (e *Engine) RunNow(ctx context.Context, q RunRequest) (id, number int64, err error) {
	err = e.call(ctx, func(tx *store.Tx) error {
		var cerr error
		id, number, cerr = e.runNow(tx, q)
		return cerr
	})
	return id, number, err
}

// runNow is RunNow within the loop's transaction.
func (e *Engine) runNow(tx *store.Tx, q RunRequest) (id, number int64, err error) {
	token := tokenKey(q.Namespace, q.Token)
	if r, err := tokenRun(tx, q.Namespace, q.Token); r != nil || err != nil {
		if err != nil {
			return 0, 0, err
		}
		return r.ID, r.NumberInJob, nil
	}
	job, def, err := jobAndSpec(tx, q.JobID)
	if err != nil {
		return 0, 0, err
	}
	if err := runnable(job); err != nil {
		return 0, 0, err
	}
	if err := checkParameters(def, q.Parameters, q.Overrides); err != nil {
		return 0, 0, err
	}
	only, err := selectTasks(def, q.Only)
	if err != nil {
		return 0, 0, err
	}
	job.Runs++
	r := jobrun.New(e.newID(), def, e.newID)
	r.JobID, r.NumberInJob, r.Name, r.Type, r.Spec = job.ID, job.Runs, def.Name, jobrun.JobRun, job.Spec
	r.Overridden, r.Overrides, r.Only, r.Trigger, r.Creator = q.Parameters, q.Overrides, only, q.Trigger, q.Creator
	r.RunAs, r.Code, r.Token, r.Namespace = job.RunAs, job.Code, token, job.Namespace
	if r.RunAs == "" {
		r.RunAs = job.Creator
	}
	if r.Trigger.Type == "" {
		r.Trigger.Type = jobrun.OneTime
	}
	r.Queue = def.Queue
	if q.Queue != nil {
		r.Queue = *q.Queue
	}
	if err := tx.SaveJob(job); err != nil {
		return 0, 0, err
	}
	if err := e.remember(tx, r); err != nil {
		return 0, 0, err
	}
	return r.ID, r.NumberInJob, e.request(r)
}

// Submit starts a one-time run and returns its id.
func (e *Engine) Submit(ctx context.Context, q SubmitRequest) (id int64, err error) {
	def, err := parseSettings(q.Source, jobspec.CheckOptions{})
	if err != nil {
		return 0, err
	}
	only, err := selectTasks(def, q.Only)
	if err != nil {
		return 0, err
	}
	if err := checkParameters(def, q.Parameters, nil); err != nil {
		return 0, err
	}
	code, err := json.Marshal(q.Code)
	if err != nil {
		return 0, fmt.Errorf("submit: %w", err)
	}
	token := tokenKey(q.Namespace, q.Token)
	err = e.call(ctx, func(tx *store.Tx) error {
		old, err := tokenRun(tx, q.Namespace, q.Token)
		if err != nil {
			return err
		}
		if old != nil {
			id = old.ID
			return nil
		}
		r := jobrun.New(e.newID(), def, e.newID)
		r.JobID = e.newID()
		if r.Spec, err = tx.PutRunSpec(q.Source); err != nil {
			return err
		}
		if r.Siblings, err = putSiblings(tx, q.Siblings); err != nil {
			return err
		}
		r.Name, r.Type, r.Trigger = q.Name, q.Type, q.Trigger
		r.Overridden, r.Only, r.Code, r.Token, r.Queue = q.Parameters, only, code, token, q.Queue
		r.Creator, r.RunAs, r.Parent, r.Namespace = q.Creator, q.RunAs, q.Parent, q.Namespace
		r.Mirror = q.Mirror
		fill(&r.Name, def.Name, "Untitled")
		fill(&r.RunAs, q.Creator)
		fill(&r.Type, jobrun.SubmitRun)
		fill(&r.Trigger.Type, jobrun.OneTime)
		if err := e.remember(tx, r); err != nil {
			return err
		}
		if err := tx.HoldSpecs(r); err != nil {
			return err
		}
		id = r.ID
		return e.request(r)
	})
	return id, err
}

// fill gives an empty string the first of the values that is not.
func fill[S ~string](s *S, values ...S) {
	for _, v := range values {
		if *s == "" {
			*s = v
		}
	}
}

func putSiblings(tx *store.Tx, jobs map[string]json.RawMessage) (map[string]string, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(jobs))
	for name, raw := range jobs {
		hash, err := tx.PutRunSpec(raw)
		if err != nil {
			return nil, err
		}
		m[name] = hash
	}
	return m, nil
}

// request admits, queues or skips a new run and makes it live.
func (e *Engine) request(r *jobrun.Run) error {
	r.WorkspaceURL, r.WorkspaceID = e.opt.WorkspaceURL, e.opt.WorkspaceID
	j := e.jobOf(r)
	verdict, reason := admission(r, j)
	e.live[r.ID] = r
	switch verdict {
	case jobrun.Admit:
		j.active++
	case jobrun.Queue:
		j.queued = append(j.queued, r.ID)
	}
	if verdict != jobrun.Skip {
		e.findOrigin(r)
	}
	return e.apply(r, jobrun.Requested{At: e.now(), Verdict: verdict, Reason: reason})
}

// tokenRun finds the run that an idempotency token has made, nil if none.
//
// Source: the SDK's documentation of idempotency_token.
func tokenRun(tx *store.Tx, namespace, token string) (*jobrun.Run, error) {
	if token == "" {
		return nil, nil
	}
	if len(token) > 64 {
		return nil, refuse(InvalidParameter, "idempotency_token has %d characters; at most 64 are allowed.", len(token))
	}
	id := tx.TokenRun(tokenKey(namespace, token))
	if id == 0 {
		return nil, nil
	}
	r, err := tx.RunHeader(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(InvalidParameter, "The run that idempotency_token %q made has been deleted.", token)
	}
	return r, err
}

// tokenKey tells the tokens of workspaces apart.
func tokenKey(namespace, token string) string {
	if namespace == "" || token == "" {
		return token
	}
	return namespace + "\x00" + token
}

func (e *Engine) remember(tx *store.Tx, r *jobrun.Run) error {
	if r.Token == "" {
		return nil
	}
	return tx.SetToken(r.Token, r.ID)
}

func selectTasks(def *jobspec.Job, only []string) ([]string, error) {
	if len(only) == 0 {
		return nil, nil
	}
	keys, err := jobspec.Select(def.Graph, only)
	if err != nil {
		return nil, &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
	}
	return keys, nil
}

// declared refuses job parameters that the job does not declare.
func declared(def *jobspec.Job, params map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.ContainsFunc(def.Parameters, func(p jobspec.Parameter) bool { return p.Name == name }) {
			var known []string
			for _, p := range def.Parameters {
				known = append(known, p.Name)
			}
			return refuse(InvalidParameter, "Job parameter %q is not declared by the job; it declares %q.", name, known)
		}
	}
	return nil
}

// checkParameters holds run-now's parameters against what the job declares.
func checkParameters(def *jobspec.Job, params map[string]string, ov *jobrun.Overrides) error {
	if err := declared(def, params); err != nil {
		return err
	}
	if ov == nil {
		return nil
	}
	if len(def.Parameters) > 0 {
		return refuse(InvalidParameter, "The job declares job parameters; use job_parameters instead of notebook_params, python_params and the like.")
	}
	if err := ov.Check(); err != nil {
		return &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
	}
	return nil
}

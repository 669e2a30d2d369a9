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
	Settings  json.RawMessage
	Creator   string
	Code      tasks.Code
	Namespace string // the workspace that the job belongs to
	Note      string // for the job's history: the git commit that it comes from
	Origin    *Origin
}

// Origin is the file that a job is kept in step with.
type Origin = store.Origin

// JobChange changes a job's settings.
type JobChange struct {
	Settings json.RawMessage // all of them for ResetJob, some for UpdateJob
	Remove   []string        // for UpdateJob: fields_to_remove
	By       string          // who changes it
	Note     string          // for the job's history: the git commit that it comes from
	Code     *tasks.Code     // where its paths lead from now on; nil: as before
	Origin   *Origin         // nil: as before
}

// CreateJob keeps a job's settings as they are and returns the job's id.
func (e *Engine) CreateJob(ctx context.Context, q JobRequest) (id int64, err error) {
	def, lacks, err := parseJob(q.Settings)
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
		err = tx.SaveJob(store.Job{
			ID: id, Namespace: q.Namespace, Name: jobName(def), Spec: spec, Creator: q.Creator, RunAs: runAs(def),
			Created: e.now().UTC(), Code: code, Lacks: lacks, Origin: q.Origin,
		})
		if err != nil {
			return err
		}
		if err := e.keepVersion(tx, id, spec, q.Creator, q.Note); err != nil {
			return err
		}
		return e.arm(tx, id, def)
	})
	return id, err
}

// Job reads a job and its settings as they were received.
func (e *Engine) Job(_ context.Context, id int64) (j JobRecord, settings json.RawMessage, err error) {
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

// JobRecord is what is kept of a job beside its settings.
type JobRecord = store.Job

// JobFilter chooses jobs for Jobs.
type JobFilter = store.JobFilter

// Jobs yields the jobs with ids below before (0: all) and their settings,
// newest first, until fn returns false.
func (e *Engine) Jobs(_ context.Context, f JobFilter, before int64, fn func(j JobRecord, settings json.RawMessage) bool) error {
	return e.store.View(func(tx *store.Tx) error {
		var err error
		serr := tx.JobsBefore(f, before, func(j store.Job) bool {
			var settings json.RawMessage
			settings, err = tx.SpecSource(j.Spec)
			return err == nil && fn(j, settings)
		})
		return errors.Join(serr, err)
	})
}

// ResetJob replaces a job's settings; only run_as stays if the new ones do not
// name it. Active runs keep what they began with, but for the job's timeout.
//
// Source: the SDK's documentation of UpdateJob for timeout_seconds; that
// run_as stays is what the Databricks CLI's own test server knows of the cloud.
func (e *Engine) ResetJob(ctx context.Context, id int64, q JobChange) error {
	return e.changeJob(ctx, id, q, func(old json.RawMessage) (json.RawMessage, error) {
		var was, is struct {
			RunAs json.RawMessage `json:"run_as"`
		}
		if json.Unmarshal(old, &was) != nil || was.RunAs == nil || json.Unmarshal(q.Settings, &is) != nil || is.RunAs != nil {
			return q.Settings, nil
		}
		return jobspec.Merge(q.Settings, json.RawMessage(`{"run_as":`+string(was.RunAs)+`}`), nil)
	})
}

// UpdateJob changes some of a job's settings, as jobspec.Merge says.
func (e *Engine) UpdateJob(ctx context.Context, id int64, q JobChange) error {
	return e.changeJob(ctx, id, q, func(old json.RawMessage) (json.RawMessage, error) {
		settings, err := jobspec.Merge(old, q.Settings, q.Remove)
		if err != nil {
			return nil, &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
		}
		return settings, nil
	})
}

// changeJob gives a job the settings that fn makes of its old ones.
func (e *Engine) changeJob(ctx context.Context, id int64, q JobChange, fn func(old json.RawMessage) (json.RawMessage, error)) error {
	return e.call(ctx, func(tx *store.Tx) error {
		j, old, err := jobAndSpec(tx, id)
		if err != nil {
			return err
		}
		settings, err := fn(old.Source)
		if err != nil {
			return err
		}
		def, lacks, err := parseJob(settings)
		if err != nil {
			return err
		}
		if j.Spec, err = tx.PutSpec(settings); err != nil {
			return err
		}
		j.Name, j.RunAs, j.Lacks = jobName(def), runAs(def), lacks
		if q.Code != nil {
			if j.Code, err = json.Marshal(q.Code); err != nil {
				return fmt.Errorf("change job %d: %w", id, err)
			}
		}
		if q.Origin != nil {
			j.Origin = q.Origin
		}
		if err := tx.SaveJob(j); err != nil {
			return err
		}
		if err := e.keepVersion(tx, id, j.Spec, q.By, q.Note); err != nil {
			return err
		}
		if err := e.arm(tx, id, def); err != nil {
			return err
		}
		return e.changeTimeout(id, old, def)
	})
}

// changeTimeout tells a job's active runs of its new timeout.
func (e *Engine) changeTimeout(id int64, old, def *jobspec.Job) error {
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
}

// DeleteJob removes a job and cancels its active runs. Its ended runs stay readable.
func (e *Engine) DeleteJob(ctx context.Context, id int64) error {
	return e.call(ctx, func(tx *store.Tx) error {
		j, _, err := jobAndSpec(tx, id)
		if err != nil {
			return err
		}
		if err := e.cancelAll(tx, CancelFilter{JobID: id}); err != nil {
			return err
		}
		if err := e.disarm(tx, id); err != nil {
			return err
		}
		return tx.DeleteJob(j)
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

func jobName(def *jobspec.Job) string {
	if def.Name == "" {
		return "Untitled"
	}
	return def.Name
}

// runAs is whom the settings name to run as; "" if nobody.
func runAs(def *jobspec.Job) string {
	var s struct {
		RunAs struct {
			User      string `json:"user_name"`
			Principal string `json:"service_principal_name"`
		} `json:"run_as"`
	}
	if json.Unmarshal(def.Source, &s) != nil {
		return ""
	}
	return s.RunAs.User + s.RunAs.Principal
}

// parseJob reads the settings of a job to keep. It may be a draft, as it may
// in the cloud; lacks says what keeps it from running, for whoever tries.
func parseJob(raw json.RawMessage) (def *jobspec.Job, lacks string, err error) {
	def, err = parseSettings(raw, jobspec.CheckOptions{})
	if err == nil {
		return def, "", nil
	}
	lacks = err.Error()
	def, err = parseSettings(raw, jobspec.CheckOptions{Draft: true})
	return def, lacks, err
}

// parseSettings reads settings that somebody sends, and refuses those that
// break a rule.
func parseSettings(raw json.RawMessage, opt jobspec.CheckOptions) (*jobspec.Job, error) {
	doc, err := jobspec.Read("", raw)
	if err != nil {
		return nil, &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
	}
	var bad []string
	for _, p := range doc.Check(opt) {
		if p.Severity == jobspec.Error {
			bad = append(bad, p.Path+": "+p.Message)
		}
	}
	if len(bad) > 0 {
		return nil, refuse(InvalidParameter, "%s", strings.Join(bad, "\n"))
	}
	return jobspec.Parse(raw)
}

// runnable refuses a draft.
func runnable(j store.Job) error {
	if j.Lacks == "" {
		return nil
	}
	return refuse(InvalidParameter, "Job %d cannot run yet: %s", j.ID, j.Lacks)
}

package engine

import (
	"context"
	"errors"
	"slices"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/jobspec"
)

// RepairRequest asks for tasks of an ended run to run again.
type RepairRequest struct {
	RunID      int64
	Tasks      []string // rerun_tasks
	AllFailed  bool     // rerun_all_failed_tasks
	Dependents bool     // rerun_dependent_tasks: all that is downstream of Tasks too
	Latest     int64    // latest_repair_id: wanted from the second repair on
	Parameters map[string]string
	Overrides  *jobrun.Overrides
}

// RepairRun reopens tasks of an ended run and returns the repair's id.
func (e *Engine) RepairRun(ctx context.Context, q RepairRequest) (id int64, err error) {
	err = e.call(ctx, func(tx *store.Tx) error {
		r, ev, err := e.planRepair(tx, q)
		if err != nil {
			return err
		}
		ev.ID = e.newID()
		id = ev.ID
		ev.At = e.now()
		e.enterRepaired(r)
		return e.apply(r, ev)
	})
	return id, err
}

// planRepair checks a repair and reads the run that it is about.
//
// Source: the SDK's documentation of RepairRun.
func (e *Engine) planRepair(tx *store.Tx, q RepairRequest) (*jobrun.Run, jobrun.RepairRequested, error) {
	var ev jobrun.RepairRequested
	if e.live[q.RunID] != nil {
		return nil, ev, refuse(InvalidState, "Run %d is still active; only an ended run can be repaired.", q.RunID)
	}
	r, err := tx.Run(q.RunID, e.newID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ev, noRun(q.RunID)
	case err != nil:
		return nil, ev, err
	case !r.Status.Ended():
		return nil, ev, refuse(InvalidState, "Run %d has not ended; only an ended run can be repaired.", q.RunID)
	case (len(q.Tasks) > 0) == q.AllFailed:
		return nil, ev, refuse(InvalidParameter, "Give either rerun_tasks or rerun_all_failed_tasks.")
	case len(r.Tasks) == 0:
		return nil, ev, refuse(InvalidState, "Run %d never started; start a new run instead.", q.RunID)
	case q.AllFailed && r.Status.Result == jobrun.Success:
		return nil, ev, refuse(InvalidState, "Run %d succeeded: no failed tasks to rerun. Name tasks in rerun_tasks to run them again.", q.RunID)
	}
	if n := len(r.Repairs); n > 1 && q.Latest != r.Repairs[n-1].ID {
		return nil, ev, refuse(InvalidParameter, "latest_repair_id is %d, but the latest repair of run %d is %d.", q.Latest, q.RunID, r.Repairs[n-1].ID)
	}
	ev.Tasks, ev.AllFailed, ev.Parameters, ev.Overrides = q.Tasks, q.AllFailed, q.Parameters, q.Overrides
	if err := e.currentSpec(tx, r, &ev); err != nil {
		return nil, ev, err
	}
	def := r.Job
	if ev.Job != nil {
		def = ev.Job
	}
	if err := checkParameters(def, q.Parameters, q.Overrides); err != nil {
		return nil, ev, err
	}
	for _, key := range q.Tasks {
		if r.Task(key) == nil {
			return nil, ev, refuse(InvalidParameter, "Run %d has no task %q to rerun.", q.RunID, key)
		}
	}
	if q.Dependents {
		ev.Tasks = withDescendants(def.Graph, r, q.Tasks)
	}
	return r, ev, nil
}

// currentSpec has the repair use the job's latest settings where they still
// have all of the run's tasks.
//
// Source: the Databricks page on repairing runs: a repair uses the current
// job and notebook settings. That the run's own settings stay in force when
// tasks have gone is our choice.
func (e *Engine) currentSpec(tx *store.Tx, r *jobrun.Run, ev *jobrun.RepairRequested) error {
	if r.Type == jobrun.SubmitRun {
		return nil
	}
	job, err := tx.Job(r.JobID)
	if errors.Is(err, store.ErrNotFound) || err == nil && job.Spec == r.Spec {
		return nil
	}
	if err != nil {
		return err
	}
	def, err := tx.Spec(job.Spec)
	if err != nil {
		return err
	}
	if len(def.Tasks) != len(r.Job.Tasks) {
		return nil
	}
	for i := range def.Tasks {
		if def.Tasks[i].Key != r.Job.Tasks[i].Key {
			return nil
		}
	}
	ev.Spec, ev.Job = job.Spec, def
	return nil
}

func withDescendants(g *jobspec.Graph, r *jobrun.Run, keys []string) []string {
	all := slices.Clone(keys)
	for _, key := range keys {
		for _, down := range g.Descendants(key) {
			if r.Task(down) != nil && !slices.Contains(all, down) {
				all = append(all, down)
			}
		}
	}
	return all
}

// enterRepaired makes an ended run live again. A repair is not held back by
// the job's limit on concurrent runs.
func (e *Engine) enterRepaired(r *jobrun.Run) {
	r.WorkspaceURL, r.WorkspaceID = e.opt.WorkspaceURL, e.opt.WorkspaceID
	e.live[r.ID] = r
	e.jobOf(r).active++
	e.findOrigin(r) // its code may have changed
}

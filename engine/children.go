package engine

import (
	"errors"
	"fmt"
	"strings"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/jobspec"
)

// child ties a run that a run_job task started to the attempt that waits for it.
type child struct {
	parent  int64 // job run
	attempt int64
}

// startChild makes the run that a run_job task asks for, or finds it again
// after a resume. What keeps it from starting ends the task.
func (e *Engine) startChild(tx *store.Tx, parent *jobrun.Run, c jobrun.StartRun) error {
	w := &child{parent: parent.ID, attempt: c.RunID}
	if old, err := tx.RunHeader(c.Child); err == nil {
		if old.Status.Ended() {
			e.childDone(w, c.Child, old.Status)
			return nil
		}
		e.waiters[c.Child] = w
		return e.resume(tx, c.Child)
	}
	r, err := e.childRun(tx, parent, c)
	if err != nil {
		st := jobrun.Status{State: jobrun.Terminated, Result: jobrun.Failed, Code: jobrun.CodeInvalidConfig, Message: "run_job_task: " + err.Error()}
		e.childDone(w, 0, st)
		return nil
	}
	e.waiters[r.ID] = w
	return e.request(r)
}

// childRun is the run of the job that a run_job task names: a job of the same
// file, else one that the engine keeps.
func (e *Engine) childRun(tx *store.Tx, parent *jobrun.Run, c jobrun.StartRun) (*jobrun.Run, error) {
	spec, job, err := e.findJob(tx, parent, c.RunJob)
	if err != nil {
		return nil, err
	}
	def, err := tx.Spec(spec)
	if err != nil {
		return nil, err
	}
	r := jobrun.New(c.Child, def, e.newID)
	r.Spec, r.Name, r.Type = spec, def.Name, jobrun.JobRun
	r.Trigger = jobrun.Trigger{Type: jobrun.RunJobTask}
	r.Parent = &jobrun.Parent{RunID: parent.ID, TaskRunID: c.RunID}
	r.Depth = parent.Depth + 1
	r.Namespace = parent.Namespace
	r.Creator, r.RunAs, r.Code, r.Siblings = parent.Creator, parent.RunAs, parent.Code, parent.Siblings
	r.Queue = def.Queue
	if job != nil {
		if err := runnable(*job); err != nil {
			return nil, err
		}
		job.Runs++
		r.JobID, r.NumberInJob = job.ID, job.Runs
		r.Code = job.Code
		if job.RunAs != "" {
			r.RunAs = job.RunAs
		}
		if err := tx.SaveJob(*job); err != nil {
			return nil, err
		}
	} else {
		r.JobID = e.newID()
	}
	r.Overridden = map[string]string{}
	for _, p := range def.Parameters {
		if v, ok := c.Inherited[p.Name]; ok {
			r.Overridden[p.Name] = v
		}
	}
	if err := declared(def, c.RunJob.JobParameters); err != nil {
		return nil, err
	}
	for k, v := range c.RunJob.JobParameters {
		r.Overridden[k] = v
	}
	if r.Overrides, err = jobrun.ParseOverrides(c.RunJob.Payload); err != nil {
		return nil, err
	}
	return r, tx.HoldSpecs(r)
}

// findJob looks a run_job's target up.
func (e *Engine) findJob(tx *store.Tx, parent *jobrun.Run, rj jobspec.RunJob) (spec string, job *store.Job, err error) {
	name := rj.JobRef
	if key, ok := strings.CutPrefix(name, "${resources.jobs."); ok {
		name = strings.TrimSuffix(strings.TrimSuffix(key, "}"), ".id")
	}
	if rj.JobID != 0 {
		name = fmt.Sprint(rj.JobID)
	}
	if spec, ok := parent.Siblings[name]; ok {
		return spec, nil, nil
	}
	if rj.JobID != 0 {
		j, err := tx.Job(rj.JobID)
		if errors.Is(err, store.ErrNotFound) || err == nil && j.Namespace != parent.Namespace {
			return "", nil, fmt.Errorf("job %d is neither in this file nor among the local jobs", rj.JobID)
		}
		return j.Spec, &j, err
	}
	var found []store.Job
	err = tx.JobsBefore(store.JobFilter{Namespace: parent.Namespace, Name: name}, 0, func(j store.Job) bool {
		found = append(found, j)
		return true
	})
	switch {
	case err != nil:
		return "", nil, err
	case len(found) == 0:
		return "", nil, fmt.Errorf("no job %q in this file or among the local jobs", name)
	case len(found) > 1:
		return "", nil, fmt.Errorf("%d local jobs are named %q; name one by its id", len(found), name)
	}
	return found[0].Spec, &found[0], nil
}

// stopChild cancels the run that a run_job task started.
func (e *Engine) stopChild(id int64) {
	r := e.live[id]
	if r == nil {
		return // it ended, or is being made: its end is on its way
	}
	if err := e.apply(r, jobrun.CancelRequested{At: e.now()}); err != nil {
		e.log.Error("cancel child", "run", id, "error", err)
	}
}

// childEnded tells the attempt that waits for a run, if one does.
func (e *Engine) childEnded(r *jobrun.Run) {
	if w := e.waiters[r.ID]; w != nil {
		delete(e.waiters, r.ID)
		e.childDone(w, r.ID, r.Status)
	}
}

func (e *Engine) childDone(w *child, id int64, st jobrun.Status) {
	parent := e.live[w.parent]
	if parent == nil {
		return // it learns of the end when it is resumed
	}
	if err := e.apply(parent, jobrun.ChildFinished{At: e.now(), RunID: w.attempt, Child: id, Status: st}); err != nil {
		e.log.Error("child's end", "run", w.parent, "error", err)
	}
}

package jobrun

import (
	"encoding/json"
	"fmt"

	"flowctl/jobspec"
)

// open finds the open attempt that a report is about.
func (r *Run) openAttempt(runID int64) (*TaskRun, *Attempt, error) {
	t := r.running[runID]
	if t == nil {
		return nil, nil, fmt.Errorf("attempt %d of run %d: %w", runID, r.ID, ErrStale)
	}
	return t, t.Last(), nil
}

// begin starts a task's open attempt: control kinds are carried out here, all
// others are given to a runner.
func (r *Run) begin(t *TaskRun) {
	a := t.Last()
	a.Status = Status{State: Pending}
	a.Pending = r.now
	r.touch(t)
	def := r.def(t)
	switch {
	case def.Condition != nil:
		r.decideCondition(t, def)
	case def.ForEach != nil:
		r.beginForEach(t, def)
	case def.RunJob != nil:
		r.beginRunJob(t, def, false)
	default:
		r.beginAttempt(t, def, false)
	}
}

// beginAttempt hands the open attempt to a runner.
func (r *Run) beginAttempt(t *TaskRun, def *jobspec.Task, resumed bool) {
	a := t.Last()
	task, err := r.expand(t, def)
	if err != nil {
		r.finishFinal(t, terminated(Failed, CodeInvalidConfig, err.Error()))
		return
	}
	cmd := StartAttempt{
		TaskKey: t.Key, Item: -1, Key: t.Key,
		RunID: a.RunID, Number: a.Number, Repair: a.Repair,
		Task: task, Params: r.parametersOf(a), Handle: a.Handle, Resumed: resumed,
	}
	if t.parent != nil {
		cmd.TaskKey, cmd.Item = t.parent.Key, t.Index
	}
	r.emit(cmd)
}

func (r *Run) attemptStarted(ev AttemptStarted) error {
	t, a, err := r.openAttempt(ev.RunID)
	if err != nil {
		return err
	}
	if a.Status.State != Pending {
		return nil // being stopped, or said twice after a resume
	}
	a.Status.State = Running
	a.Started = r.now
	def := r.def(t)
	if def.Timeout > 0 {
		a.Deadline = r.now.Add(def.Timeout)
		r.arm(a.Deadline, timerAttempt, t)
	}
	if d := durationRule(def.Health); d > 0 {
		a.WarnAt = r.now.Add(d)
		r.arm(a.WarnAt, timerAttempt, t)
	}
	r.notify(OnStart, t, false)
	r.touch(t)
	return nil
}

func (r *Run) handleSet(ev HandleSet) error {
	t, a, err := r.openAttempt(ev.RunID)
	if err != nil {
		return err
	}
	a.Handle = ev.Handle
	r.touch(t)
	return nil
}

func (r *Run) valueSet(ev ValueSet) error {
	t, _, err := r.openAttempt(ev.RunID)
	if err != nil {
		return err
	}
	if t.Values == nil {
		t.Values = map[string]json.RawMessage{}
	}
	t.Values[ev.Key] = ev.Value
	r.touch(t)
	if t.parent == nil { // a nested task publishes nothing outside its for_each
		r.emit(Publish{TaskKey: t.Key})
	}
	return nil
}

// attemptFinished writes the end that a runner reported. A stop that was under
// way decides what a canceled end is called; an attempt that ended by itself
// meanwhile keeps its own end.
func (r *Run) attemptFinished(ev AttemptFinished) error {
	t, a, err := r.openAttempt(ev.RunID)
	if err != nil {
		return err
	}
	a.Error = ev.Error
	if ev.Rows != nil {
		t.Rows = ev.Rows
	}
	r.finish(t, r.endOf(t, a, ev))
	return nil
}

func (r *Run) endOf(t *TaskRun, a *Attempt, ev AttemptFinished) Status {
	switch ev.Result {
	case Success:
		return terminated(Success, CodeSuccess, "")
	case Failed:
		code := ev.Code
		if code == "" {
			code = CodeRunExecutionError
		}
		msg := ev.Error
		if code == CodeRunExecutionError {
			msg = "Workload failed, see run output for details"
		}
		return terminated(Failed, code, msg)
	}
	if a.Stop == ByTimeout {
		return terminated(TimedOut, CodeCanceled, fmt.Sprintf("The task did not finish within its timeout of %s.", r.def(t).Timeout))
	}
	return terminated(Canceled, CodeUserCanceled, "The task was canceled.")
}

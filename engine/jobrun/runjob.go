package jobrun

import (
	"fmt"

	"flowctl/jobspec"
)

// maxDepth is how many run_job tasks may stand above a run.
//
// Source: the Databricks page on run job tasks: at most three nested.
const maxDepth = 3

// beginRunJob starts the child run of a run_job task.
func (r *Run) beginRunJob(t *TaskRun, def *jobspec.Task, resumed bool) {
	a := t.Last()
	if r.Depth >= maxDepth {
		msg := fmt.Sprintf("run_job_task: this run is already %d run_job tasks deep, the most that are allowed; a job that runs itself never ends", r.Depth)
		r.finishFinal(t, terminated(Failed, CodeInvalidConfig, msg))
		return
	}
	task, err := r.expand(t, def)
	if err != nil {
		r.finishFinal(t, terminated(Failed, CodeInvalidConfig, err.Error()))
		return
	}
	if a.ChildRun == 0 {
		a.ChildRun = r.NewID()
	}
	r.markStarted(t)
	r.emit(StartRun{RunID: a.RunID, Child: a.ChildRun, RunJob: *task.RunJob, Inherited: r.parametersOf(a), Resumed: resumed})
}

// childFinished ends a run_job task as its child ended.
func (r *Run) childFinished(ev ChildFinished) error {
	t, a, err := r.openAttempt(ev.RunID)
	if err != nil {
		return err
	}
	if ev.Child == 0 {
		a.ChildRun = 0
	}
	a.Error = ev.Status.Message
	r.finish(t, r.endOfChild(a, ev.Status))
	return nil
}

func (r *Run) endOfChild(a *Attempt, child Status) Status {
	switch {
	case child.Succeeded():
		return terminated(Success, CodeSuccess, "")
	case a.Stop == ByTimeout:
		return terminated(TimedOut, CodeCanceled, "The task's run did not finish within its timeout.")
	case child.canceled():
		return terminated(Canceled, CodeUserCanceled, "The run that the task started was canceled.")
	case child.Result == MaxConcurrentRuns:
		return terminated(MaxConcurrentRuns, CodeMaxConcurrent, child.Message)
	}
	code := child.Code
	if code == "" {
		code = CodeRunExecutionError
	}
	return terminated(Failed, code, child.Message)
}

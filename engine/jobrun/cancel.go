package jobrun

import "fmt"

// cancel stops the run, or one task of it. An ended run stays as it is.
func (r *Run) cancel(ev CancelRequested) error {
	if r.Status.Ended() {
		return nil
	}
	if r.Mirror {
		return r.cancelMirror(ev)
	}
	if ev.Task == "" {
		if r.Stop == "" {
			r.stop(ByUser)
		}
		return nil
	}
	t := r.byKey[ev.Task]
	if t == nil {
		return fmt.Errorf("run %d has no task %q", r.ID, ev.Task)
	}
	if !t.Status().Ended() {
		r.stopTask(t, ByUser)
	}
	return nil
}

// stop ends every open task of the run: what runs is told to stop, what has
// not begun never will.
func (r *Run) stop(cause StopCause) {
	r.Stop, r.header = cause, true
	if r.Status.State == Queued {
		r.end(terminated(Canceled, CodeUserCanceled, "The run was canceled while it was queued."))
		return
	}
	r.Status = Status{State: Terminating}
	if cause == ByTimeout {
		cause = ByJobTimeout
	}
	for _, t := range r.Tasks {
		if !t.Status().Ended() {
			r.stopTask(t, cause)
		}
	}
}

// stopTask ends one open task, for_each iterations included.
func (r *Run) stopTask(t *TaskRun, cause StopCause) {
	a := t.Last()
	switch a.Status.State {
	case Blocked:
		if len(r.def(t).DependsOn) > 0 && t.parent == nil {
			r.finishFinal(t, terminated(UpstreamCanceled, CodeSkipped, "The run was canceled before the task could start."))
			return
		}
		a.Stop = cause
		r.finishFinal(t, terminated(Canceled, CodeUserCanceled, "The task was canceled before it started."))
	case Waiting:
		a.Stop = cause
		r.finishFinal(t, terminated(Canceled, CodeUserCanceled, "The task was canceled while it waited for its next attempt."))
	case Pending, Running:
		a.Stop = cause
		a.Status = Status{State: Terminating}
		r.touch(t)
		r.tellStop(t, cause)
	}
}

// tellStop passes the stop on to whatever carries the attempt out.
func (r *Run) tellStop(t *TaskRun, cause StopCause) {
	a := t.Last()
	switch {
	case t.ForEach != nil:
		t.ForEach.again = nil
		for _, it := range t.Items {
			st := it.Status()
			if st.Ended() {
				continue
			}
			if st.State == Blocked { // reopened, not begun: it was not counted yet
				t.ForEach.active++
			}
			r.stopTask(it, ByParent)
		}
		r.feeding = append(r.feeding, t)
	case a.ChildRun != 0:
		r.emit(StopRun{Child: a.ChildRun})
	default:
		r.emit(StopAttempt{RunID: a.RunID, Cause: cause})
	}
}

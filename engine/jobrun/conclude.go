package jobrun

import (
	"fmt"
	"slices"
	"time"
)

// finish ends a task's open attempt and retries it where its rule says so.
func (r *Run) finish(t *TaskRun, st Status) {
	r.close(t, st)
	again := r.retries(t)
	r.notifyEnd(t, again)
	if again {
		r.retry(t)
		return
	}
	r.ended(t)
}

// finishFinal ends a task's open attempt; no retry follows.
func (r *Run) finishFinal(t *TaskRun, st Status) {
	r.close(t, st)
	r.notifyEnd(t, false)
	r.ended(t)
}

// close writes an end into the open attempt.
func (r *Run) close(t *TaskRun, st Status) {
	a := t.Last()
	a.Status = st
	a.Ended = r.now
	a.NextTry, a.Deadline, a.WarnAt = time.Time{}, time.Time{}, time.Time{}
	delete(r.running, a.RunID)
	r.touch(t)
}

// ended tells those who wait for a task that it is over.
func (r *Run) ended(t *TaskRun) {
	if t.parent != nil {
		t.parent.ForEach.itemEnded(t)
		r.feeding = append(r.feeding, t.parent)
		return
	}
	r.open--
	for _, key := range r.Job.Graph.Downstream(t.Key) {
		down := r.byKey[key]
		if down == nil || down.Status().State != Blocked {
			continue
		}
		if down.waiting--; down.waiting == 0 {
			r.ready = append(r.ready, down)
		}
	}
}

// conclude decides how the run ended, once every task has.
//
// Source: the Databricks page on the run status of a multi-task job: the
// leaves decide between success and failure, any failure above a successful
// leaf shows as SUCCESS_WITH_FAILURES.
func (r *Run) conclude() {
	switch r.Stop {
	case ByTimeout:
		r.end(terminated(TimedOut, CodeCanceled, fmt.Sprintf("The run did not finish within its timeout of %s.", r.Timeout)))
		return
	case ByUser, ByParent:
		r.end(terminated(Canceled, CodeUserCanceled, "The run was canceled."))
		return
	}
	var anyFailed, anyCanceled, leafFailed, leafCanceled bool
	for _, t := range r.Tasks {
		st := t.Status()
		leaf := r.isLeaf(t)
		anyFailed = anyFailed || st.failed()
		anyCanceled = anyCanceled || st.canceled()
		leafFailed = leafFailed || leaf && st.failed()
		leafCanceled = leafCanceled || leaf && st.canceled()
	}
	switch {
	case leafFailed:
		first := r.firstFailed()
		st := first.Status()
		code := CodeRunExecutionError
		if st.Result == Failed && st.Code != "" {
			code = st.Code
		}
		r.end(terminated(Failed, code, fmt.Sprintf("Task %s failed with message: %s.", first.Key, trimDot(st.Message))))
	case leafCanceled:
		r.end(terminated(Canceled, CodeUserCanceled, "A task of the run was canceled."))
	case anyFailed || anyCanceled:
		r.end(terminated(SuccessWithFailures, CodeSuccessWithFailures, ""))
	default:
		r.end(terminated(Success, CodeSuccess, ""))
	}
}

// isLeaf tells whether nothing in this run depends on the task.
func (r *Run) isLeaf(t *TaskRun) bool {
	for _, key := range r.Job.Graph.Downstream(t.Key) {
		if r.byKey[key] != nil {
			return false
		}
	}
	return true
}

// firstFailed is the first task in written order that failed by itself, else
// the first that a failure was handed down to.
func (r *Run) firstFailed() *TaskRun {
	var handed *TaskRun
	for _, t := range r.Tasks {
		switch st := t.Status(); {
		case st.Result == UpstreamFailed:
			if handed == nil {
				handed = t
			}
		case st.failed():
			return t
		}
	}
	return handed
}

// end closes the run.
func (r *Run) end(st Status) {
	r.Status = st
	r.Ended = r.now
	r.header = true
	if n := len(r.Repairs); n > 0 {
		r.Repairs[n-1].Ended, r.Repairs[n-1].Status = r.now, st
	}
	for _, t := range r.Tasks { // only a run that never started has open tasks here
		if !t.Status().Ended() {
			r.close(t, terminated(UpstreamCanceled, CodeSkipped, "The run never started."))
		}
	}
	r.open = 0
	r.timers, r.WarnAt = nil, time.Time{}
	if st.Succeeded() {
		r.notify(OnSuccess, nil, false)
	} else {
		r.notify(OnFailure, nil, false)
	}
	r.emit(Ended{})
}

func trimDot(s string) string {
	for len(s) > 0 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

func inOrder(ts []*TaskRun) {
	slices.SortFunc(ts, func(a, b *TaskRun) int { return a.Index - b.Index })
}

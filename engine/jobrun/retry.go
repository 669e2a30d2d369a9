package jobrun

import (
	"time"

	"flowctl/jobspec"
)

// How a continuous job with task_retry_mode ON_FAILURE retries a task before
// its run is given up for a new one.
//
// Source: the Databricks page on continuous jobs: the wait grows, and after
// three retries the run is started anew. It does not say how long it is.
const (
	continuousRetries = 3
	continuousWait    = 10 * time.Second
)

// retryRule is the task's own, or that of a continuous run, which has no other.
func (r *Run) retryRule(t *TaskRun) jobspec.Retry {
	rule := r.def(t).Retry
	if rule.Max != 0 || r.Trigger.Type != Continuous && r.Trigger.Type != ContinuousRestart {
		return rule
	}
	for _, w := range r.Job.Whens() {
		if w.Kind == jobspec.WhenContinuous && w.Continuous.RetryOnFail {
			rule.Max = continuousRetries
			rule.MinInterval = continuousWait << min(max(t.Last().Number, 0), continuousRetries)
		}
	}
	return rule
}

// retries tells whether an attempt that ended this way is followed by another.
//
// Source: the SDK's documentation of max_retries and retry_on_timeout. The
// budget counts within a repair, so that a repaired task has its retries again.
func (r *Run) retries(t *TaskRun) bool {
	a, rule := t.Last(), r.retryRule(t)
	if r.Stop != "" || a.Stop == ByUser || a.Stop == ByParent {
		return false
	}
	switch a.Status.Result {
	case Failed:
	case TimedOut:
		if !rule.OnTimeout {
			return false
		}
	default:
		return false
	}
	if rule.Max < 0 {
		return true
	}
	used := -1
	for i := range t.Attempts {
		if t.Attempts[i].Repair == a.Repair {
			used++
		}
	}
	return used < rule.Max
}

// retry makes the next attempt and starts it, now or when its time comes. The
// interval counts from the start of the failed attempt.
func (r *Run) retry(t *TaskRun) {
	failed := t.Last()
	next := failed.Pending.Add(r.retryRule(t).MinInterval)
	r.reopen(t, failed.Repair)
	if !next.After(r.now) {
		r.begin(t)
		return
	}
	a := t.Last()
	a.Status = Status{State: Waiting}
	a.NextTry = next
	r.arm(next, timerAttempt, t)
}

// reopen adds a fresh attempt to a task that had ended. What the last attempt
// published goes with it.
func (r *Run) reopen(t *TaskRun, repair int) {
	a := Attempt{
		RunID:   r.NewID(),
		Number:  t.Last().Number + 1,
		Repair:  repair,
		Status:  Status{State: Blocked},
		Created: r.now,
	}
	t.Attempts = append(t.Attempts, a)
	if t.Values != nil {
		t.Values = nil
		if t.parent == nil {
			r.emit(Publish{TaskKey: t.Key})
		}
	}
	t.Outcome, t.Rows = "", nil
	r.running[a.RunID] = t
	r.touch(t)
}

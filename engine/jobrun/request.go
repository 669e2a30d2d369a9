package jobrun

import (
	"fmt"
	"time"

	"flowctl/jobspec"
)

// queueLimit is how long a run may wait for its job's other runs.
//
// Source: the Databricks page on job queueing: 48 hours.
const queueLimit = 48 * time.Hour

// request makes the task rows of a new run and acts on admission's verdict.
func (r *Run) request(ev Requested) error {
	if r.Status.State != "" {
		return fmt.Errorf("run %d: requested twice", r.ID)
	}
	r.Created, r.header = r.now, true
	if ev.Verdict == Skip {
		r.end(terminated(MaxConcurrentRuns, CodeMaxConcurrent, ev.Reason))
		return nil
	}
	r.makeTasks()
	if r.Mirror {
		r.startMirror()
		return nil
	}
	if ev.Verdict == Queue {
		r.Status = Status{State: Queued, Message: ev.Reason}
		r.QueueEnd = r.now.Add(queueLimit)
		r.arm(r.QueueEnd, timerRun, nil)
		return nil
	}
	r.start()
	return nil
}

// makeTasks gives every task of the run its row and its first attempt's id.
func (r *Run) makeTasks() {
	chosen := map[string]bool{}
	for _, key := range r.Only {
		chosen[key] = true
	}
	for i := range r.Job.Tasks {
		def := &r.Job.Tasks[i]
		if r.Only != nil && !chosen[def.Key] {
			continue
		}
		t := &TaskRun{Key: def.Key, Index: i}
		t.Attempts = []Attempt{{RunID: r.NewID(), Status: Status{State: Blocked}, Created: r.now}}
		r.Tasks = append(r.Tasks, t)
		r.byKey[t.Key] = t
		r.running[t.Last().RunID] = t
		r.touch(t)
	}
	r.count()
}

// admit lets a queued run start.
func (r *Run) admit() error {
	if r.Status.State != Queued {
		return fmt.Errorf("run %d: admitted while %s", r.ID, r.Status.State)
	}
	r.QueueEnd = time.Time{}
	r.start()
	return nil
}

// start starts the run: parameters are resolved, the clock of its
// timeout runs from now on, and tasks without upstream may start.
func (r *Run) start() {
	r.Admitted = r.now
	r.Status = Status{State: Running}
	r.header = true
	if err := r.resolveParameters(); err != nil {
		r.end(terminated(Failed, CodeInvalidConfig, err.Error()))
		return
	}
	r.setTimeout(r.Job.Timeout)
	r.watchDuration()
	r.notify(OnStart, nil, false)
	r.disable()
	for _, t := range r.Tasks {
		if t.waiting == 0 {
			r.ready = append(r.ready, t)
		}
	}
}

// disable ends the tasks that the author disabled and those whose run_if
// cannot be met because of it.
//
// Source: the Databricks page on disabled tasks: this is settled when the run
// is created.
func (r *Run) disable() {
	off := map[string]bool{}
	for _, key := range r.Job.Graph.Order() {
		t := r.byKey[key]
		if t == nil {
			continue
		}
		def := r.def(t)
		var c tally
		for _, d := range def.DependsOn {
			if r.byKey[d.TaskKey] == nil {
				continue
			}
			c.total++
			if off[d.TaskKey] {
				c.n[voteDisabled]++
			}
		}
		if off[key] = def.Disabled || unreachable(def.RunIf, c); off[key] {
			r.finishFinal(t, terminated(Disabled, CodeDisabled, "The task is disabled."))
		}
	}
}

// unreachable tells whether disabled upstream tasks alone, whatever the
// others do, keep a task's condition from being met.
func unreachable(runIf jobspec.RunIf, c tally) bool {
	off := c.n[voteDisabled]
	switch runIf {
	case jobspec.AllDone:
		return false
	case jobspec.AtLeastOneSuccess, jobspec.NoneFailed, jobspec.AtLeastOneFailed:
		return off > 0 && off == c.total
	}
	return off > 0
}

// setTimeout sets the run's deadline. It counts from the time the run left the
// queue, or was last repaired.
func (r *Run) setTimeout(d time.Duration) {
	if r.Status.Ended() {
		return
	}
	r.header = true
	r.Timeout, r.Deadline = d, time.Time{}
	from := r.Admitted
	if n := len(r.Repairs); n > 0 {
		from = r.Repairs[n-1].Started
	}
	if d > 0 && !from.IsZero() {
		r.Deadline = from.Add(d)
		r.arm(r.Deadline, timerRun, nil)
	}
}

// watchDuration sets when people are warned that the run takes long: it is
// counted from now, the start of the run or of a repair.
func (r *Run) watchDuration() {
	if d := durationRule(r.Job.Health); d > 0 {
		r.WarnAt = r.now.Add(d)
		r.arm(r.WarnAt, timerRun, nil)
	}
}

// durationRule is the limit of a RUN_DURATION_SECONDS health rule, 0 without one.
func durationRule(rules []jobspec.HealthRule) time.Duration {
	for _, h := range rules {
		if h.Metric == "RUN_DURATION_SECONDS" {
			return time.Duration(h.Value) * time.Second
		}
	}
	return 0
}

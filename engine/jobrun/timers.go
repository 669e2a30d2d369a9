package jobrun

import (
	"container/heap"
	"time"
)

// timers is a heap of the times at which a column of the run's records may be
// due. An entry is a hint: the column itself decides, so an entry that
// outlived its reason does nothing.
type timers []timer

type timer struct {
	at   time.Time
	kind timerKind
	task *TaskRun
}

type timerKind int

const (
	timerRun timerKind = iota
	timerAttempt
)

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timers) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timers) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timers) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// arm notes that a column becomes due at a time; the zero time never does.
func (r *Run) arm(at time.Time, kind timerKind, t *TaskRun) {
	if !at.IsZero() {
		heap.Push(&r.timers, timer{at, kind, t})
	}
}

// NextWake is when the run next wants a Tick; zero if nothing is timed.
func (r *Run) NextWake() time.Time {
	for len(r.timers) > 0 {
		if next := r.timers[0]; r.wanted(next) {
			return next.at
		}
		heap.Pop(&r.timers)
	}
	return time.Time{}
}

// wanted tells whether a column still holds the time of an entry.
func (r *Run) wanted(t timer) bool {
	if t.kind == timerRun {
		return t.at.Equal(r.WarnAt) || t.at.Equal(r.QueueEnd) || t.at.Equal(r.Deadline) && r.Stop == ""
	}
	a := t.task.Last()
	if a.Status.Ended() {
		return false
	}
	return t.at.Equal(a.NextTry) && a.Status.State == Waiting || t.at.Equal(a.Deadline) && a.Status.State == Running || t.at.Equal(a.WarnAt)
}

// tick lets every timer that is due act.
func (r *Run) tick() {
	for len(r.timers) > 0 && !r.timers[0].at.After(r.now) {
		t := heap.Pop(&r.timers).(timer)
		if t.kind == timerRun {
			r.runDue()
		} else {
			r.attemptDue(t.task)
		}
	}
}

func (r *Run) due(at time.Time) bool { return !at.IsZero() && !at.After(r.now) }

// runDue acts on the run's own columns.
func (r *Run) runDue() {
	if r.Status.Ended() {
		return
	}
	if r.due(r.QueueEnd) && r.Status.State == Queued {
		r.end(terminated("", CodeQueueFull, "The run waited in the queue for 48 hours and was dropped."))
		return
	}
	if r.due(r.Deadline) && r.Stop == "" {
		r.stop(ByTimeout)
	}
	if r.due(r.WarnAt) {
		r.WarnAt = time.Time{}
		r.header = true
		r.notify(OnDurationWarning, nil, false)
	}
}

// attemptDue acts on the columns of a task's open attempt.
func (r *Run) attemptDue(t *TaskRun) {
	a := t.Last()
	if a.Status.Ended() {
		return
	}
	if r.due(a.NextTry) && a.Status.State == Waiting {
		r.begin(t)
		return
	}
	if r.due(a.Deadline) && a.Status.State == Running {
		r.stopTask(t, ByTimeout)
	}
	if r.due(a.WarnAt) {
		a.WarnAt = time.Time{}
		r.touch(t)
		r.notify(OnDurationWarning, t, false)
	}
}

package jobrun

import (
	"errors"
	"fmt"
	"time"
)

// A mirrored run is carried out by a workspace, which decides everything
// about it. What it says is written down, and nothing follows from it here:
// no task is unblocked, retried or timed out, and nobody is notified twice.

// Observed is what was seen of a mirrored run.
type Observed struct {
	At     time.Time
	Handle string         `json:",omitempty"` // what a later engine needs to go on following
	Run    Status         // State empty: nothing new
	Tasks  []ObservedTask `json:",omitempty"`
}

// ObservedTask is the latest attempt of a task as the workspace shows it.
type ObservedTask struct {
	Key     string
	Number  int
	Handle  string `json:",omitempty"` // the attempt's run id there
	Status  Status
	Started time.Time `json:",omitzero"`
	Ended   time.Time `json:",omitzero"`
	Error   string    `json:",omitempty"`
}

func (e Observed) at() time.Time { return e.At }

// FollowRun has a workspace's run followed.
type FollowRun struct{}

func (FollowRun) command() {}

func (r *Run) startMirror() {
	r.Admitted = r.now
	r.Status = Status{State: Pending}
	r.emit(FollowRun{})
}

func (r *Run) resumeMirror() {
	r.emit(FollowRun{})
	if r.Stop != "" {
		r.emit(StopAttempt{RunID: r.ID, Cause: r.Stop})
	}
}

func (r *Run) cancelMirror(ev CancelRequested) error {
	if ev.Task != "" {
		return fmt.Errorf("run %d is on a workspace, where no single task can be canceled; cancel the run", r.ID)
	}
	if r.Stop == "" {
		r.Stop, r.header = ByUser, true
		r.Status = Status{State: Terminating}
		r.emit(StopAttempt{RunID: r.ID, Cause: ByUser})
	}
	return nil
}

var errNoMirror = errors.New("the run is not one that a workspace carries")

func (r *Run) observed(ev Observed) error {
	if !r.Mirror {
		return fmt.Errorf("run %d: %w", r.ID, errNoMirror)
	}
	if r.Status.Ended() {
		return fmt.Errorf("run %d: %w", r.ID, ErrStale)
	}
	for _, o := range ev.Tasks {
		if t := r.byKey[o.Key]; t != nil {
			r.observeTask(t, o)
		}
	}
	if ev.Handle != "" && ev.Handle != r.Handle {
		r.Handle, r.header = ev.Handle, true
	}
	switch {
	case ev.Run.State == Terminated:
		r.endMirror(ev.Run)
	case ev.Run.State != "" && r.Stop == "" && ev.Run != r.Status:
		r.Status, r.header = ev.Run, true
	}
	return nil
}

func (r *Run) observeTask(t *TaskRun, o ObservedTask) {
	a := t.Last()
	if o.Number > a.Number {
		if !a.Status.Ended() {
			r.close(t, terminated(Failed, CodeRunExecutionError, "The workspace tried the task again."))
		}
		t.Attempts = append(t.Attempts, Attempt{RunID: r.NewID(), Number: o.Number, Created: r.now})
		a = t.Last()
		r.running[a.RunID] = t
	}
	a.Handle, a.Error, a.Status = o.Handle, o.Error, o.Status
	a.Started, a.Ended = o.Started.UTC(), o.Ended.UTC()
	if a.Pending.IsZero() {
		a.Pending = a.Started
	}
	if o.Status.Ended() {
		if a.Ended.IsZero() {
			a.Ended = r.now
		}
		delete(r.running, a.RunID)
	}
	r.touch(t)
}

// endMirror ends the run as the workspace ended it. A task of which nothing
// more was said never ran.
func (r *Run) endMirror(st Status) {
	for _, t := range r.Tasks {
		if !t.Status().Ended() {
			r.close(t, terminated(Excluded, CodeSkipped, "The workspace did not run the task."))
		}
	}
	r.Status, r.Ended, r.header, r.open = st, r.now, true, 0
	r.emit(Ended{})
}

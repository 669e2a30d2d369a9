package jobrun

import (
	"encoding/json"
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
	Page   string         `json:",omitempty"` // where people look at the run there
	Run    Status         // State empty: nothing new
	Tasks  []ObservedTask `json:",omitempty"`
}

// ObservedTask is an attempt of a task, or of an iteration, as the workspace
// shows it.
type ObservedTask struct {
	Key      string
	Item     int `json:",omitempty"` // 1 + iteration index; 0: the task itself
	Total    int `json:",omitempty"` // of a for_each: how many iterations it has
	Number   int
	Handle   string `json:",omitempty"` // the attempt's run id there
	Status   Status
	Started  time.Time `json:",omitzero"`
	Ended    time.Time `json:",omitzero"`
	Error    string    `json:",omitempty"`
	Outcome  string    `json:",omitempty"` // of a condition
	Operands *Operands `json:",omitempty"`
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
		if t := r.seenTask(o); t != nil {
			r.observeTask(t, o)
		}
	}
	for _, o := range ev.Tasks {
		if t := r.byKey[o.Key]; t != nil && t.ForEach != nil {
			t.ForEach.recount(t)
		}
	}
	if ev.Handle != "" && ev.Handle != r.Handle {
		r.Handle, r.header = ev.Handle, true
	}
	if ev.Page != "" && ev.Page != r.Page {
		r.Page, r.header = ev.Page, true
	}
	switch {
	case ev.Run.State == Terminated:
		r.endMirror(ev.Run)
	case ev.Run.State != "" && r.Stop == "" && ev.Run != r.Status:
		r.Status, r.header = ev.Run, true
	}
	return nil
}

// seenTask is the row that an observation is about; nil if the job has none
// such. The rows of iterations are made as they are seen, in order.
func (r *Run) seenTask(o ObservedTask) *TaskRun {
	t := r.byKey[o.Key]
	if t == nil || r.def(t).ForEach == nil {
		return t
	}
	if t.ForEach == nil {
		t.ForEach = &Iterations{Concurrency: max(r.def(t).ForEach.Concurrency, 1)}
	}
	f := t.ForEach
	for want := min(max(o.Total, o.Item), maxIterations); len(f.Inputs) < want; { // what they are is the workspace's affair
		f.Inputs = append(f.Inputs, json.RawMessage("null"))
		r.touch(t)
	}
	switch {
	case o.Item == 0:
		return t
	case o.Item > len(f.Inputs):
		return nil
	}
	for len(t.Items) < o.Item {
		r.newItem(t, len(t.Items))
	}
	return t.Items[o.Item-1]
}

// observeTask writes down how an attempt stands: a new one, the present one,
// or an earlier one of which more is known now.
func (r *Run) observeTask(t *TaskRun, o ObservedTask) {
	if o.Number > t.Last().Number {
		if !t.Status().Ended() {
			r.close(t, terminated(Failed, CodeRunExecutionError, "The workspace tried the task again."))
		}
		t.Attempts = append(t.Attempts, Attempt{RunID: r.NewID(), Number: o.Number, Created: r.now})
		r.running[t.Last().RunID] = t
	}
	a := t.numbered(o.Number)
	if a == nil {
		return
	}
	a.Handle, a.Error, a.Status, a.Operands = o.Handle, o.Error, o.Status, o.Operands
	a.Started, a.Ended = o.Started.UTC(), o.Ended.UTC()
	if a.Pending.IsZero() {
		a.Pending = a.Started
	}
	if a == t.Last() {
		t.Outcome = o.Outcome
	}
	if o.Status.Ended() {
		if a.Ended.IsZero() {
			a.Ended = r.now
		}
		delete(r.running, a.RunID)
	}
	r.touch(t)
}

// numbered is the attempt of a number; nil: there is none.
func (t *TaskRun) numbered(n int) *Attempt {
	for i := range t.Attempts {
		if t.Attempts[i].Number == n {
			return &t.Attempts[i]
		}
	}
	return nil
}

// endMirror ends the run as the workspace ended it. A task of which nothing
// more was said never ran.
func (r *Run) endMirror(st Status) {
	for _, t := range r.Tasks {
		for _, it := range t.Items {
			r.leftOut(it)
		}
		r.leftOut(t)
		if t.ForEach != nil {
			t.ForEach.recount(t)
		}
	}
	r.Status, r.Ended, r.header, r.open = st, r.now, true, 0
	r.emit(Ended{})
}

func (r *Run) leftOut(t *TaskRun) {
	if !t.Status().Ended() {
		r.close(t, terminated(Excluded, CodeSkipped, "The workspace did not run the task."))
	}
}

package jobrun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"flowctl/jobspec"
)

// Limits of a for_each task.
//
// Source: the Databricks page on for_each gives the concurrency; the number
// of iterations is our choice, stated nowhere.
const (
	maxIterations  = 5000
	maxConcurrency = 100
)

// Iterations is what a for_each task goes over.
type Iterations struct {
	Inputs      []json.RawMessage
	Concurrency int

	next, active, succeeded, failed, canceled int
	again                                     []*TaskRun // reopened iterations that have not begun
}

// Counts are the numbers of a for_each task's iterations.
type Counts struct{ Total, Active, Succeeded, Failed, Canceled int }

// Counts tells how far the task is. Only on a run that Load has rebuilt or
// that is live.
func (f *Iterations) Counts() Counts {
	return Counts{len(f.Inputs), f.active, f.succeeded, f.failed, f.canceled}
}

// recount derives the counters from the iterations' records.
func (f *Iterations) recount(t *TaskRun) {
	f.next, f.active, f.succeeded, f.failed, f.canceled, f.again = len(t.Items), 0, 0, 0, 0, nil
	for _, it := range t.Items {
		switch st := it.Status(); {
		case st.Ended():
			f.tally(st)
		case st.State == Blocked:
			f.again = append(f.again, it)
		default:
			f.active++
		}
	}
}

func (f *Iterations) tally(st Status) {
	switch {
	case st.Succeeded():
		f.succeeded++
	case st.canceled():
		f.canceled++
	default:
		f.failed++
	}
}

func (f *Iterations) itemEnded(it *TaskRun) {
	f.active--
	f.tally(it.Status())
}

// beginForEach expands the inputs and starts the first iterations. After a
// repair over the same inputs only the iterations that did not succeed run
// again; over other inputs all do.
func (r *Run) beginForEach(t *TaskRun, def *jobspec.Task) {
	inputs, err := r.inputs(t, def)
	if err != nil {
		r.finishFinal(t, terminated(Failed, CodeInvalidConfig, err.Error()))
		return
	}
	same := t.ForEach != nil && slices.EqualFunc(t.ForEach.Inputs, inputs, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	t.ForEach = &Iterations{Inputs: inputs, Concurrency: min(max(def.ForEach.Concurrency, 1), maxConcurrency)}
	t.Items = t.Items[:min(len(t.Items), len(inputs))]
	for _, it := range t.Items {
		if !same || !it.Status().Succeeded() {
			r.reopen(it, t.Last().Repair)
		}
	}
	t.ForEach.recount(t)
	r.markStarted(t)
	r.feeding = append(r.feeding, t)
}

// markStarted makes a control task RUNNING: it needs no runner to say so.
func (r *Run) markStarted(t *TaskRun) {
	_ = r.attemptStarted(AttemptStarted{At: r.now, RunID: t.Last().RunID}) // cannot be stale: the attempt was just begun
}

// inputs is the list that a for_each goes over: a JSON array as text, or what
// a reference to one expands to.
func (r *Run) inputs(t *TaskRun, def *jobspec.Task) ([]json.RawMessage, error) {
	text, err := r.expandText(t, def.ForEach.Inputs)
	if err != nil {
		return nil, fmt.Errorf("for_each_task.inputs: %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("for_each_task.inputs: not a JSON array: %s", shorten(text))
	}
	if len(list) > maxIterations {
		return nil, fmt.Errorf("for_each_task.inputs: %d elements, at most %d are allowed", len(list), maxIterations)
	}
	for i, el := range list {
		if el = bytes.TrimSpace(el); len(el) > 0 && el[0] == '[' || string(el) == "null" {
			return nil, fmt.Errorf("for_each_task.inputs[%d]: %s is no string, number, boolean or object", i, shorten(string(el)))
		}
	}
	return list, nil
}

// feed starts iterations as far as the concurrency allows and ends the
// for_each when none is left.
func (r *Run) feed(t *TaskRun) {
	f, a := t.ForEach, t.Last()
	if f == nil || a.Status.Ended() {
		return
	}
	for a.Status.State == Running && f.active < f.Concurrency {
		it := r.nextItem(t)
		if it == nil {
			break
		}
		f.active++
		r.begin(it)
	}
	if f.active == 0 && (f.exhausted() || a.Status.State == Terminating) {
		r.finish(t, r.endOfForEach(t, a))
	}
}

func (f *Iterations) exhausted() bool { return f.next == len(f.Inputs) && len(f.again) == 0 }

// nextItem is the next iteration to start: one that was reopened, else a new
// row; nil if there is none.
func (r *Run) nextItem(t *TaskRun) *TaskRun {
	f := t.ForEach
	if len(f.again) > 0 {
		it := f.again[0]
		f.again = f.again[1:]
		return it
	}
	if f.next == len(f.Inputs) {
		return nil
	}
	f.next++
	return r.newItem(t, f.next-1)
}

// newItem makes the row of an iteration.
func (r *Run) newItem(t *TaskRun, i int) *TaskRun {
	it := &TaskRun{
		Key:    fmt.Sprintf("%s_%d", r.def(t).ForEach.Task.Key, i),
		Index:  i,
		parent: t,
	}
	it.Attempts = []Attempt{{RunID: r.NewID(), Repair: t.Last().Repair, Status: Status{State: Blocked}, Created: r.now}}
	t.Items = append(t.Items, it)
	r.running[it.Last().RunID] = it
	r.touch(it)
	return it
}

func (r *Run) endOfForEach(t *TaskRun, a *Attempt) Status {
	f := t.ForEach
	switch {
	case a.Stop == ByTimeout:
		return terminated(TimedOut, CodeCanceled, fmt.Sprintf("The task did not finish within its timeout of %s.", r.def(t).Timeout))
	case a.Status.State == Terminating:
		return terminated(Canceled, CodeUserCanceled, "The task was canceled.")
	case f.failed+f.canceled > 0:
		msg := fmt.Sprintf("%d of %d iterations did not succeed, the first is %s", f.failed+f.canceled, len(f.Inputs), firstBad(t.Items))
		return terminated(Failed, CodeRunExecutionError, msg)
	}
	return terminated(Success, CodeSuccess, "")
}

// firstBad names the first iteration that did not succeed, and why.
func firstBad(items []*TaskRun) string {
	for _, it := range items {
		if st := it.Status(); !st.Succeeded() {
			why := it.Last().Error
			if why == "" {
				why = st.Message
			}
			return fmt.Sprintf("%s: %s", it.Key, shorten(why))
		}
	}
	return ""
}

// shorten keeps a value that goes into a message within a line.
func shorten(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:cut], len(s))
}

package jobrun

import (
	"errors"
	"fmt"
)

// ErrStale answers a report about an attempt that has ended or that the run
// does not know: a late word, to be dropped.
var ErrStale = errors.New("the attempt is not under way")

// Apply makes an event part of the run and returns what the world must do
// about it, in order. An error means an illegal move: nothing changed.
func (r *Run) Apply(ev Event) ([]Command, error) {
	r.now, r.out = ev.at().UTC(), nil
	if err := r.dispatch(ev); err != nil {
		return nil, err
	}
	r.settle()
	out := r.out
	r.out = nil
	return out, nil
}

func (r *Run) dispatch(ev Event) error {
	switch ev := ev.(type) {
	case Requested:
		return r.request(ev)
	case Admitted:
		return r.admit()
	case AttemptStarted:
		return r.attemptStarted(ev)
	case HandleSet:
		return r.handleSet(ev)
	case ValueSet:
		return r.valueSet(ev)
	case GitResolved:
		r.Git, r.header = ev.Commit, true
		return nil
	case AttemptFinished:
		return r.attemptFinished(ev)
	case ChildFinished:
		return r.childFinished(ev)
	case Tick:
		r.tick()
		return nil
	case CancelRequested:
		return r.cancel(ev)
	case RepairRequested:
		return r.repair(ev)
	case TimeoutChanged:
		r.setTimeout(ev.Timeout)
		return nil
	case Resumed:
		return r.resume()
	case Observed:
		return r.observed(ev)
	}
	return fmt.Errorf("run %d: unknown event %T", r.ID, ev)
}

// settle carries every consequence through: unblock, start, feed, conclude,
// until nothing moves. Tasks are decided in written order.
func (r *Run) settle() {
	if r.Mirror {
		return
	}
	for len(r.ready)+len(r.feeding) > 0 {
		ready, feeding := r.ready, r.feeding
		r.ready, r.feeding = nil, nil
		inOrder(ready)
		for _, t := range ready {
			r.decide(t)
		}
		for _, t := range feeding {
			r.feed(t)
		}
	}
	if r.open == 0 && !r.Status.Ended() && len(r.Tasks) > 0 {
		r.conclude()
	}
}

// decide starts a task whose upstream tasks have all ended, or ends it
// without running it.
func (r *Run) decide(t *TaskRun) {
	if t.Status().State != Blocked {
		return
	}
	res, up := r.verdict(t)
	switch res {
	case "":
		r.begin(t)
	case UpstreamFailed:
		r.finishFinal(t, terminated(res, CodeSkipped, fmt.Sprintf("Upstream task %s failed.", up)))
	case UpstreamCanceled:
		r.finishFinal(t, terminated(res, CodeSkipped, fmt.Sprintf("Upstream task %s was canceled.", up)))
	case Disabled:
		r.finishFinal(t, terminated(res, CodeDisabled, "The task is disabled."))
	case Excluded:
		if up != "" {
			r.finishFinal(t, terminated(res, CodeSkipped, fmt.Sprintf("The branch is not taken: condition %s came out %s.", up, r.byKey[up].Outcome)))
			return
		}
		r.finishFinal(t, terminated(res, CodeSkipped, fmt.Sprintf("The run_if condition %s was not met.", r.def(t).RunIf)))
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"flowctl/engine/jobrun"
)

// Polling a workspace begins quickly, for short runs, and gets slower.
const (
	pollFirst = time.Second
	pollMost  = 10 * time.Second
)

// poll follows a run on a workspace to its end and prints its result. Ctrl-C
// leaves the run as it is: it is not this process that carries it on.
func (f *following) poll(ctx context.Context, run int64) error {
	p := newPrinter(f.env, f.home, run, f.quiet)
	defer p.stop()
	seen := snapshot{}
	for wait := pollFirst; ; wait = min(wait*5/4, pollMost) {
		r, err := f.door.getRun(ctx, run)
		if err == nil {
			p.entry(seen.changes(r))
			if r.State.ended() {
				p.stop()
				return f.result(run, false)
			}
		} else if refused := new(refusal); errors.As(err, &refused) {
			return refusedOr(err)
		}
		select {
		case <-time.After(wait + rand.N(wait/5)): // jitter
		case <-ctx.Done():
			p.say(fmt.Sprintf("Left run %d, which goes on; see how it stands with: flowctl runs watch %d", run, run))
			return &exitError{code: exitInterrupted}
		}
	}
}

// good says whether a run did what it should, as the exit status has it.
func (s shownState) good() bool { return s.Result == "SUCCESS" || s.Result == "SUCCESS_WITH_FAILURES" }

// ended says whether a run's legacy state is a last one.
func (s shownState) ended() bool {
	switch s.LifeCycle {
	case "TERMINATED", "SKIPPED", "INTERNAL_ERROR":
		return true
	}
	return false
}

// snapshot is what was last seen of a run's attempts, by their ids.
type snapshot map[int64]shownState

// changes puts what is new in a run as the journal would have told it.
func (s snapshot) changes(r *shownRun) jobrun.Entry {
	e := jobrun.Entry{RunID: r.RunID, At: time.Now()}
	for _, t := range r.Tasks {
		if s[t.RunID] == t.State {
			continue
		}
		s[t.RunID] = t.State
		e.Changes = append(e.Changes, jobrun.Change{Key: t.TaskKey, RunID: t.RunID, Number: t.Attempt, Status: t.State.status()})
	}
	if r.State.ended() {
		st := r.State.status()
		e.Run = &st
	}
	return e
}

// status is a legacy state in the words of the newer status.
func (s shownState) status() jobrun.Status {
	st := jobrun.Status{State: jobrun.State(s.LifeCycle), Result: jobrun.Result(s.Result), Message: s.Message}
	if s.ended() {
		st.State = jobrun.Terminated
	}
	if st.State == "WAITING_FOR_RETRY" {
		st.State = jobrun.Waiting
	}
	return st
}

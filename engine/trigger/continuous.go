package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flowctl/engine"
	"flowctl/engine/jobrun"
)

// How a continuous job's runs follow each other. Databricks does not say its
// values, but that the wait grows exponentially, without end to the number of
// failures, and starts anew after a success.
const (
	firstWait   = 10 * time.Second
	longestWait = 10 * time.Minute
	healthy     = 10 * time.Minute // a run that lasted so long counts as a success
	leastCycle  = 10 * time.Second // from the start of a run to the start of the next
)

// continuous keeps one run of a job active.
type continuous struct {
	engine *engine.Engine
	ctx    context.Context
	job    int64
	mem    continuousMemory
	then   continuousMemory
	now    time.Time
	// refused counts the times that the job could not be run at all.
	refused int
	retryAt time.Time
}

// continuousMemory is what is on record.
type continuousMemory struct {
	Failures int // in a row, before the run that was started last
	Started  time.Time
}

func (s *Service) newContinuous(ctx context.Context, job int64, tr engine.TriggerState) (kind, error) {
	c := &continuous{engine: s.engine, ctx: context.WithoutCancel(ctx), job: job}
	if tr.State != nil {
		if err := json.Unmarshal(tr.State, &c.mem); err != nil {
			return nil, fmt.Errorf("%s: read memory: %w", tr.Path, err)
		}
	}
	return c, nil
}

func (c *continuous) decide(now time.Time) decision {
	if c.retryAt.After(now) && c.retryAt.Sub(now) <= longestWait {
		return decision{next: c.retryAt}
	}
	last, err := c.engine.LastRun(c.ctx, c.job)
	if err != nil {
		return decision{next: now.Add(firstWait)}
	}
	c.now, c.then = now, continuousMemory{Failures: c.mem.Failures, Started: now.UTC()}
	if last != nil {
		if !last.Status.Ended() {
			return decision{} // the news of its end is the next thing
		}
		var wait time.Duration
		c.then.Failures, wait = after(last, c.mem.Failures)
		from := last.Ended
		if wait == 0 {
			wait, from = leastCycle, last.Created
		}
		// A clock that was set back must not make the wait longer.
		if start := from.Add(wait); start.After(now) && start.Sub(now) <= wait {
			return decision{next: start}
		}
	}
	state, err := json.Marshal(c.then)
	if err != nil {
		return decision{next: now.Add(firstWait)}
	}
	trigger := jobrun.Trigger{Type: jobrun.Continuous}
	return decision{step: &engine.Step{State: state, Fires: []engine.Fire{{At: now, Trigger: trigger, Free: true}}}}
}

// after is what a run that has ended means for the next: how many runs in a
// row have failed, and how long to wait.
func after(r *jobrun.Run, failures int) (int, time.Duration) {
	switch {
	case r.Trigger.Type != jobrun.Continuous && r.Trigger.Type != jobrun.ContinuousRestart:
		return failures, backoff(failures)
	case r.Status.Succeeded(), r.Status.Result == jobrun.Canceled, r.Ended.Sub(r.Created) >= healthy:
		return 0, 0
	}
	return failures + 1, backoff(failures + 1)
}

func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(firstWait<<min(failures-1, 10), longestWait)
}

func (c *continuous) took(r engine.Stepped) {
	switch {
	case r.Outcome == engine.Busy:
		return // a run that somebody else started; its end is the next thing
	case r.Err != nil:
		c.refused++
		c.retryAt = c.now.Add(backoff(c.refused))
		return
	}
	c.mem, c.refused, c.retryAt = c.then, 0, time.Time{}
}

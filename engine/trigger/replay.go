package trigger

import (
	"context"
	"fmt"
	"time"

	"flowctl/engine"
	"flowctl/jobspec"
)

// replay makes the runs of a backfill: so many at once, oldest first. What it
// has made is on record as fires, so it goes on after any interruption.
type replay struct {
	engine   *engine.Engine
	ctx      context.Context
	backfill engine.Backfill
	times    jobspec.Times
	cursor   time.Time // the last scheduled time that has its run
	active   []int64   // runs that had not ended when last seen
	then     time.Time
}

func newReplay(ctx context.Context, e *engine.Engine, b engine.Backfill) (kind, error) {
	times, err := b.Times()
	if err != nil {
		return nil, fmt.Errorf("backfill of job %d: %w", b.JobID, err)
	}
	r := &replay{engine: e, ctx: context.WithoutCancel(ctx), backfill: b, times: times}
	err = e.Fires(ctx, b.JobID, b.Key, func(f engine.Fired) bool {
		r.cursor = f.At
		r.active = append(r.active, f.Run)
		return true
	})
	return r, err
}

func (r *replay) decide(now time.Time) decision {
	open, err := r.engine.Open(r.ctx, r.active)
	if err != nil {
		return decision{next: now.Add(firstWait)}
	}
	r.active = open
	step := &engine.Step{}
	at := r.times.Next(r.cursor)
	for ; !at.IsZero() && len(r.active)+len(step.Fires) < r.backfill.Parallel; at = r.times.Next(at) {
		step.Fires = append(step.Fires, engine.Fire{At: at, Queue: true, Trigger: engine.BackfillTrigger(at)})
		r.then = at
	}
	switch {
	case len(step.Fires) > 0:
		return decision{step: step}
	case at.IsZero():
		if err := r.engine.EndBackfill(r.ctx, r.backfill.JobID, r.backfill.Key); err != nil {
			return decision{next: now.Add(firstWait)}
		}
	}
	return decision{} // the end of a run makes room
}

func (r *replay) took(out engine.Stepped) {
	r.cursor = r.then
	for _, id := range out.Runs {
		if id != 0 {
			r.active = append(r.active, id)
		}
	}
}

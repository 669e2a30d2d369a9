package main

import (
	"context"
	"log/slog"
	"time"

	"flowctl/engine/jobrun"
)

// retainEvery is how often old runs are looked for.
const retainEvery = time.Hour

// retain deletes the runs that ended longer ago than keep, until ctx is over.
func (a *app) retain(ctx context.Context, keep time.Duration, log *slog.Logger) {
	if keep <= 0 {
		return
	}
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		n, err := a.deleteOld(ctx, time.Now().Add(-keep))
		if err != nil && ctx.Err() == nil {
			log.Error("delete old runs", "error", err)
		}
		if n > 0 {
			log.Info("deleted old runs", "runs", n, "kept", keep)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// deleteOld deletes the runs that ended before a time. It begins with the
// oldest and stops at the first run that was made after it, so that it reads
// no more than it deletes.
func (a *app) deleteOld(ctx context.Context, before time.Time) (n int, err error) {
	var old []int64
	err = a.engine.OldestRuns(ctx, func(r *jobrun.Run) bool {
		if !r.Created.Before(before) {
			return false
		}
		if r.Status.Ended() && r.Ended.Before(before) {
			old = append(old, r.ID)
		}
		return ctx.Err() == nil
	})
	for _, id := range old {
		if err != nil || ctx.Err() != nil {
			return n, err
		}
		err = a.engine.DeleteRun(ctx, id)
		n++
	}
	return n, err
}

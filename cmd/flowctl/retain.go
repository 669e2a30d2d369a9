package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/tasks/python/venv"
)

// retainEvery is how often old runs are looked for.
const retainEvery = time.Hour

// keepEntries is how much of the journal is kept, for those who follow it.
const keepEntries = 200_000

// keepEnvironments is how long an environment is kept that nothing uses.
const keepEnvironments = 30 * 24 * time.Hour

// retain lets go of what is old, until ctx is over: runs that ended longer ago
// than keep (0: none), the journal's beginning, environments that nothing uses.
func (a *app) retain(ctx context.Context, keep time.Duration, log *slog.Logger) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		if keep > 0 {
			n, err := a.deleteOld(ctx, time.Now().Add(-keep))
			if err != nil && ctx.Err() == nil {
				log.Error("delete old runs", "error", err)
			}
			if n > 0 {
				log.Info("deleted old runs", "runs", n, "kept", keep)
			}
		}
		if err := a.engine.TrimJournal(ctx, keepEntries); err != nil && ctx.Err() == nil {
			log.Error("trim the journal", "error", err)
		}
		envs := venv.Store{Dir: filepath.Join(a.store.Home(), "envs")}
		if gone, err := envs.Prune(time.Now().Add(-keepEnvironments)); err != nil {
			log.Error("delete unused environments", "error", err)
		} else if len(gone) > 0 {
			log.Info("deleted unused environments", "environments", len(gone))
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

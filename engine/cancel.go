package engine

import (
	"context"
	"slices"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// CancelRun asks a run to stop. It returns at once; an ended run stays as it
// is. id may be that of a task's attempt, which stops that task alone.
func (e *Engine) CancelRun(ctx context.Context, id int64) error {
	return e.call(ctx, func(tx *store.Tx) error {
		task := ""
		run, ti, _, _, err := tx.Attempt(id)
		if err == nil {
			id = run
		}
		r, rerr := e.open(tx, id)
		if rerr != nil {
			return rerr
		}
		if r.Status.Ended() {
			return nil
		}
		if err == nil {
			task = r.Job.Tasks[ti].Key
		}
		return e.apply(r, jobrun.CancelRequested{At: e.now(), Task: task})
	})
}

// CancelFilter chooses runs to cancel, of those that have not ended.
type CancelFilter struct {
	JobID     int64  // 0: of all jobs
	Queued    bool   // only those that wait in a queue
	Namespace string // of all jobs: of this workspace
}

// CancelAll asks runs to stop. It returns at once.
func (e *Engine) CancelAll(ctx context.Context, f CancelFilter) error {
	return e.call(ctx, func(tx *store.Tx) error { return e.cancelAll(tx, f) })
}

func (e *Engine) cancelAll(tx *store.Tx, f CancelFilter) error {
	wanted := func(r *jobrun.Run) bool {
		if f.JobID != 0 && r.JobID != f.JobID || f.JobID == 0 && r.Namespace != f.Namespace {
			return false
		}
		return !f.Queued || r.Status.State == jobrun.Queued
	}
	var ids []int64
	for id, r := range e.live {
		if wanted(r) {
			ids = append(ids, id)
		}
	}
	err := tx.RunsBefore(store.RunFilter{JobID: f.JobID, Active: true}, 0, func(r *jobrun.Run) bool {
		if e.live[r.ID] == nil && wanted(r) {
			ids = append(ids, r.ID)
		}
		return true
	})
	if err != nil {
		return err
	}
	slices.Sort(ids)
	slices.Reverse(ids) // the newest first, so that no queued run takes the place of one that stops
	for _, id := range ids {
		r, err := e.open(tx, id)
		if err != nil {
			return err
		}
		if r.Status.Ended() {
			continue
		}
		if err := e.apply(r, jobrun.CancelRequested{At: e.now()}); err != nil {
			return err
		}
	}
	return nil
}

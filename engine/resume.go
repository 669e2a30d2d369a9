package engine

import (
	"context"
	"errors"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// open is a run that may be changed: live, or read and made live if it has
// not ended.
func (e *Engine) open(tx *store.Tx, id int64) (*jobrun.Run, error) {
	if r := e.live[id]; r != nil {
		return r, nil
	}
	r, err := tx.RunHeader(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRun(id)
	}
	if err != nil || r.Status.Ended() {
		return r, err
	}
	if err := e.resume(tx, id); err != nil {
		return nil, err
	}
	return e.live[id], nil
}

// Resume takes up runs that an engine which is gone had under way. A run that
// is live or has ended stays as it is.
func (e *Engine) Resume(ctx context.Context, ids ...int64) error {
	return e.call(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			if _, err := e.open(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// ResumeAll takes up every run that has not ended.
func (e *Engine) ResumeAll(ctx context.Context) error {
	var ids []int64
	if err := e.store.View(func(tx *store.Tx) error { ids = tx.Active(); return nil }); err != nil {
		return err
	}
	return e.Resume(ctx, ids...)
}

// resume makes a stored run live again.
func (e *Engine) resume(tx *store.Tx, id int64) error {
	if e.live[id] != nil {
		return nil
	}
	r, err := tx.Run(id, e.newID)
	if err != nil {
		return err
	}
	r.WorkspaceURL, r.WorkspaceID = e.opt.WorkspaceURL, e.opt.WorkspaceID
	e.enter(r)
	e.wakes.set(r.ID, r.NextWake())
	return e.apply(r, jobrun.Resumed{At: e.now()})
}

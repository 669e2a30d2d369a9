package engine

import (
	"context"
	"iter"
	"sync"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// watchers wakes those who follow the journal.
type watchers struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next wake
}

func (w *watchers) wait() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == nil {
		w.next = make(chan struct{})
	}
	return w.next
}

func (w *watchers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next != nil {
		close(w.next)
		w.next = nil
	}
}

// Watch yields the journal's entries after seq, those to come included, until
// ctx ends or the engine stops.
func (e *Engine) Watch(ctx context.Context, seq uint64) iter.Seq2[jobrun.Entry, error] {
	return func(yield func(jobrun.Entry, error) bool) {
		for {
			news := e.watchers.wait()
			more, err := e.page(&seq, yield)
			select {
			case <-e.done:
				return
			default:
			}
			if err != nil {
				yield(jobrun.Entry{}, err)
				return
			}
			if !more {
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			case <-e.done:
				_, _ = e.page(&seq, yield) // the last commit; the store may be closed by now
				return
			}
		}
	}
}

// page yields the entries that are there, a bounded number in each read
// transaction, so that a slow follower does not hold one open.
func (e *Engine) page(seq *uint64, yield func(jobrun.Entry, error) bool) (more bool, err error) {
	const size = 512
	for {
		var entries []jobrun.Entry
		err := e.store.View(func(tx *store.Tx) error {
			return tx.EntriesAfter(*seq, func(en jobrun.Entry) bool {
				entries = append(entries, en)
				return len(entries) < size
			})
		})
		if err != nil {
			return false, err
		}
		for _, en := range entries {
			*seq = en.Seq
			if !yield(en, nil) {
				return false, nil
			}
		}
		if len(entries) < size {
			return true, nil
		}
	}
}

// Seq is the number of the journal's last entry.
func (e *Engine) Seq() (uint64, error) {
	var seq uint64
	err := e.store.View(func(tx *store.Tx) error { seq = tx.LastSeq(); return nil })
	return seq, err
}

// Wait returns when a run has ended, with its record as it ended.
func (e *Engine) Wait(ctx context.Context, id int64) (*jobrun.Run, error) {
	for {
		news := e.watchers.wait()
		r, err := e.Run(ctx, id)
		if err != nil || r.Status.Ended() {
			return r, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-e.done:
			return r, errStopped
		}
	}
}

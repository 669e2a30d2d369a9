package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// noID is the source of ids for runs that are only looked at.
func noID() int64 { panic("a run that is only read makes no ids") }

// Run reads a run with its tasks, as the last commit left it.
func (e *Engine) Run(_ context.Context, id int64) (*jobrun.Run, error) {
	var r *jobrun.Run
	err := e.store.View(func(tx *store.Tx) error {
		var err error
		r, err = tx.Run(id, noID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRun(id)
	}
	return r, err
}

// RunHeader reads a run without its tasks and without its job's definition. id
// may be that of an attempt of the run.
func (e *Engine) RunHeader(_ context.Context, id int64) (*jobrun.Run, error) {
	var r *jobrun.Run
	err := e.store.View(func(tx *store.Tx) error {
		run := id
		if of, _, _, _, err := tx.Attempt(id); err == nil {
			run = of
		}
		var err error
		r, err = tx.RunHeader(run)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRun(id)
	}
	return r, err
}

// AttemptRef is an attempt in its place.
type AttemptRef struct {
	Run     *jobrun.Run
	Task    *jobrun.TaskRun // of an iteration: the iteration
	Attempt *jobrun.Attempt
	Dir     string
}

// Attempt reads an attempt in its place. Of the run's tasks only its own is there.
func (e *Engine) Attempt(_ context.Context, id int64) (AttemptRef, error) {
	var a AttemptRef
	err := e.store.View(func(tx *store.Tx) error {
		run, task, item, n, err := tx.Attempt(id)
		if err != nil {
			return err
		}
		if a.Run, err = tx.RunOfTask(run, task, item); err != nil {
			return err
		}
		a.Task = a.Run.Tasks[0]
		key := a.Task.Key
		if item >= 0 {
			a.Task = a.Task.Items[0]
		}
		a.Attempt = &a.Task.Attempts[n]
		a.Dir = e.store.AttemptDir(run, key, item, a.Attempt.Number)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return a, noRun(id)
	}
	return a, err
}

// Output reads what an attempt left behind.
func (e *Engine) Output(_ context.Context, attempt int64) (store.Output, error) {
	var o store.Output
	err := e.store.View(func(tx *store.Tx) error {
		var err error
		o, err = tx.Output(attempt)
		return err
	})
	return o, err
}

// Facts reads what an attempt reported about itself or, by the id of a run,
// what is known of where its code came from.
func (e *Engine) Facts(_ context.Context, attempt int64) ([]json.RawMessage, error) {
	var list []json.RawMessage
	err := e.store.View(func(tx *store.Tx) error { list = tx.Facts(attempt); return nil })
	return list, err
}

// RunFilter chooses runs for Runs.
type RunFilter = store.RunFilter

// Runs yields the headers of runs with ids below before (0: all), newest
// first, until fn returns false.
func (e *Engine) Runs(_ context.Context, f RunFilter, before int64, fn func(*jobrun.Run) bool) error {
	return e.store.View(func(tx *store.Tx) error { return tx.RunsBefore(f, before, fn) })
}

// OldestRuns yields the headers of runs, oldest first, until fn returns false.
func (e *Engine) OldestRuns(_ context.Context, fn func(*jobrun.Run) bool) error {
	return e.store.View(func(tx *store.Tx) error { return tx.RunsOldest(fn) })
}

// LogTail reads at most limit bytes from the end of an attempt's output, and
// tells whether there was more.
func (e *Engine) LogTail(dir string, limit int64) (text []byte, cut bool, err error) {
	f, err := e.store.OpenLog(dir)
	if err != nil || f == nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, false, err
	}
	from := max(size-limit, 0)
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, false, err
	}
	text, err = io.ReadAll(io.LimitReader(f, limit))
	return text, from > 0, err
}

// maxCells bounds what is read of a notebook's cells.
const maxCells = 20 << 20

// Cells reads what a notebook task's attempt wrote down of its cells, one JSON
// object a line; nothing if it is no notebook, or has finished none.
func (e *Engine) Cells(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, "cells.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cells: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, maxCells))
}

// DeleteRun removes an ended run and its files.
func (e *Engine) DeleteRun(ctx context.Context, id int64) error {
	err := e.call(ctx, func(tx *store.Tx) error {
		r, err := tx.RunHeader(id)
		if errors.Is(err, store.ErrNotFound) {
			return noRun(id)
		}
		if err != nil {
			return err
		}
		if !r.Status.Ended() {
			return refuse(InvalidState, "Run %d is still active; cancel it first.", id)
		}
		return tx.DeleteRun(r)
	})
	if err != nil {
		return err
	}
	return e.store.RemoveRunDir(id)
}

// trimStep bounds how many entries one commit drops, so that nobody waits long.
const trimStep = 2000

// TrimJournal drops all but the latest entries of the journal. Whoever still
// follows older ones goes on with those that are left.
func (e *Engine) TrimJournal(ctx context.Context, keep uint64) error {
	for {
		n := 0
		err := e.call(ctx, func(tx *store.Tx) (err error) {
			if e.seq <= keep {
				return nil
			}
			n, err = tx.PruneJournal(e.seq-keep, trimStep)
			return err
		})
		if err != nil || n < trimStep {
			return err
		}
	}
}

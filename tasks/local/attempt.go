package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// supervise runs an attempt to its end: it starts the process or attaches to
// one that lives, passes on what it says, stops it when ctx ends, and reads
// how it ended. prepare is called only if the process must be started.
func (o *Options) supervise(ctx context.Context, a tasks.Attempt, out tasks.Sink, prepare func() (launch, error)) (tasks.Result, error) {
	c, err := claim(a)
	if err != nil {
		return tasks.Result{}, err
	}
	f := newFollower(a, out, c.process)
	defer f.close()
	if c.lock != nil {
		var l launch
		if ctx.Err() == nil {
			l, err = prepare()
		}
		if err == nil && ctx.Err() == nil {
			err = o.deliverSecrets(ctx, a)
		}
		if err != nil || ctx.Err() != nil {
			_ = c.lock.Close() // nothing was written to it
			l.release()
			return unstarted(ctx, errors.Join(err, withdrawSecrets(a)))
		}
		if f.p, err = spawn(a.Dir, c.lock, l); err != nil {
			return tasks.Result{}, errors.Join(err, withdrawSecrets(a))
		}
	}
	f.log = out.Log()
	if !c.ended {
		if err := f.watch(ctx, o.grace()); err != nil {
			return tasks.Result{}, err
		}
	}
	if err := withdrawSecrets(a); err != nil {
		out.Note(err.Error())
	}
	return o.end(ctx, f)
}

// unstarted is the answer for an attempt whose code has not begun: the end of
// ctx if that is the reason, else err.
func unstarted(ctx context.Context, err error) (tasks.Result, error) {
	switch {
	case ctx.Err() == nil:
		return tasks.Result{}, err
	case errors.Is(context.Cause(ctx), tasks.ErrDetach):
		return tasks.Result{}, tasks.ErrDetach
	}
	return tasks.Result{Outcome: tasks.Canceled}, nil
}

// claimed is what is known of an attempt before anything is done about it: it
// is to be started (lock is set, and ours), it lives (process is set, ended is
// not), or it has ended.
type claimed struct {
	lock    *os.File
	process *process
	ended   bool
}

// claim looks for what an earlier engine left of the attempt. An attempt that
// began and is gone without a result is an error.
func claim(a tasks.Attempt) (claimed, error) {
	existed, err := makeDir(a.Dir)
	if err != nil {
		return claimed{}, fmt.Errorf("make attempt directory: %w", err)
	}
	lock, err := tryLock(filepath.Join(a.Dir, "lock"))
	taken := errors.Is(err, errHeld)
	switch {
	case err != nil && !taken:
		return claimed{}, fmt.Errorf("start task: %w", err)
	case !a.Resumed && taken:
		return claimed{}, errors.Join(fmt.Errorf("start task: another process runs in %s", a.Dir), lock.Close())
	case !a.Resumed && existed:
		if err := clearDir(a.Dir); err != nil {
			return claimed{}, errors.Join(fmt.Errorf("clear attempt directory: %w", err), lock.Close())
		}
		return claimed{lock: lock}, nil
	case !a.Resumed:
		return claimed{lock: lock}, nil
	}
	c, err := attach(a, lock, taken)
	if c.lock == nil {
		err = errors.Join(err, lock.Close())
	}
	return c, err
}

// attach finds out what became of an attempt of an earlier engine.
func attach(a tasks.Attempt, lock *os.File, taken bool) (claimed, error) {
	p := &process{dir: a.Dir, id: readIdentity(lock)}
	living := taken
	if p.id.exact() { // a fork may hold the lock without the leader, or the leader may have closed all its files
		living = p.id.alive()
	}
	if living { // asked before the result: one that ends between the two has a result by then
		return claimed{process: p}, nil
	}
	_, ended, err := python.ReadResult(a.Dir)
	if ended || err != nil {
		return claimed{process: p, ended: true}, err
	}
	began, err := hasBegun(a.Dir)
	if err != nil {
		return claimed{}, err
	}
	if !began && !taken {
		return claimed{lock: lock}, nil
	}
	if _, err := os.Stat(filepath.Join(a.Dir, stoppedFile)); err == nil {
		return claimed{process: p, ended: true}, nil // we told it to end
	}
	p.sweep(killWait, true, nil) // what it started must not run beside its next try
	return claimed{}, errors.Join(errors.New("the task's process vanished: it began, left no result and is gone, as after a reboot, a kill or on a full disk"), withdrawSecrets(a))
}

// hasBegun tells whether an attempt's process has said anything yet.
func hasBegun(dir string) (bool, error) {
	ev := python.OpenEvents(dir)
	defer ev.Close() //nolint:errcheck // only read
	enough := errors.New("enough")
	err := ev.Each(func(python.Event) error { return enough })
	if errors.Is(err, enough) {
		return true, nil
	}
	return false, err
}

// makeDir makes the attempt's directory and tells whether it was there already.
func makeDir(dir string) (existed bool, err error) {
	err = os.Mkdir(dir, 0o700)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, os.MkdirAll(dir, 0o700)
	case errors.Is(err, os.ErrExist):
		return true, nil
	}
	return false, err
}

// clearDir removes what a run that the store has forgotten (a restored backup)
// left in the directory: nothing in it may be taken for this attempt's.
func clearDir(dir string) error {
	for _, name := range []string{"result.json", "events.jsonl", "output.log", "cells.jsonl", "resume.json", secretsFile, stoppedFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

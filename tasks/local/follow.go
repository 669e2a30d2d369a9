package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// valueLimit is how large a task value may be, in bytes of JSON.
//
// Source: the Databricks page on task values: 48 KiB.
const valueLimit = 48 * 1024

// stoppedFile in an attempt's directory says that an engine told it to end,
// so that a later engine knows why it did.
const stoppedFile = "stopped"

// follower passes on what an attempt says while it runs.
type follower struct {
	a       tasks.Attempt
	out     tasks.Sink
	p       *process
	events  *python.Events
	log     io.Writer
	logFile *os.File
	bad     string // why the attempt fails although its code did not
	stopped bool   // an engine told it to end
	facts   factFilter
}

func newFollower(a tasks.Attempt, out tasks.Sink, p *process) *follower {
	return &follower{a: a, out: out, p: p, events: python.OpenEvents(a.Dir)}
}

func (f *follower) close() {
	_ = f.events.Close() // only read
	if f.logFile != nil {
		_ = f.logFile.Close() // only read
	}
}

// watch returns when the process is gone. The error is ErrDetach when it
// shall go on without us.
func (f *follower) watch(ctx context.Context, grace time.Duration) error {
	const first, last = 25 * time.Millisecond, 200 * time.Millisecond // most tasks of 20 ms are never looked at
	delay := first
	if f.p.ended == nil { // its end is noticed by looking
		delay = time.Millisecond
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	done := ctx.Done()
	var limit <-chan time.Time
	for {
		select {
		case <-f.p.ended:
			f.sweep(ctx, grace)
			return nil
		case <-done:
			if detached(ctx) {
				return tasks.ErrDetach
			}
			done = nil
			f.stop()
			limit = time.After(grace)
		case <-limit:
			f.p.signal(syscall.SIGKILL)
		case <-timer.C:
			heard, err := f.listen()
			if err != nil {
				return f.abandon(ctx, err)
			}
			if f.p.ended == nil && f.p.over() {
				f.sweep(ctx, grace)
				return nil
			}
			if delay = min(2*delay, last); heard {
				delay = first
			}
			timer.Reset(delay)
		}
	}
}

func detached(ctx context.Context) bool { return errors.Is(context.Cause(ctx), tasks.ErrDetach) }

// stop tells the process to end. One that has done its work already keeps its result.
func (f *follower) stop() {
	if _, err := os.Stat(filepath.Join(f.a.Dir, "result.json")); err != nil {
		f.stopped = true
		_ = os.WriteFile(filepath.Join(f.a.Dir, stoppedFile), nil, 0o600) // without it a later engine takes the end for a failure
	}
	f.p.signal(syscall.SIGTERM)
}

// sweep ends what the process left behind in its group, and of a stopped one
// also what had left the group.
func (f *follower) sweep(ctx context.Context, grace time.Duration) {
	quit := ctx.Done()
	if f.stopped {
		quit = nil // it has been closed
	}
	if f.p.sweep(grace, f.stopped, quit) && !f.stopped {
		f.out.Note("processes that the task left behind were ended")
	}
}

// abandon ends a process whose words cannot be heard or taken: nothing may
// run that nobody follows. If that is because the engine goes, it goes on.
func (f *follower) abandon(ctx context.Context, err error) error {
	if detached(ctx) {
		return tasks.ErrDetach
	}
	f.p.signal(syscall.SIGKILL)
	if f.p.ended != nil {
		<-f.p.ended
	}
	f.p.sweep(0, true, nil)
	return err
}

// listen passes on what has come since the last time.
func (f *follower) listen() (heard bool, err error) {
	err = f.events.Each(func(ev python.Event) error {
		heard = true
		return f.event(ev)
	})
	if err != nil {
		return heard, err
	}
	n, err := f.copyLog()
	return heard || n > 0, err
}

func (f *follower) event(ev python.Event) error {
	switch ev.Kind {
	case "started":
		if f.p.ended == nil {
			f.p.learn(ev.PID)
		}
		f.out.Started()
	case "value":
		return f.value(ev)
	case "fact":
		return f.facts.pass(ev, f.out)
	case "warning":
		raw, err := json.Marshal(ev.Text)
		if err != nil {
			return fmt.Errorf("pass on warning: %w", err)
		}
		return f.out.Report(tasks.Fact{Kind: "warning", Data: raw})
	case "":
		f.fail("$FLOWCTL_EVENTS holds a line that is no event: %s", ev.Text)
	}
	return nil
}

// value publishes a task value that any process of the attempt has set.
func (f *follower) value(ev python.Event) error {
	var b bytes.Buffer
	switch {
	case ev.Key == "":
		f.fail("a task value without a key was set")
	case json.Compact(&b, ev.Value) != nil:
		f.fail("task value %q has no value", ev.Key)
	case b.Len() > valueLimit:
		f.fail("task value %q is %d bytes as JSON; at most %d (48 KiB) are allowed", ev.Key, b.Len(), valueLimit)
	default:
		return f.out.SetValue(ev.Key, b.Bytes())
	}
	return nil
}

// fail keeps the first reason why the attempt fails although its code did not.
func (f *follower) fail(format string, args ...any) {
	if f.bad == "" {
		f.bad = fmt.Sprintf(format, args...)
	}
}

// copyLog shows what the attempt has written, where somebody looks.
func (f *follower) copyLog() (int64, error) {
	if f.log == nil {
		return 0, nil
	}
	if f.logFile == nil {
		file, err := os.Open(filepath.Join(f.a.Dir, "output.log"))
		if errors.Is(err, os.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("show log: %w", err)
		}
		f.logFile = file
	}
	n, err := io.Copy(f.log, f.logFile)
	if err != nil {
		return n, fmt.Errorf("show log: %w", err)
	}
	return n, nil
}

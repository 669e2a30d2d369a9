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
	"strings"
	"time"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// valueLimit is how large a task value may be, in bytes of JSON.
//
// Source: the Databricks page on task values: 48 KiB.
const valueLimit = 48 * 1024

// launch is what prepare makes of an attempt: what to start, and where.
type launch struct {
	workdir string
	argv    []string
	env     []string
}

// supervise runs an attempt to its end: it starts the process or attaches to
// one that lives, passes on what it says, stops it when ctx ends, and reads
// how it ended. prepare is called only if the process must be started.
func (o *Options) supervise(ctx context.Context, a tasks.Attempt, out tasks.Sink, prepare func() (launch, error)) (tasks.Result, error) {
	p, ended, err := o.find(a)
	if err != nil {
		return tasks.Result{}, err
	}
	f := &follower{a: a, out: out, events: python.OpenEvents(a.Dir)}
	defer f.events.Close() //nolint:errcheck // only read
	if ended {
		return f.end(ctx, nil)
	}
	if p == nil {
		if ctx.Err() != nil {
			return tasks.Result{Outcome: tasks.Canceled}, nil
		}
		l, err := prepare()
		if err != nil {
			return tasks.Result{}, err
		}
		if ctx.Err() != nil {
			return tasks.Result{Outcome: tasks.Canceled}, nil
		}
		if p, err = spawn(a.Dir, l.workdir, l.argv, l.env); err != nil {
			return tasks.Result{}, err
		}
	}
	if err := f.follow(ctx, p, o.grace()); err != nil {
		return tasks.Result{}, err
	}
	return f.end(ctx, p)
}

// find looks for what an earlier engine left of the attempt: a process that
// lives, or an end. Neither: it has to be started, unless it had begun and is
// gone, which is an error.
func (o *Options) find(a tasks.Attempt) (p *process, ended bool, err error) {
	if !a.Resumed {
		if err := os.MkdirAll(a.Dir, 0o700); err != nil {
			return nil, false, fmt.Errorf("make attempt directory: %w", err)
		}
		return nil, false, nil
	}
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("make attempt directory: %w", err)
	}
	// Alive first: a process that ends between the two looks has a result by then.
	if alive(a.Dir) {
		pid, _ := begunBy(a.Dir)
		return attach(a.Dir, pid), false, nil
	}
	if _, ok, err := python.ReadResult(a.Dir); ok || err != nil {
		return nil, ok, err
	}
	if pid, begun := begunBy(a.Dir); begun {
		return nil, false, fmt.Errorf("the task's process (pid %d) vanished: it left no result and is gone, as after a reboot or a kill", pid)
	}
	return nil, false, nil
}

// begunBy reads who began the attempt, if anybody did.
func begunBy(dir string) (pid int, ok bool) {
	ev := python.OpenEvents(dir)
	defer ev.Close() //nolint:errcheck // only read
	list, err := ev.Next()
	if err != nil {
		return 0, false
	}
	for _, e := range list {
		if e.Kind == "started" {
			return e.PID, true
		}
	}
	return 0, false
}

// follower passes on what an attempt says while it runs.
type follower struct {
	a       tasks.Attempt
	out     tasks.Sink
	events  *python.Events
	log     io.Writer
	logFile *os.File
	bad     string // why the attempt fails although its code did not
}

// follow returns when the process is gone. The error is ErrDetach when it
// shall go on without us.
func (f *follower) follow(ctx context.Context, p *process, grace time.Duration) error {
	if f.log = f.out.Log(); f.log != nil {
		defer f.closeLog()
	}
	const first, last = 25 * time.Millisecond, 200 * time.Millisecond
	delay := first
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-p.ended:
			return nil
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), tasks.ErrDetach) {
				return tasks.ErrDetach
			}
			p.stop(grace)
			return nil
		case <-timer.C:
			heard, err := f.listen()
			if err != nil {
				return err
			}
			if delay = min(2*delay, last); heard {
				delay = first
			}
			timer.Reset(delay)
		}
	}
}

// listen passes on what has come since the last time.
func (f *follower) listen() (heard bool, err error) {
	events, err := f.events.Next()
	if err != nil {
		return false, err
	}
	for _, ev := range events {
		if err := f.event(ev); err != nil {
			return true, err
		}
	}
	n, err := f.copyLog()
	return len(events) > 0 || n > 0, err
}

func (f *follower) event(ev python.Event) error {
	switch ev.Kind {
	case "started":
		f.out.Started()
	case "value":
		return f.value(ev)
	case "fact":
		return f.out.Report(tasks.Fact{Kind: ev.Fact, Data: ev.Data})
	case "warning":
		raw, err := json.Marshal(ev.Text)
		if err != nil {
			return fmt.Errorf("pass on warning: %w", err)
		}
		return f.out.Report(tasks.Fact{Kind: "warning", Data: raw})
	}
	return nil
}

func (f *follower) value(ev python.Event) error {
	var b bytes.Buffer
	switch {
	case ev.Key == "":
		f.bad = "a task value without a key was set"
	case json.Compact(&b, ev.Value) != nil:
		f.bad = fmt.Sprintf("task value %q is not JSON", ev.Key)
	case b.Len() > valueLimit:
		f.bad = fmt.Sprintf("task value %q is %d bytes as JSON; at most %d (48 KiB) are allowed", ev.Key, b.Len(), valueLimit)
	default:
		return f.out.SetValue(ev.Key, b.Bytes())
	}
	return nil
}

// copyLog shows what the attempt has written, where somebody looks.
func (f *follower) copyLog() (int64, error) {
	if f.log == nil {
		return 0, nil
	}
	if f.logFile == nil {
		file, err := os.Open(filepath.Join(f.a.Dir, "output.log"))
		if err != nil {
			return 0, nil // not there yet
		}
		f.logFile = file
	}
	n, err := io.Copy(f.log, f.logFile)
	if err != nil {
		return n, fmt.Errorf("show log: %w", err)
	}
	return n, nil
}

func (f *follower) closeLog() {
	if f.logFile != nil {
		_ = f.logFile.Close() // only read
	}
}

// end reads how an attempt ended whose process is gone.
func (f *follower) end(ctx context.Context, p *process) (tasks.Result, error) {
	if _, err := f.listen(); err != nil {
		return tasks.Result{}, err
	}
	r, ok, err := python.ReadResult(f.a.Dir)
	if err != nil {
		return tasks.Result{}, err
	}
	res := tasks.Result{Outcome: tasks.Outcome(r.Outcome), Code: r.Code, Message: r.Message, Trace: r.Trace, Output: r.Output}
	switch {
	case ctx.Err() != nil && res.Outcome != tasks.Success:
		return tasks.Result{Outcome: tasks.Canceled, Message: res.Message, Trace: res.Trace}, nil
	case !ok && p != nil && p.state != nil && p.state.Success():
		res.Outcome = tasks.Success // os._exit(0)
	case !ok && p != nil && p.state == nil:
		return tasks.Result{}, fmt.Errorf("the task's process (pid %d) %s", p.pid, p.fate())
	case !ok:
		return tasks.Result{Outcome: tasks.Failed, Message: "The task's process " + p.fate(), Trace: lastLines(f.a.Dir, 50)}, nil
	}
	if f.bad != "" {
		return tasks.Result{Outcome: tasks.Failed, Message: f.bad}, nil
	}
	return res, nil
}

// lastLines is the end of an attempt's log.
func lastLines(dir string, n int) string {
	const most = 16 << 10
	f, err := os.Open(filepath.Join(dir, "output.log"))
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // only read
	if st, err := f.Stat(); err == nil && st.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

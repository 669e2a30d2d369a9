package local

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// end hears the last of an attempt whose process is gone, and reads how it ended.
func (o *Options) end(ctx context.Context, f *follower) (tasks.Result, error) {
	_, err := f.listen()
	if err == nil {
		err = o.conclude(f)
	}
	if err != nil {
		if detached(ctx) {
			err = tasks.ErrDetach
		}
		return tasks.Result{}, err
	}
	return f.result()
}

// result reads how an attempt ended.
func (f *follower) result() (tasks.Result, error) {
	r, ok, err := python.ReadResult(f.a.Dir)
	if err != nil {
		return tasks.Result{}, err
	}
	res := tasks.Result{Outcome: tasks.Outcome(r.Outcome), Code: r.Code, Message: r.Message, Trace: r.Trace, Output: r.Output}
	if f.p.ended == nil { // another engine may have told it to end
		_, err := os.Stat(filepath.Join(f.a.Dir, stoppedFile))
		f.stopped = f.stopped || err == nil
	}
	switch {
	case f.stopped:
		return tasks.Result{Outcome: tasks.Canceled, Message: res.Message, Trace: res.Trace}, nil
	case !ok:
		return f.withoutResult()
	case res.Outcome == tasks.Canceled:
		return tasks.Result{Outcome: tasks.Failed, Message: "KeyboardInterrupt: the task was interrupted, but not by flowctl", Trace: res.Trace}, nil
	case res.Outcome == tasks.Success && f.bad != "":
		return tasks.Result{Outcome: tasks.Failed, Message: f.bad}, nil
	}
	return res, nil
}

// withoutResult is the end of a process that left no result: what its exit
// status says, if anybody saw it.
func (f *follower) withoutResult() (tasks.Result, error) {
	switch state := f.p.state; {
	case state == nil:
		return tasks.Result{}, fmt.Errorf("the task's process (pid %d) %s", f.p.id.pid, f.p.fate())
	case !state.Success():
		return tasks.Result{Outcome: tasks.Failed, Message: "The task's process " + f.p.fate(), Trace: lastLines(f.a.Dir, 50)}, nil
	case f.bad != "":
		return tasks.Result{Outcome: tasks.Failed, Message: f.bad}, nil
	}
	return tasks.Result{Outcome: tasks.Success}, nil // os._exit(0)
}

// lastLines is the end of an attempt's log: at most n lines and 16 KiB.
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

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks"
)

// followRun has a run that a workspace carries followed. The hold on it is
// kept like that of an attempt, under the run's own id, so that it is stopped
// and let go of in the same way.
func (e *Engine) followRun(r *jobrun.Run) {
	if e.work[r.ID] != nil {
		return
	}
	a := &attempt{id: r.ID, run: r.ID, begun: true}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	e.work[a.id] = a
	w := tasks.WholeRun{Job: r.Job, Parameters: r.Overridden, Only: r.Only, Token: r.Token, Handle: r.Handle}
	var f tasks.Follower
	err := errors.New("no workspace is known here")
	if e.opt.Follower != nil {
		f, err = e.opt.Follower(r)
	}
	e.hands.Add(1)
	go func() {
		defer e.hands.Done()
		if err == nil {
			err = f.Follow(a.ctx, w, func(s tasks.Seen) error { return e.see(r.ID, s) })
		}
		if errors.Is(err, tasks.ErrDetach) {
			return
		}
		if err != nil {
			end := tasks.Seen{Status: tasks.SeenStatus{State: "TERMINATED", Result: "FAILED", Code: "INTERNAL_ERROR", Message: oneLine(err.Error())}}
			if serr := e.see(r.ID, end); serr != nil {
				e.log.Error("end a run that cannot be followed", "run", r.ID, "error", serr)
			}
		}
		e.send(report{run: a.run, a: a, end: true})
	}()
}

// see writes down what was seen of a run, and returns when it is on disk.
func (e *Engine) see(run int64, s tasks.Seen) error {
	ev := jobrun.Observed{At: e.now(), Handle: s.Handle, Page: s.Page, Run: statusOf(s.Status)}
	for _, t := range s.Tasks {
		ev.Tasks = append(ev.Tasks, observed(t))
		if err := e.keepLog(run, t); err != nil {
			return err
		}
	}
	return e.call(context.Background(), func(*store.Tx) error {
		r := e.live[run]
		if r == nil {
			return noRun(run)
		}
		if err := e.apply(r, ev); err != nil {
			return err
		}
		for _, t := range s.Tasks {
			id := attemptSeen(r, t)
			if id == 0 || t.Error == "" && t.Trace == "" && len(t.Output) == 0 {
				continue
			}
			if e.batch.outputs == nil {
				e.batch.outputs = map[int64]store.Output{}
			}
			e.batch.outputs[id] = store.Output{Error: t.Error, Trace: t.Trace, Value: t.Output}
		}
		return nil
	})
}

func observed(t tasks.SeenTask) jobrun.ObservedTask {
	o := jobrun.ObservedTask{
		Key: t.Key, Item: t.Item, Total: t.Total, Number: t.Number, Handle: t.Handle, Status: statusOf(t.Status), Started: t.Started, Ended: t.Ended,
		Error: oneLine(t.Error),
	}
	if c := t.Condition; c != nil {
		o.Outcome, o.Operands = c.Outcome, &jobrun.Operands{Left: c.Left, Right: c.Right}
	}
	return o
}

// attemptSeen is the id here of an attempt that was seen there; 0: the run has
// none such.
func attemptSeen(r *jobrun.Run, t tasks.SeenTask) int64 {
	row := r.Task(t.Key)
	if row != nil && t.Item > 0 {
		if t.Item > len(row.Items) {
			return 0
		}
		row = row.Items[t.Item-1]
	}
	if row == nil {
		return 0
	}
	for i := range row.Attempts {
		if row.Attempts[i].Number == t.Number {
			return row.Attempts[i].RunID
		}
	}
	return 0
}

func (e *Engine) keepLog(run int64, t tasks.SeenTask) error {
	if t.Log == "" {
		return nil
	}
	dir := e.store.AttemptDir(run, t.Key, t.Item-1, t.Number)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the log of %s: %w", t.Key, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "output.log"), []byte(t.Log), 0o600); err != nil {
		return fmt.Errorf("keep the log of %s: %w", t.Key, err)
	}
	return nil
}

func statusOf(s tasks.SeenStatus) jobrun.Status {
	return jobrun.Status{State: jobrun.State(s.State), Result: jobrun.Result(s.Result), Code: jobrun.Code(s.Code), Message: s.Message}
}

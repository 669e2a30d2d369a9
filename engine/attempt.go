package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks"
)

// attempt is the engine's hold on an attempt that a runner has, or will have
// as soon as a slot is free.
type attempt struct {
	id, run int64
	what    tasks.Attempt
	place   Placement
	slot    bool // it holds one
	ctx     context.Context
	cancel  context.CancelCauseFunc
	begun   bool
}

// detach lets go of the attempt without stopping it.
func (a *attempt) detach() { a.cancel(tasks.ErrDetach) }

// place gives an attempt to its runner, now or when a slot is free.
func (e *Engine) place(r *jobrun.Run, c jobrun.StartAttempt) {
	if e.work[c.RunID] != nil {
		return // handed out already
	}
	a := &attempt{id: c.RunID, run: r.ID}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	e.work[a.id] = a
	place, err := e.opt.Runner(r, c)
	if err != nil {
		e.takeReport(e.endReport(a, tasks.Result{}, err))
		return
	}
	a.place = place
	a.what = e.describe(r, c)
	if place.Elsewhere {
		e.begin(a)
		return
	}
	e.slots.want(a)
	e.fill()
}

// fill starts waiting attempts as far as slots are free.
func (e *Engine) fill() {
	for a := e.slots.next(); a != nil; a = e.slots.next() {
		a.slot = true
		e.begin(a)
	}
}

func (e *Engine) begin(a *attempt) {
	a.begun = true
	e.hands.Add(1)
	go e.perform(a)
}

// describe is the attempt as its runner sees it.
func (e *Engine) describe(r *jobrun.Run, c jobrun.StartAttempt) tasks.Attempt {
	var code tasks.Code
	if len(r.Code) > 0 {
		if err := json.Unmarshal(r.Code, &code); err != nil {
			e.log.Error("read where the run's code is", "run", r.ID, "error", err)
		}
	}
	return tasks.Attempt{
		RunID: c.RunID, JobRunID: r.ID, JobID: r.JobID, JobName: r.Name,
		Key: c.Key, Number: c.Number, Repair: c.Repair,
		StartTime: r.Created.UnixMilli(), Trigger: string(r.Trigger.Type),
		Task: c.Task, Parameters: c.Params, Job: r.Job, Code: code, User: r.RunAs, Namespace: r.Namespace,
		Dir:       e.store.AttemptDir(r.ID, c.TaskKey, c.Item, c.Number),
		ValuesDir: e.store.ValuesDir(r.ID),
		Home:      e.store.Home(),
		Resumed:   c.Resumed, Handle: c.Handle,
	}
}

// perform runs one attempt. All it may do to the run is to send reports.
func (e *Engine) perform(a *attempt) {
	defer e.hands.Done()
	res, err := runAttempt(a, &sink{e: e, a: a})
	if errors.Is(err, tasks.ErrDetach) {
		return
	}
	e.send(e.endReport(a, res, err))
}

// runAttempt calls the runner; a runner that panics has failed, and nothing else has.
func runAttempt(a *attempt, out tasks.Sink) (res tasks.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the runner of %s failed: %v", a.what.Task.Type, p)
		}
	}()
	return a.place.Runner.Run(a.ctx, a.what, out)
}

// stopAttempt stops an attempt; one that still waits for a slot ends at once.
func (e *Engine) stopAttempt(run int64, c jobrun.StopAttempt) {
	a := e.work[c.RunID]
	if a == nil {
		e.takeReport(report{run: run, ev: jobrun.AttemptFinished{At: e.now(), RunID: c.RunID, Result: jobrun.Canceled}})
		return
	}
	if !a.begun {
		e.slots.forget(a)
		e.takeReport(e.endReport(a, tasks.Result{Outcome: tasks.Canceled}, nil))
		return
	}
	cause := tasks.ErrCanceled
	if c.Cause == jobrun.ByTimeout || c.Cause == jobrun.ByJobTimeout {
		cause = tasks.ErrTimedOut
	}
	a.cancel(cause)
}

// report is what a goroutine that has an attempt tells the loop.
type report struct {
	run    int64
	ev     jobrun.Event
	a      *attempt
	end    bool // the runner has returned: the attempt's slot is free
	output *store.Output
	fact   json.RawMessage // of the attempt; without one, of the run
}

func (e *Engine) takeReport(m report) {
	if m.end {
		m.a.cancel(nil)
		delete(e.work, m.a.id)
		if m.a.slot {
			e.slots.free++
			m.a.slot = false
		}
		defer e.fill()
	}
	if m.a == nil {
		e.batch.facts = append(e.batch.facts, fact{of: m.run, data: m.fact, maybe: true})
		e.batch.linger(e.now().Add(factDelay))
		return
	}
	r := e.live[m.run]
	if r == nil {
		return
	}
	if m.output != nil {
		if e.batch.outputs == nil {
			e.batch.outputs = map[int64]store.Output{}
		}
		e.batch.outputs[m.a.id] = *m.output
	}
	if m.fact != nil {
		e.batch.facts = append(e.batch.facts, fact{of: m.a.id, data: m.fact, maybe: m.a.what.Resumed})
		e.batch.linger(e.now().Add(factDelay))
	}
	if m.ev == nil {
		return
	}
	if err := e.apply(r, m.ev); err != nil {
		e.log.Error("report refused", "run", m.run, "error", err)
	}
}

// endReport turns what a runner returned into the end of its attempt.
func (e *Engine) endReport(a *attempt, res tasks.Result, err error) report {
	ev := jobrun.AttemptFinished{At: e.now(), RunID: a.id, Code: jobrun.Code(res.Code), Error: res.Message}
	var invalid *tasks.Invalid
	switch {
	case errors.As(err, &invalid):
		ev.Result, ev.Code, ev.Error = jobrun.Failed, jobrun.Code(invalid.Code), invalid.Message
	case err != nil:
		ev.Result, ev.Code, ev.Error = jobrun.Failed, jobrun.CodeInternalError, oneLine(err.Error())
	case res.Outcome == tasks.Success:
		ev.Result = jobrun.Success
	case res.Outcome == tasks.Canceled:
		ev.Result = jobrun.Canceled
	default:
		ev.Result = jobrun.Failed
	}
	m := report{run: a.run, ev: ev, a: a, end: true}
	if ev.Error != "" || res.Trace != "" || len(res.Output) > 0 {
		m.output = &store.Output{Error: ev.Error, Trace: res.Trace, Value: res.Output}
	}
	return m
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// sink is an attempt's way to speak: every word becomes a report.
type sink struct {
	e *Engine
	a *attempt
}

func (s *sink) Started() {
	s.e.send(report{run: s.a.run, a: s.a, ev: jobrun.AttemptStarted{At: s.e.now(), RunID: s.a.id}})
}

// Log answers with nothing to write to: whoever wants to see the output reads
// the attempt's log file.
func (s *sink) Log() io.Writer { return nil }

func (s *sink) SetValue(key string, v json.RawMessage) error {
	if !s.e.send(report{run: s.a.run, a: s.a, ev: jobrun.ValueSet{At: s.e.now(), RunID: s.a.id, Key: key, Value: v}}) {
		return errStopped
	}
	return nil
}

func (s *sink) SetHandle(h string) error {
	return s.e.call(context.Background(), func(*store.Tx) error {
		r := s.e.live[s.a.run]
		if r == nil {
			return noRun(s.a.run)
		}
		return s.e.apply(r, jobrun.HandleSet{At: s.e.now(), RunID: s.a.id, Handle: h})
	})
}

func (s *sink) Report(f tasks.Fact) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("report %s: %w", f.Kind, err)
	}
	m := report{run: s.a.run, a: s.a, fact: raw}
	if f.Kind == "git_snapshot" {
		var g struct{ Commit string }
		if json.Unmarshal(f.Data, &g) == nil && g.Commit != "" {
			m.ev = jobrun.GitResolved{At: s.e.now(), Commit: g.Commit}
		}
	}
	if !s.e.send(m) {
		return errStopped
	}
	return nil
}

func (s *sink) Note(text string) {
	raw, err := json.Marshal(text)
	if err == nil {
		s.e.send(report{run: s.a.run, a: s.a, ev: nil, fact: json.RawMessage(`{"kind":"note","data":` + string(raw) + `}`)})
	}
}

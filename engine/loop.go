package engine

import (
	"errors"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// call is a façade's request: it reads and writes within the next commit.
type call struct {
	fn    func(tx *store.Tx) error
	reply chan error
	asked time.Time
}

// maxBatch bounds what one commit takes from the inbox, so that answers do
// not wait for a flood to end.
const maxBatch = 4096

// loop is the only writer of runs. It waits for something to happen, takes
// everything that has happened, makes it part of the state, commits once, and
// acts.
func (e *Engine) loop() {
	defer close(e.done)
	defer e.letGo()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(e.untilWake())
		select {
		case m := <-e.inbox:
			e.take(m)
			e.drain()
		case <-timer.C:
		case <-e.stop:
			e.drain()
			if err := e.commit(); err != nil {
				e.err = err
			}
			return
		}
		e.tick()
		for e.batch.due(e.now()) { // what follows from a commit may want another
			if err := e.commit(); err != nil {
				e.err = err
				e.log.Error("the engine stops: the store cannot be written", "error", err)
				return
			}
		}
	}
}

// drain takes what has arrived meanwhile, without waiting.
func (e *Engine) drain() {
	for range maxBatch {
		select {
		case m := <-e.inbox:
			e.take(m)
		default:
			return
		}
	}
}

// take makes one message part of the batch.
func (e *Engine) take(m any) {
	switch m := m.(type) {
	case *call:
		if e.opt.Meter.Waited != nil && !m.asked.IsZero() {
			e.opt.Meter.Waited(time.Since(m.asked))
		}
		e.batch.calls = append(e.batch.calls, m)
	case report:
		e.takeReport(m)
	case chan<- Load:
		m <- e.load()
	}
}

// apply gives an event to a run and collects what it changed and what follows.
// A stale report is dropped; any other refusal is the caller's.
func (e *Engine) apply(r *jobrun.Run, ev jobrun.Event) error {
	firstID := e.nextID
	cmds, err := r.Apply(ev)
	if errors.Is(err, jobrun.ErrStale) {
		e.log.Debug("late report dropped", "run", r.ID, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	header, changed := r.Dirty()
	if !header && len(changed) == 0 && len(cmds) == 0 {
		return nil
	}
	entry, err := jobrun.NewEntry(r, ev, firstID, header, changed)
	if err != nil {
		return err
	}
	e.seq++
	entry.Seq = e.seq
	e.batch.add(r, header, changed, entry, e.now())
	e.wakes.set(r.ID, r.NextWake())
	for _, c := range cmds {
		e.follow(r, c)
	}
	return nil
}

// tick lets the timers that are due act.
func (e *Engine) tick() {
	now := e.now()
	for {
		id, ok := e.wakes.due(now)
		if !ok {
			return
		}
		r := e.live[id]
		if r == nil {
			continue
		}
		if err := e.apply(r, jobrun.Tick{At: now}); err != nil {
			e.log.Error("tick", "run", id, "error", err)
		}
		e.wakes.set(id, r.NextWake())
	}
}

// untilWake is how long the loop may sleep.
func (e *Engine) untilWake() time.Duration {
	now := e.now()
	d := time.Hour // bounds the damage of a clock that is set
	if at := e.wakes.next(); !at.IsZero() {
		d = min(d, at.Sub(now))
	}
	if !e.batch.flushAt.IsZero() {
		d = min(d, e.batch.flushAt.Sub(now))
	}
	return max(d, 0)
}

// letGo ends the loop's hold on the attempts: they go on without this engine.
func (e *Engine) letGo() {
	for _, a := range e.work {
		a.detach()
	}
	e.watchers.wake()
}

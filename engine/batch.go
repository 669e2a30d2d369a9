package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// batch is what has happened since the last commit: records to write, calls
// to carry out within the commit, and what to do once it is on disk.
type batch struct {
	runs    map[*jobrun.Run]*changed
	order   []*jobrun.Run
	entries []jobrun.Entry
	outputs map[int64]store.Output
	facts   []fact
	notices []jobrun.Notify
	calls   []*call
	after   []func() // in order; run when the commit is on disk
	ids     bool     // ids were handed out
	urgent  bool     // something in the world waits for the commit
	flushAt time.Time
}

type changed struct {
	header bool
	tasks  map[*jobrun.TaskRun]struct{}
	list   []*jobrun.TaskRun
}

// fact is what is told of an attempt or, under its id, of a run.
type fact struct {
	of    int64
	data  json.RawMessage
	maybe bool // it may have been told before: an engine was killed since
}

func (b *batch) add(r *jobrun.Run, header bool, tasks []*jobrun.TaskRun, entry jobrun.Entry, now time.Time) {
	c := b.runs[r]
	if c == nil {
		c = &changed{tasks: map[*jobrun.TaskRun]struct{}{}}
		if b.runs == nil {
			b.runs = map[*jobrun.Run]*changed{}
		}
		b.runs[r] = c
		b.order = append(b.order, r)
	}
	c.header = c.header || header
	for _, t := range tasks {
		if _, ok := c.tasks[t]; !ok {
			c.tasks[t] = struct{}{}
			c.list = append(c.list, t)
		}
	}
	b.entries = append(b.entries, entry)
	b.linger(now.Add(flushDelay))
}

// linger sets the time by which the batch is written even if nothing waits for it.
func (b *batch) linger(by time.Time) {
	if b.flushAt.IsZero() || by.Before(b.flushAt) {
		b.flushAt = by
	}
}

// due tells whether the batch must be written now.
func (b *batch) due(now time.Time) bool {
	return b.urgent || len(b.calls) > 0 || !b.flushAt.IsZero() && !b.flushAt.After(now)
}

func (b *batch) empty() bool {
	return len(b.order)+len(b.entries)+len(b.outputs)+len(b.facts)+len(b.calls)+len(b.after) == 0 && !b.ids
}

// commit writes the batch in one transaction, then does what waited for it.
// An error means that memory is ahead of the disk: the engine must stop.
func (e *Engine) commit() error {
	if e.batch.empty() {
		return nil
	}
	e.tell("before commit")
	began := time.Now()
	var answers []error
	err := e.store.Update(func(tx *store.Tx) error {
		calls := e.batch.calls
		e.batch.calls = nil
		for _, c := range calls {
			answers = append(answers, c.fn(tx))
		}
		e.batch.calls = calls
		return e.write(tx)
	})
	done := e.batch
	e.batch = batch{}
	for i, c := range done.calls {
		switch {
		case err != nil:
			c.reply <- fmt.Errorf("write the store: %w", err)
		default:
			c.reply <- answers[i]
		}
	}
	if err != nil {
		return err
	}
	if e.opt.Meter.Commit != nil {
		e.opt.Meter.Commit(time.Since(began))
	}
	e.tell("after commit")
	if len(done.notices) > 0 {
		e.opt.Outbox.Wake()
	}
	for _, f := range done.after {
		f()
	}
	if len(done.entries) > 0 {
		e.watchers.wake()
	}
	return nil
}

func (e *Engine) tell(point string) {
	if e.probe != nil {
		e.probe(point)
	}
}

// write puts the batch's records into a transaction.
func (e *Engine) write(tx *store.Tx) error {
	b := &e.batch
	for _, r := range b.order {
		c := b.runs[r]
		if err := tx.SaveRun(r, c.header, c.list); err != nil {
			return err
		}
	}
	for _, entry := range b.entries {
		if err := tx.AppendEntry(entry); err != nil {
			return err
		}
	}
	for id, o := range b.outputs {
		if err := tx.SetOutput(id, o); err != nil {
			return err
		}
	}
	for _, f := range b.facts {
		if f.maybe && slices.ContainsFunc(tx.Facts(f.of), func(old json.RawMessage) bool { return bytes.Equal(old, f.data) }) {
			continue
		}
		if err := tx.AddFact(f.of, f.data); err != nil {
			return err
		}
	}
	if len(b.notices) > 0 {
		if err := e.opt.Outbox.Put(tx, b.notices); err != nil {
			return fmt.Errorf("write notices: %w", err)
		}
	}
	if b.ids {
		return tx.SetNextID(e.nextID)
	}
	return nil
}

package engine

import (
	"maps"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// follow notes what a command asks of the world. It is done when the commit
// that says why is on disk.
func (e *Engine) follow(r *jobrun.Run, c jobrun.Command) {
	b := &e.batch
	switch c := c.(type) {
	case jobrun.StartAttempt:
		b.urgent = true
		b.after = append(b.after, func() { e.place(r, c) })
	case jobrun.StopAttempt:
		b.urgent = true
		b.after = append(b.after, func() { e.stopAttempt(r.ID, c) })
	case jobrun.FollowRun:
		b.urgent = true
		b.after = append(b.after, func() { e.followRun(r) })
	case jobrun.StartRun:
		b.urgent = true
		b.after = append(b.after, func() {
			e.batch.calls = append(e.batch.calls, internal(func(tx *store.Tx) error { return e.startChild(tx, r, c) }))
		})
	case jobrun.StopRun:
		b.urgent = true
		b.after = append(b.after, func() { e.stopChild(c.Child) })
	case jobrun.Publish:
		e.publish(r, c.TaskKey)
	case jobrun.Notify:
		if e.opt.Outbox != nil {
			b.notices = append(b.notices, c)
		}
	case jobrun.Ended:
		b.urgent = true
		b.after = append(b.after, func() { e.runEnded(r) })
	}
}

// internal is a call of the loop's own: nobody reads the reply.
func internal(fn func(tx *store.Tx) error) *call {
	return &call{fn: fn, reply: make(chan error, 1)}
}

// publish writes a task's values where other tasks of the run find them. A
// task that waits for them starts later in the same order of things.
func (e *Engine) publish(r *jobrun.Run, key string) {
	values := maps.Clone(r.Task(key).Values)
	e.batch.after = append(e.batch.after, func() {
		if err := e.store.PublishValues(r.ID, key, values); err != nil {
			e.log.Error("publish task values", "run", r.ID, "task", key, "error", err)
		}
	})
}

// runEnded lets go of a run and tells those who waited for it.
func (e *Engine) runEnded(r *jobrun.Run) {
	if !r.Status.Ended() {
		return // repaired within the same batch
	}
	delete(e.live, r.ID)
	e.wakes.set(r.ID, r.NextWake())
	e.childEnded(r)
	e.leave(r)
	e.jobWatches.tell(JobNews{ID: r.JobID, Ended: true})
	if e.opt.RunEnded != nil {
		e.opt.RunEnded(r.ID)
	}
}

package engine

import (
	"context"
	"time"

	"flowctl/engine/jobrun"
)

// Meter measures the engine. Its functions are called by the loop and must not
// block; one that is nil is not called.
type Meter struct {
	Commit func(time.Duration) // how long a commit took
	Waited func(time.Duration) // how long a call waited for the loop
}

// Load is what an engine has under way.
type Load struct {
	Active  int // runs that are neither ended nor queued
	Queued  int // runs that wait for others of their job
	Running int // attempts that runners have
	Waiting int // attempts that wait for a slot
}

// Load asks the loop what is under way. It writes nothing.
func (e *Engine) Load(ctx context.Context) (Load, error) {
	reply := make(chan Load, 1)
	select {
	case e.inbox <- (chan<- Load)(reply):
	case <-e.done:
		return Load{}, errStopped
	case <-ctx.Done():
		return Load{}, context.Cause(ctx)
	}
	select {
	case l := <-reply:
		return l, nil
	case <-e.done:
		return Load{}, errStopped
	}
}

func (e *Engine) load() Load {
	var l Load
	for _, r := range e.live {
		switch {
		case r.Status.Ended():
		case r.Status.State == jobrun.Queued:
			l.Queued++
		default:
			l.Active++
		}
	}
	for _, a := range e.work {
		if a.begun {
			l.Running++
		} else {
			l.Waiting++
		}
	}
	return l
}

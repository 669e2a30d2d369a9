package trigger

import (
	"container/heap"
	"context"
	"fmt"
	"time"

	"flowctl/engine"
	"flowctl/jobspec"
)

// kind decides when a trigger of one kind fires. Its methods are called by
// one goroutine at a time.
type kind interface {
	// decide says what to do now.
	decide(now time.Time) decision
	// took tells what became of the step of the last decision.
	took(r engine.Stepped)
}

// decision is what a trigger wants.
type decision struct {
	step *engine.Step // nil: nothing to do
	look func()       // nil; else what must be found out first, which may be slow; then decide is called again
	next time.Time    // when to decide again; zero: when there is news of the job
}

// armed is a trigger that may fire.
type armed struct {
	job     int64
	key     string
	path    string // its place in the settings
	since   time.Time
	kind    kind
	idle    bool // waits for a run of the job to end
	looking bool // a look is under way or waits for its turn
	gone    bool // the job has changed meanwhile

	at  time.Time // when it decides next
	pos int       // in the heap; -1: not there
}

// book is all that is armed: by job, and by time.
type book struct {
	jobs map[int64][]*armed
	heap armedHeap

	lookers int // how many look at files
}

// set moves the time at which a trigger decides next; zero: none.
func (b *book) set(a *armed, at time.Time) {
	switch {
	case a.gone || at.IsZero():
		if a.pos >= 0 {
			heap.Remove(&b.heap, a.pos)
		}
	case a.pos < 0:
		a.at = at
		heap.Push(&b.heap, a)
	default:
		a.at = at
		heap.Fix(&b.heap, a.pos)
	}
}

// next is the earliest time at which a trigger decides; zero if there is none.
func (b *book) next() time.Time {
	if len(b.heap) == 0 {
		return time.Time{}
	}
	return b.heap[0].at
}

// due takes out a trigger whose time has come.
func (b *book) due(now time.Time) *armed {
	if len(b.heap) == 0 || b.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(&b.heap).(*armed)
}

// drop forgets a trigger.
func (b *book) drop(a *armed) {
	a.gone = true
	if _, ok := a.kind.(looker); ok {
		b.lookers--
	}
	b.set(a, time.Time{})
}

// arm brings the triggers of a job in step with what is on record. One that
// has not changed stays as it is.
func (s *Service) arm(ctx context.Context, t engine.JobTriggers) error {
	old := map[string]*armed{}
	for _, a := range s.book.jobs[t.JobID] {
		old[a.key] = a
	}
	var list []*armed
	add := func(key, path string, since time.Time, make func() (kind, error)) error {
		if a := old[key]; a != nil && a.since.Equal(since) {
			delete(old, key)
			a.path = path
			list = append(list, a)
			return nil
		}
		k, err := make()
		if err != nil || k == nil {
			return err
		}
		a := &armed{job: t.JobID, key: key, path: path, since: since, kind: k, pos: -1}
		list = append(list, a)
		if _, ok := k.(looker); ok {
			s.book.lookers++
		}
		s.book.set(a, s.opt.Now())
		return nil
	}
	for _, tr := range t.Triggers {
		if tr.Paused || s.opt.BackfillsOnly {
			continue
		}
		if why := tr.CannotFire(); why != "" {
			s.opt.Log.Warn("a trigger cannot fire here", "job", t.JobID, "name", t.Name, "why", why)
			continue
		}
		err := add(tr.Key, tr.Path, tr.Since, func() (kind, error) { return s.newKind(ctx, t.JobID, tr) })
		if err != nil { // this one alone: the others must not suffer
			s.opt.Log.Error("a trigger cannot fire", "job", t.JobID, "name", t.Name, "error", err)
		}
	}
	if t.Backfill {
		bs, err := s.engine.Backfills(ctx, t.JobID)
		if err != nil {
			return err
		}
		for _, b := range bs {
			if b.Done {
				continue
			}
			err := add(b.Key, "backfill", b.Since, func() (kind, error) { return newReplay(ctx, s.engine, b) })
			if err != nil {
				return err
			}
		}
	}
	for _, a := range old {
		s.book.drop(a)
	}
	if len(list) == 0 {
		delete(s.book.jobs, t.JobID)
	} else {
		s.book.jobs[t.JobID] = list
	}
	return nil
}

func (s *Service) newKind(ctx context.Context, job int64, tr engine.TriggerState) (kind, error) {
	switch tr.Kind {
	case jobspec.WhenSchedule, jobspec.WhenPeriodic:
		return s.newClock(tr)
	case jobspec.WhenContinuous:
		return s.newContinuous(ctx, job, tr)
	case jobspec.WhenFileArrival:
		return s.newArrival(ctx, job, tr)
	case jobspec.WhenTableUpdate:
		return s.newTables(job, tr)
	}
	return nil, fmt.Errorf("%s: no such trigger", tr.Path)
}

type armedHeap []*armed

func (h armedHeap) Len() int           { return len(h) }
func (h armedHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h armedHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}
func (h *armedHeap) Push(x any) {
	a := x.(*armed)
	a.pos = len(*h)
	*h = append(*h, a)
}
func (h *armedHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	last.pos = -1
	return last
}

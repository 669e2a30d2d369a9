package engine

import (
	"container/heap"
	"time"
)

// wakes is when each live run next wants a Tick: a heap with one entry a run.
type wakes struct {
	heap  wakeHeap
	byRun map[int64]*wake
}

type wake struct {
	run int64
	at  time.Time
	pos int
}

// set moves a run's wake; the zero time removes it.
func (w *wakes) set(run int64, at time.Time) {
	k := w.byRun[run]
	switch {
	case k == nil && at.IsZero():
	case k == nil:
		if w.byRun == nil {
			w.byRun = map[int64]*wake{}
		}
		k = &wake{run: run, at: at}
		w.byRun[run] = k
		heap.Push(&w.heap, k)
	case at.IsZero():
		heap.Remove(&w.heap, k.pos)
		delete(w.byRun, run)
	case !k.at.Equal(at):
		k.at = at
		heap.Fix(&w.heap, k.pos)
	}
}

// next is the earliest wake, zero if there is none.
func (w *wakes) next() time.Time {
	if len(w.heap) == 0 {
		return time.Time{}
	}
	return w.heap[0].at
}

// due takes out a run whose time has come.
func (w *wakes) due(now time.Time) (int64, bool) {
	if len(w.heap) == 0 || w.heap[0].at.After(now) {
		return 0, false
	}
	k := heap.Pop(&w.heap).(*wake)
	delete(w.byRun, k.run)
	return k.run, true
}

type wakeHeap []*wake

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h wakeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}
func (h *wakeHeap) Push(x any) {
	k := x.(*wake)
	k.pos = len(*h)
	*h = append(*h, k)
}
func (h *wakeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

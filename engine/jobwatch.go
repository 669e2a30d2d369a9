package engine

import (
	"maps"
	"slices"
	"sync"
)

// JobNews says that something about a job has changed and is on disk.
type JobNews struct {
	ID      int64
	Changed bool // it was created, changed or deleted
	Ended   bool // one of its runs ended: there may be room for another
}

// JobWatch hears of jobs. It keeps one line for each job with news, so a slow
// listener loses nothing and holds nobody up.
type JobWatch struct {
	mu   sync.Mutex
	news map[int64]JobNews
	c    chan struct{}
}

// C has a value when there is news.
func (w *JobWatch) C() <-chan struct{} { return w.c }

// Take returns the news since the last Take, by job id.
func (w *JobWatch) Take() []JobNews {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := slices.Sorted(maps.Keys(w.news))
	list := make([]JobNews, 0, len(ids))
	for _, id := range ids {
		list = append(list, w.news[id])
	}
	clear(w.news)
	return list
}

func (w *JobWatch) tell(n JobNews) {
	w.mu.Lock()
	had := w.news[n.ID]
	w.news[n.ID] = JobNews{ID: n.ID, Changed: had.Changed || n.Changed, Ended: had.Ended || n.Ended}
	w.mu.Unlock()
	select {
	case w.c <- struct{}{}:
	default: // it has been told already
	}
}

// jobWatches are those who listen.
type jobWatches struct {
	mu   sync.Mutex
	list []*JobWatch
}

// WatchJobs starts to listen for news of jobs, from now until stop is called.
func (e *Engine) WatchJobs() (w *JobWatch, stop func()) {
	w = &JobWatch{news: map[int64]JobNews{}, c: make(chan struct{}, 1)}
	e.jobWatches.mu.Lock()
	defer e.jobWatches.mu.Unlock()
	e.jobWatches.list = append(e.jobWatches.list, w)
	return w, func() {
		e.jobWatches.mu.Lock()
		defer e.jobWatches.mu.Unlock()
		e.jobWatches.list = slices.DeleteFunc(e.jobWatches.list, func(x *JobWatch) bool { return x == w })
	}
}

func (w *jobWatches) tell(n JobNews) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.list {
		x.tell(n)
	}
}

// jobChanged tells of a job once the commit under way is on disk.
func (e *Engine) jobChanged(id int64) {
	e.batch.after = append(e.batch.after, func() { e.jobWatches.tell(JobNews{ID: id, Changed: true}) })
}

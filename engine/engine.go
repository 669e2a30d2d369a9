// Package engine owns every live run. One loop applies events to the runs it
// holds, commits what they changed, and only then does what follows from it:
// starts attempts, stops them, starts child runs, tells people. Nothing else
// writes runs, so no run has a lock.
//
// The package never meets a concrete runner and never decides what a job
// means: that is jobrun's. Start reading at loop.go, then batch.go.
package engine

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/jobspec"
	"flowctl/tasks"
)

// Options are the settings of an engine.
type Options struct {
	// Runner chooses what runs an attempt. An error ends the attempt: a
	// *tasks.Invalid as the job's fault, any other as ours.
	Runner func(r *jobrun.Run, cmd jobrun.StartAttempt) (Placement, error)
	// Follower chooses what follows a run that a workspace carries. Nil: there
	// are no such runs.
	Follower func(r *jobrun.Run) (tasks.Follower, error)
	// Parallel is how many attempts run on this machine at once; 0: the
	// number of cores.
	Parallel int
	// Outbox takes what people and programs are to be told. Nil: nobody is.
	Outbox Outbox
	// RunEnded is told that a run is over, after it is on disk: what it
	// shares among its tasks can go. It must not block. Nil: nobody listens.
	RunEnded func(run int64)
	// Origin tells where a run's code comes from, when the run begins. It runs
	// beside the run, and ends with ctx at the latest. Nil: nobody knows.
	Origin func(ctx context.Context, code tasks.Code, job *jobspec.Job) []tasks.Fact
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// WorkspaceURL and WorkspaceID answer {{workspace.url}} and {{workspace.id}}.
	WorkspaceURL, WorkspaceID string
	// Meter measures the engine, for an operator.
	Meter Meter
	// Log takes what an operator should know; nil: slog.Default.
	Log *slog.Logger
}

// Outbox keeps what is to be told until it has been.
type Outbox interface {
	// Put writes notices, in order, within the commit that makes them true.
	Put(tx *store.Tx, list []jobrun.Notify) error
	// Wake is called when they are on disk. It must not block.
	Wake()
}

// Placement is where an attempt runs.
type Placement struct {
	Runner tasks.Runner
	// Elsewhere says that the attempt needs none of this machine's slots.
	Elsewhere bool
}

// flushDelay is how long a change may wait for company before it is written,
// when nothing in the world waits for it. A crash loses it; the attempt's own
// directory still has it.
const flushDelay = 25 * time.Millisecond

// factDelay is the same for facts: nobody follows them, and a task that ends
// sooner needs no commit of its own for them.
const factDelay = time.Second

// Engine is a running engine. Its methods may be called by any goroutine.
type Engine struct {
	store *store.Store
	opt   Options
	log   *slog.Logger
	now   func() time.Time

	inbox      chan any
	stop       chan struct{} // closed: take no more, let go of the attempts
	stopOnce   sync.Once
	done       chan struct{} // closed by the loop when it has ended
	err        error         // why the loop ended by itself; read after done
	hands      sync.WaitGroup
	origins    sync.WaitGroup
	watchers   watchers
	jobWatches jobWatches
	probe      func(point string) // told before and after each commit; nil but in tests

	loopState // touched by the loop alone
}

// loopState is what only the loop may touch.
type loopState struct {
	live    map[int64]*jobrun.Run
	work    map[int64]*attempt // by attempt, from StartAttempt to its end
	waiters map[int64]*child   // child run → who waits for it
	jobs    map[int64]*jobState
	slots   slots
	nextID  int64
	seq     uint64
	wakes   wakes
	batch   batch
}

// Start runs an engine on an open store. It resumes nothing by itself; see Resume.
func Start(s *store.Store, opt Options) (*Engine, error) { return start(s, opt, nil) }

func start(s *store.Store, opt Options, probe func(point string)) (*Engine, error) {
	e := &Engine{store: s, opt: opt, log: opt.Log, now: opt.Now, probe: probe}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.opt.Parallel <= 0 {
		e.opt.Parallel = runtime.NumCPU()
	}
	e.inbox = make(chan any, 256)
	e.stop, e.done = make(chan struct{}), make(chan struct{})
	e.live = map[int64]*jobrun.Run{}
	e.work = map[int64]*attempt{}
	e.waiters = map[int64]*child{}
	e.jobs = map[int64]*jobState{}
	e.slots.free = e.opt.Parallel
	err := s.View(func(tx *store.Tx) error {
		e.nextID, e.seq = tx.NextID(), tx.LastSeq()
		return nil
	})
	if err != nil {
		return nil, err
	}
	go e.loop()
	return e, nil
}

// Close writes what is left and lets go of the attempts under way: those on
// this machine go on, and the next engine picks them up. It returns the error
// that stopped the loop, if one did.
func (e *Engine) Close() error {
	e.origins.Wait() // a run may be over sooner than it is known what its code was
	e.stopOnce.Do(func() { close(e.stop) })
	<-e.done
	e.hands.Wait()
	return e.err
}

// Done is closed when the engine has stopped, by Close or because the store failed.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Store is the data directory that the engine works on.
func (e *Engine) Store() *store.Store { return e.store }

// newID gives the next unused id. The commit that writes its user writes the
// counter too.
func (e *Engine) newID() int64 {
	id := e.nextID
	e.nextID++
	e.batch.ids = true
	return id
}

// send hands something to the loop. False: the engine has stopped.
func (e *Engine) send(m any) bool {
	select {
	case e.inbox <- m:
		return true
	case <-e.done:
		return false
	}
}

// call has the loop carry out fn in its next commit and waits until that is
// on disk. fn must refuse before it changes anything.
func (e *Engine) call(ctx context.Context, fn func(tx *store.Tx) error) error {
	c := &call{fn: fn, reply: make(chan error, 1), asked: time.Now()}
	select {
	case e.inbox <- c:
	case <-e.done:
		return errStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-c.reply:
		return err
	case <-e.done:
		select {
		case err := <-c.reply:
			return err
		default:
			return errStopped
		}
	}
}

var errStopped = &Error{Code: Unavailable, Message: "The engine is stopping."}

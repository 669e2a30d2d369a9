package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// lab is an engine on a store of its own, with a clock that stands still and
// a service whose passes the test makes.
type lab struct {
	*testing.T
	*engine.Engine
	store   *store.Store
	service *Service
	home    string
	ctx     context.Context
	clock   handClock
	opt     Options
	run     taskstest.Func
}

// handClock is a clock that is set by hand.
type handClock struct{ at atomic.Int64 }

func (c *handClock) now() time.Time  { return time.Unix(0, c.at.Load()).UTC() }
func (c *handClock) set(t time.Time) { c.at.Store(t.UnixNano()) }

func newLab(t *testing.T, at string, change ...func(*lab)) *lab {
	l := &lab{T: t, home: t.TempDir(), ctx: t.Context(), run: taskstest.Success}
	l.clock.set(moment(t, at))
	for _, c := range change {
		c(l)
	}
	l.open()
	t.Cleanup(l.close)
	return l
}

func moment(t *testing.T, s string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, s)
	require.NoError(t, err)
	return at.UTC()
}

func (l *lab) open() {
	s, err := store.Open(l.home, store.Options{NoSync: true})
	require.NoError(l, err)
	l.store = s
	l.Engine, err = engine.Start(s, engine.Options{
		Parallel: 4, Now: l.clock.now,
		Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
			return engine.Placement{Runner: l.run}, nil
		},
	})
	require.NoError(l, err)
	require.NoError(l, l.ResumeAll(l.ctx))
	l.serve()
}

func (l *lab) serve() {
	opt := l.opt
	opt.Now = l.clock.now
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	var err error
	l.service, err = open(l.ctx, l.Engine, opt)
	require.NoError(l, err)
	l.service.inTurn = true
}

func (l *lab) close() {
	if l.Engine == nil {
		return
	}
	l.service.deaf()
	assert.NoError(l, l.Engine.Close())
	assert.NoError(l, l.store.Close())
	l.Engine = nil
}

// restart is a daemon that goes and comes back later.
func (l *lab) restart(after time.Duration) {
	l.close()
	l.clock.set(l.clock.now().Add(after))
	l.open()
	l.pass()
}

// pass lets the service look, once it can have heard of everything so far:
// news follow the answer to a call, and come before the answer to the next.
func (l *lab) pass() {
	require.NoError(l, l.Resume(l.ctx))
	require.NoError(l, l.service.pass(l.ctx))
}

// until lets time go by, from one alarm to the next.
func (l *lab) until(at string) { l.untilTime(moment(l.T, at)) }

func (l *lab) untilTime(end time.Time) {
	l.pass()
	for {
		next := l.service.book.next()
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(l.clock.now()) {
			l.clock.set(next)
		}
		l.pass()
	}
	l.clock.set(end)
	l.pass()
}

const oneTask = `"tasks":[{"task_key":"a","spark_python_task":{"python_file":"x.py"}}]`

func (l *lab) create(when string) int64 {
	id, err := l.CreateJob(l.ctx, engine.JobRequest{Creator: "me", Settings: json.RawMessage(`{"name":"j",` + when + `,` + oneTask + `}`)})
	require.NoError(l, err)
	return id
}

func (l *lab) reset(id int64, when string) {
	require.NoError(l, l.ResetJob(l.ctx, id, engine.JobChange{Settings: json.RawMessage(`{"name":"j",` + when + `,` + oneTask + `}`)}))
}

func quartz(expr, zone string) string {
	return fmt.Sprintf(`"schedule":{"quartz_cron_expression":%q,"timezone_id":%q}`, expr, zone)
}

// runs are a job's runs, oldest first.
func (l *lab) runs(job int64) []*jobrun.Run {
	var list []*jobrun.Run
	require.NoError(l, l.Runs(l.ctx, engine.RunFilter{JobID: job}, 0, func(r *jobrun.Run) bool {
		list = append([]*jobrun.Run{r}, list...)
		return true
	}))
	return list
}

// times are the scheduled times of a job's runs.
func (l *lab) times(job int64) []string {
	list := []string{}
	for _, r := range l.runs(job) {
		list = append(list, r.Trigger.Time.Format("2006-01-02T15:04:05"))
	}
	return list
}

// settle waits until no run of the job is active.
func (l *lab) settle(job int64) {
	for _, r := range l.runs(job) {
		_, err := l.Wait(l.ctx, r.ID)
		require.NoError(l, err)
	}
}

func hold(gate <-chan struct{}) taskstest.Func {
	return func(ctx context.Context, _ tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		out.Started()
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return tasks.Result{Outcome: tasks.Success}, nil
	}
}

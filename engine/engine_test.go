package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// lab is an engine on a store of its own, with a runner made of a function.
type lab struct {
	*testing.T
	*engine.Engine
	store *store.Store
	home  string
	ctx   context.Context
}

func newLab(t *testing.T, run taskstest.Func, change ...func(*engine.Options)) *lab {
	l := &lab{T: t, home: t.TempDir(), ctx: t.Context()}
	l.open(run, change...)
	t.Cleanup(func() { l.close() })
	return l
}

func (l *lab) open(run taskstest.Func, change ...func(*engine.Options)) {
	s, err := store.Open(l.home, store.Options{NoSync: true})
	require.NoError(l, err)
	opt := engine.Options{
		Parallel: 4, WorkspaceID: "42", WorkspaceURL: "http://here",
		Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
			return engine.Placement{Runner: run}, nil
		},
	}
	for _, c := range change {
		c(&opt)
	}
	l.store = s
	l.Engine, err = engine.Start(s, opt)
	require.NoError(l, err)
}

func (l *lab) close() {
	if l.Engine != nil {
		assert.NoError(l, l.Engine.Close())
		assert.NoError(l, l.store.Close())
		l.Engine = nil
	}
}

// job is settings with one spark_python_task for each line "key <- a, b".
func job(more string, lines ...string) json.RawMessage {
	var list []string
	for _, line := range lines {
		key, after, _ := strings.Cut(line, " <- ")
		var deps []string
		for _, d := range strings.FieldsFunc(after, func(r rune) bool { return r == ',' || r == ' ' }) {
			deps = append(deps, fmt.Sprintf(`{"task_key":%q}`, d))
		}
		list = append(list, fmt.Sprintf(`{"task_key":%q,"depends_on":[%s],"spark_python_task":{"python_file":"x.py"}}`, key, strings.Join(deps, ",")))
	}
	return json.RawMessage(fmt.Sprintf(`{"name":"j",%s"tasks":[%s]}`, more, strings.Join(list, ",")))
}

func (l *lab) submit(source json.RawMessage) int64 {
	id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: source, Creator: "me"})
	require.NoError(l, err)
	return id
}

func (l *lab) wait(id int64) *jobrun.Run {
	r, err := l.Wait(l.ctx, id)
	require.NoError(l, err)
	return r
}

func results(r *jobrun.Run) string {
	var list []string
	for _, t := range r.Tasks {
		list = append(list, fmt.Sprintf("%s=%s", t.Key, t.Status().Result))
	}
	return strings.Join(list, " ") + " run=" + string(r.Status.Result)
}

func TestChain(t *testing.T) {
	l := newLab(t, func(_ context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		out.Started()
		if a.Key == "a" {
			return tasks.Result{Outcome: tasks.Success}, out.SetValue("n", json.RawMessage(`[1,2]`))
		}
		return tasks.Result{Outcome: tasks.Failed, Message: "ValueError: no", Trace: "line 1"}, nil
	})
	id := l.submit(job("", "a", "b <- a", "c <- b"))
	r := l.wait(id)
	assert.Equal(t, "a=SUCCESS b=FAILED c=UPSTREAM_FAILED run=FAILED", results(r))
	assert.JSONEq(t, `[1,2]`, string(r.Task("a").Values["n"]))
	out, err := l.Output(l.ctx, r.Task("b").Last().RunID)
	require.NoError(t, err)
	assert.Equal(t, store.Output{Error: "ValueError: no", Trace: "line 1"}, out)
}

// A dependent step costs one commit: the end of a task and the start of the
// next are in the same.
func TestOneCommitPerStep(t *testing.T) {
	const n = 50
	s, err := store.Open(t.TempDir(), store.Options{NoSync: true})
	require.NoError(t, err)
	commits := 0
	e, err := engine.StartProbed(s, engine.Options{
		Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
			return engine.Placement{Runner: taskstest.Func(taskstest.Success)}, nil
		},
	}, func(point string) {
		if point == "after commit" {
			commits++
		}
	})
	require.NoError(t, err)
	lines := []string{"t0"}
	for i := 1; i < n; i++ {
		lines = append(lines, fmt.Sprintf("t%d <- t%d", i, i-1))
	}
	id, err := e.Submit(t.Context(), engine.SubmitRequest{Source: job("", lines...)})
	require.NoError(t, err)
	r, err := e.Wait(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, jobrun.Success, r.Status.Result)
	require.NoError(t, e.Close())
	require.NoError(t, s.Close())
	assert.LessOrEqual(t, commits, n+2, "one for each step, one for the submit, one at the end")
}

func TestRunnerErrors(t *testing.T) {
	l := newLab(t, func(_ context.Context, a tasks.Attempt, _ tasks.Sink) (tasks.Result, error) {
		switch a.Key {
		case "invalid":
			return tasks.Result{}, &tasks.Invalid{Code: "RESOURCE_NOT_FOUND", Message: "no file x.py"}
		case "panics":
			panic("a bug in a runner")
		}
		return tasks.Result{}, errors.New("disk\nfull")
	})
	r := l.wait(l.submit(job("", "invalid", "panics", "broken")))
	assert.Equal(t, "invalid=FAILED panics=FAILED broken=FAILED run=FAILED", results(r))
	assert.Equal(t, jobrun.Code("RESOURCE_NOT_FOUND"), r.Task("invalid").Status().Code)
	assert.Equal(t, jobrun.CodeInternalError, r.Task("panics").Status().Code)
	assert.Equal(t, "disk full", r.Task("broken").Status().Message)
}

func TestCancel(t *testing.T) {
	started := make(chan string, 10)
	l := newLab(t, func(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		started <- a.Key
		return taskstest.Hang(ctx, a, out)
	}, func(o *engine.Options) { o.Parallel = 1 })
	id := l.submit(job("", "a", "waits", "c <- a"))
	require.Equal(t, "a", <-started)
	require.NoError(t, l.CancelRun(l.ctx, id))
	assert.Equal(t, "a=CANCELED waits=CANCELED c=UPSTREAM_CANCELED run=CANCELED", results(l.wait(id)))
	require.NoError(t, l.CancelRun(l.ctx, id), "an ended run may be canceled again")
	assert.Empty(t, started, "what waited for a slot never started")
}

func TestCloseLetsAttemptsGoOn(t *testing.T) {
	started := make(chan struct{}, 10)
	l := newLab(t, func(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		started <- struct{}{}
		return taskstest.Hang(ctx, a, out)
	})
	id := l.submit(job("", "a", "b <- a"))
	<-started
	l.close()
	resumed := make(chan bool, 10)
	l.open(func(_ context.Context, a tasks.Attempt, _ tasks.Sink) (tasks.Result, error) {
		resumed <- a.Resumed
		return tasks.Result{Outcome: tasks.Success}, nil
	})
	require.NoError(t, l.ResumeAll(l.ctx))
	assert.Equal(t, "a=SUCCESS b=SUCCESS run=SUCCESS", results(l.wait(id)))
	assert.True(t, <-resumed, "a had begun")
	assert.False(t, <-resumed, "b had not")
}

func TestTimeoutAndRetry(t *testing.T) {
	var mu sync.Mutex
	tries := 0
	l := newLab(t, func(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		mu.Lock()
		tries++
		mu.Unlock()
		return taskstest.Hang(ctx, a, out)
	})
	id := l.submit(json.RawMessage(`{"tasks":[{"task_key":"a","timeout_seconds":1,"max_retries":1,"retry_on_timeout":true,
		"min_retry_interval_millis":1,"spark_python_task":{"python_file":"x"}}]}`))
	r := l.wait(id)
	assert.Equal(t, "a=TIMEDOUT run=FAILED", results(r))
	assert.Equal(t, 2, tries)
	assert.Len(t, r.Task("a").Attempts, 2)
}

func TestAdmission(t *testing.T) {
	release := make(chan struct{})
	l := newLab(t, func(context.Context, tasks.Attempt, tasks.Sink) (tasks.Result, error) {
		<-release
		return tasks.Result{Outcome: tasks.Success}, nil
	})
	plain, err := l.CreateJob(l.ctx, engine.JobRequest{Settings: job("", "a"), Creator: "me"})
	require.NoError(t, err)
	queueing, err := l.CreateJob(l.ctx, engine.JobRequest{Settings: job(`"queue":{"enabled":true},`, "a")})
	require.NoError(t, err)
	now := func(id int64) int64 {
		run, _, err := l.RunNow(l.ctx, engine.RunRequest{JobID: id})
		require.NoError(t, err)
		return run
	}
	p1, p2 := now(plain), now(plain)
	q1, q2, q3 := now(queueing), now(queueing), now(queueing)
	skipped := l.wait(p2)
	assert.Equal(t, jobrun.MaxConcurrentRuns, skipped.Status.Result)
	assert.Empty(t, skipped.Tasks)
	queued, err := l.Engine.Run(l.ctx, q2)
	require.NoError(t, err)
	assert.Equal(t, jobrun.Queued, queued.Status.State)
	require.NoError(t, l.CancelRun(l.ctx, q3))
	assert.Equal(t, jobrun.Canceled, l.wait(q3).Status.Result)
	close(release)
	for _, id := range []int64{p1, q1, q2} {
		assert.Equal(t, jobrun.Success, l.wait(id).Status.Result)
	}
	assert.Equal(t, int64(2), l.wait(q2).NumberInJob)
}

func TestIdempotencyToken(t *testing.T) {
	l := newLab(t, taskstest.Success)
	jobID, err := l.CreateJob(l.ctx, engine.JobRequest{Settings: job("", "a")})
	require.NoError(t, err)
	first, _, err := l.RunNow(l.ctx, engine.RunRequest{JobID: jobID, Token: "once"})
	require.NoError(t, err)
	l.wait(first)
	l.close()
	l.open(taskstest.Success)
	again, _, err := l.RunNow(l.ctx, engine.RunRequest{JobID: jobID, Token: "once"})
	require.NoError(t, err)
	assert.Equal(t, first, again, "also after a restart")
	require.NoError(t, l.DeleteRun(l.ctx, first))
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: jobID, Token: "once"})
	assert.ErrorContains(t, err, "has been deleted")
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: jobID, Token: strings.Repeat("x", 65)})
	assert.ErrorContains(t, err, "65 characters")
}

func TestRunJob(t *testing.T) {
	l := newLab(t, func(_ context.Context, a tasks.Attempt, _ tasks.Sink) (tasks.Result, error) {
		if a.Parameters["day"] == "bad" {
			return tasks.Result{Outcome: tasks.Failed, Message: "bad day"}, nil
		}
		return tasks.Result{Outcome: tasks.Success}, nil
	})
	child := job(`"parameters":[{"name":"day","default":"d"}],`, "x")
	parent := func(day string) json.RawMessage {
		return json.RawMessage(`{"name":"p","tasks":[{"task_key":"r","run_job_task":{"job_id":"child","job_parameters":{"day":"` + day + `"}}}]}`)
	}
	submit := func(source json.RawMessage) *jobrun.Run {
		id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: source, Siblings: map[string]json.RawMessage{"child": child, "p": source}})
		require.NoError(t, err)
		return l.wait(id)
	}
	good := submit(parent("good"))
	assert.Equal(t, "r=SUCCESS run=SUCCESS", results(good))
	run, err := l.Engine.Run(l.ctx, good.Task("r").Last().ChildRun)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"day": "good"}, run.Parameters)
	assert.Equal(t, jobrun.RunJobTask, run.Trigger.Type)
	assert.Equal(t, "r=FAILED run=FAILED", results(submit(parent("bad"))))

	_, err = l.Submit(l.ctx, engine.SubmitRequest{Source: json.RawMessage(`{"tasks":[{"task_key":"a","depends_on":[{"task_key":"b"}],"spark_python_task":{"python_file":"x"}},{"task_key":"b","depends_on":[{"task_key":"a"}],"spark_python_task":{"python_file":"x"}}]}`)})
	require.ErrorContains(t, err, "in a circle")
	_, err = l.Submit(l.ctx, engine.SubmitRequest{Source: json.RawMessage(`{"name":"p","tasks":[{"task_key":"r","run_job_task":{"job_id":"p"}}]}`)})
	require.ErrorContains(t, err, "starts itself: p -> p")
	ping := json.RawMessage(`{"name":"ping","tasks":[{"task_key":"r","run_job_task":{"job_id":"pong"}}]}`)
	pong := json.RawMessage(`{"name":"pong","tasks":[{"task_key":"r","run_job_task":{"job_id":"ping"}}]}`)
	id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: ping, Siblings: map[string]json.RawMessage{"ping": ping, "pong": pong}})
	require.NoError(t, err)
	forever := l.wait(id)
	assert.Equal(t, "r=FAILED run=FAILED", results(forever))
	assert.Contains(t, forever.Status.Message, "already 3 run_job tasks deep")
	lost := submit(json.RawMessage(`{"name":"p","tasks":[{"task_key":"r","run_job_task":{"job_id":"nobody"}}]}`))
	assert.Contains(t, lost.Task("r").Status().Message, `no job "nobody"`)
}

func TestRepair(t *testing.T) {
	var broken sync.Map
	broken.Store("b", true)
	l := newLab(t, func(_ context.Context, a tasks.Attempt, _ tasks.Sink) (tasks.Result, error) {
		if _, bad := broken.Load(a.Key); bad {
			return tasks.Result{Outcome: tasks.Failed}, nil
		}
		return tasks.Result{Outcome: tasks.Success}, nil
	})
	id := l.submit(job("", "a", "b <- a", "c <- b"))
	assert.Equal(t, "a=SUCCESS b=FAILED c=UPSTREAM_FAILED run=FAILED", results(l.wait(id)))
	first, err := l.RepairRun(l.ctx, engine.RepairRequest{RunID: id, AllFailed: true})
	require.NoError(t, err)
	l.wait(id)
	broken.Delete("b")
	_, err = l.RepairRun(l.ctx, engine.RepairRequest{RunID: id, AllFailed: true})
	require.ErrorContains(t, err, "latest_repair_id")
	_, err = l.RepairRun(l.ctx, engine.RepairRequest{RunID: id, AllFailed: true, Latest: first})
	require.NoError(t, err)
	r := l.wait(id)
	assert.Equal(t, "a=SUCCESS b=SUCCESS c=SUCCESS run=SUCCESS", results(r))
	assert.Len(t, r.Task("a").Attempts, 1)
	assert.Len(t, r.Task("b").Attempts, 3)
	_, err = l.RepairRun(l.ctx, engine.RepairRequest{RunID: id, AllFailed: true, Latest: r.Repairs[2].ID})
	assert.ErrorContains(t, err, "no failed tasks")
	_, err = l.RepairRun(l.ctx, engine.RepairRequest{RunID: id, Tasks: []string{"zz"}, Latest: r.Repairs[2].ID})
	assert.ErrorContains(t, err, `no task "zz"`)
}

func TestFairBetweenRuns(t *testing.T) {
	var mu sync.Mutex
	var order []string
	gate := make(chan struct{})
	l := newLab(t, func(_ context.Context, a tasks.Attempt, _ tasks.Sink) (tasks.Result, error) {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		order = append(order, a.JobName)
		return tasks.Result{Outcome: tasks.Success}, nil
	}, func(o *engine.Options) { o.Parallel = 1 })
	named := func(name string, tasks ...string) int64 {
		id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: job("", tasks...), Name: name})
		require.NoError(t, err)
		return id
	}
	wide, narrow := named("wide", "a", "b", "c", "d"), named("narrow", "a")
	close(gate)
	l.wait(wide)
	l.wait(narrow)
	assert.Equal(t, []string{"wide", "wide", "narrow", "wide", "wide"}, order, "the narrow run waits one turn, not four")
}

func TestWatch(t *testing.T) {
	l := newLab(t, taskstest.Success)
	seq, err := l.Seq()
	require.NoError(t, err)
	id := l.submit(job("", "a", "b <- a"))
	var seen []string
	for e, err := range l.Watch(l.ctx, seq) {
		require.NoError(t, err)
		require.Equal(t, id, e.RunID)
		for _, c := range e.Changes {
			seen = append(seen, c.Key+" "+string(c.Status.State))
		}
		if e.Run != nil && e.Run.State == jobrun.Terminated {
			break
		}
	}
	assert.Equal(t, "a PENDING", seen[0])
	assert.Equal(t, "b TERMINATED", seen[len(seen)-1])
	ctx, cancel := context.WithTimeoutCause(l.ctx, time.Hour, errors.New("never"))
	cancel()
	for range l.Watch(ctx, 1<<40) {
		t.Fatal("nothing comes after the end")
	}
}

func TestRefusals(t *testing.T) {
	l := newLab(t, taskstest.Success)
	_, err := l.Engine.Run(l.ctx, 7)
	assert.EqualError(t, err, "Run 7 does not exist.")
	assert.EqualError(t, l.CancelRun(l.ctx, 7), "Run 7 does not exist.")
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: 7})
	assert.EqualError(t, err, "Job 7 does not exist.")
	_, err = l.Submit(l.ctx, engine.SubmitRequest{Source: json.RawMessage(`[]`)})
	assert.Error(t, err)
	id, err := l.CreateJob(l.ctx, engine.JobRequest{Settings: job("", "a")})
	require.NoError(t, err)
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: id, Parameters: map[string]string{"x": "1"}})
	assert.ErrorContains(t, err, `"x" is not declared`)
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: id, Only: []string{"b"}})
	assert.ErrorContains(t, err, `no task "b"`)
	var refusal *engine.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, "INVALID_PARAMETER_VALUE", refusal.ErrorCode())
}

func TestTrimJournal(t *testing.T) {
	l := newLab(t, taskstest.Success)
	for range 3 {
		l.wait(l.submit(job("", "a", "b <- a")))
	}
	last, err := l.Seq()
	require.NoError(t, err)
	require.NoError(t, l.TrimJournal(l.ctx, 5))
	require.NoError(t, l.TrimJournal(l.ctx, 1<<40))
	var seen []uint64
	for e, err := range l.Watch(l.ctx, 0) {
		require.NoError(t, err)
		if seen = append(seen, e.Seq); e.Seq == last {
			break
		}
	}
	assert.Equal(t, last-5, seen[0], "who follows from further back goes on with what is left")
	l.close()
	l.open(taskstest.Success)
	again, err := l.Seq()
	require.NoError(t, err)
	assert.Equal(t, last, again)
}

package databricks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/databricks"
	"flowctl/tasks/databricks/upload"
	"flowctl/tasks/databricks/workspacetest"
	"flowctl/tasks/taskstest"
)

// there is what the workspace does with a task: the deed that its parameters name.
func there(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	var p struct {
		Base map[string]string `json:"base_parameters"`
	}
	if err := json.Unmarshal(a.Task.Payload, &p); err != nil {
		return tasks.Result{}, err
	}
	switch p.Base["do"] {
	case "exit":
		out.Started()
		raw, err := json.Marshal(map[string]any{"notebook_output": map[string]any{"result": p.Base["value"]}})
		return tasks.Result{Outcome: tasks.Success, Output: raw}, err
	case "set":
		out.Started()
		for k, v := range p.Base {
			if name, ok := strings.CutPrefix(k, "v."); ok {
				if err := out.SetValue(name, json.RawMessage(v)); err != nil {
					return tasks.Result{}, err
				}
			}
		}
		return tasks.Result{Outcome: tasks.Success}, nil
	case "fail":
		out.Started()
		return tasks.Result{Outcome: tasks.Failed, Message: "ValueError: boom", Trace: "line 1"}, nil
	case "hang":
		return taskstest.Hang(ctx, a, out)
	}
	return taskstest.Success(ctx, a, out)
}

// attempt is an attempt of a notebook task with parameters, in a job whose
// other task refers to what refers says.
func attempt(t testing.TB, refers string, params map[string]string) tasks.Attempt {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"notebook_path": "/Shared/nb", "base_parameters": params})
	require.NoError(t, err)
	source := fmt.Sprintf(`{"name":"etl","tasks":[{"task_key":"a","notebook_task":%s},
	 {"task_key":"b","depends_on":[{"task_key":"a"}],"condition_task":{"op":"EQUAL_TO","left":%q,"right":""}}]}`, payload, refers)
	job, err := jobspec.Parse([]byte(source))
	require.NoError(t, err)
	return tasks.Attempt{
		RunID: 1, JobName: "etl", Key: "a", Job: job, Task: job.Tasks[0], Dir: filepath.Join(t.TempDir(), "attempt"),
	}
}

func runner(t testing.TB, w *workspacetest.Workspace) *databricks.Runner {
	c := w.Client(t)
	c.First, c.Max = time.Millisecond, 20*time.Millisecond
	return &databricks.Runner{Client: c, First: 2 * time.Millisecond, Max: 20 * time.Millisecond}
}

// telling is a runner whose attempts set the value "begun" when they start: a
// workspace shows no values before the end.
type telling struct{ tasks.Runner }

type tellingSink struct{ tasks.Sink }

func (s tellingSink) Started() {
	s.Sink.Started()
	_ = s.SetValue("begun", json.RawMessage("true"))
}

func (r telling) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.Runner.Run(ctx, a, tellingSink{out})
}

func TestConform(t *testing.T) {
	for _, faulty := range []bool{false, true} {
		t.Run(fmt.Sprintf("faulty wire %t", faulty), func(t *testing.T) {
			var w *workspacetest.Workspace
			if faulty {
				w = workspacetest.Start(t, taskstest.Func(there), newFaults(3).wire)
			} else {
				w = workspacetest.Start(t, taskstest.Func(there), nil)
			}
			taskstest.Conform(t, telling{runner(t, w)}, func(t *testing.T) taskstest.Deeds {
				bad := attempt(t, "", nil)
				bad.Task.Payload = json.RawMessage(`{"notebook_path":"./here"}`)
				return taskstest.Deeds{
					Sets:  attempt(t, "{{tasks.a.values.n}}", map[string]string{"do": "set", "v.n": "42"}),
					Fails: attempt(t, "", map[string]string{"do": "fail"}),
					Hangs: attempt(t, "", map[string]string{"do": "hang"}),
					Bad:   bad,
				}
			})
		})
	}
}

func TestValuesComeBack(t *testing.T) {
	w := workspacetest.Start(t, taskstest.Func(there), nil)
	r := runner(t, w)
	rec := taskstest.NewRecorder(nil)
	a := attempt(t, "{{tasks.a.values.n}} {{tasks.a.values.list}} {{tasks.a.values.name}}",
		map[string]string{"do": "set", "v.n": "42", "v.list": `[1,"b"]`, "v.name": `"007"`, "v.unseen": "1"})
	res, err := r.Run(t.Context(), a, rec)
	require.NoError(t, err)
	require.Equal(t, tasks.Success, res.Outcome)
	got, err := json.Marshal(rec.Values())
	require.NoError(t, err)
	assert.JSONEq(t, `{"n":42,"list":[1,"b"],"name":"007"}`, string(got))

	rec = taskstest.NewRecorder(nil)
	res, err = r.Run(t.Context(), attempt(t, "", map[string]string{"do": "exit", "value": `{"rows": 3, "day": "x"}`}), rec)
	require.NoError(t, err)
	assert.JSONEq(t, `{"notebook_output":{"result":"{\"rows\": 3, \"day\": \"x\"}"}}`, string(res.Output))
	assert.JSONEq(t, "3", string(rec.Values()["rows"]))
	assert.JSONEq(t, `"x"`, string(rec.Values()["day"]))
}

// A value that was never set does not make the task fail.
func TestValueNeverSet(t *testing.T) {
	w := workspacetest.Start(t, taskstest.Func(there), nil)
	rec := taskstest.NewRecorder(nil)
	res, err := runner(t, w).Run(t.Context(), attempt(t, "{{tasks.a.values.n}}", nil), rec)
	require.NoError(t, err)
	assert.Equal(t, tasks.Success, res.Outcome)
	assert.Empty(t, rec.Values())
}

// An attempt costs a submit and a get-output besides its polls.
func TestRequests(t *testing.T) {
	w := workspacetest.Start(t, taskstest.Func(there), nil)
	r := runner(t, w)
	w.Requests()
	_, err := r.Run(t.Context(), attempt(t, "{{tasks.a.values.n}}", map[string]string{"do": "set", "v.n": "1"}), taskstest.NewRecorder(nil))
	require.NoError(t, err)
	var others []string
	for _, q := range w.Requests() {
		if q != "GET /api/2.2/jobs/runs/get" {
			others = append(others, q)
		}
	}
	assert.Equal(t, []string{"POST /api/2.2/jobs/runs/submit", "GET /api/2.2/jobs/runs/get-output"}, others)
}

func TestLocalCodeIsOnTheWorkspace(t *testing.T) {
	seen := make(chan string, 1)
	w := workspacetest.Start(t, taskstest.Func(func(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		seen <- string(a.Task.Payload)
		return taskstest.Success(ctx, a, out)
	}), nil)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nb.py"), []byte("# Databricks notebook source\n"), 0o600))
	r := runner(t, w)
	r.Code = upload.Map{Dir: dir, Base: dir, Folder: "/Workspace/Users/u/.flowctl/etl/1"}
	a := attempt(t, "", nil)
	a.Task.Payload = json.RawMessage(`{"notebook_path":"nb"}`)
	_, err := r.Run(t.Context(), a, taskstest.NewRecorder(nil))
	require.NoError(t, err)
	assert.JSONEq(t, `{"notebook_path":"/Workspace/Users/u/.flowctl/etl/1/nb"}`, <-seen)
}

// A thousand submits over a wire that drops, delays, garbles and repeats make
// exactly a thousand runs, and each is followed to its end.
func TestThousandSubmits(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	w := workspacetest.Start(t, taskstest.Func(there), newFaults(4).wire)
	r := runner(t, w)
	work := make(chan tasks.Attempt)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for a := range work {
				res, err := r.Run(t.Context(), a, taskstest.NewRecorder(nil))
				if assert.NoError(t, err) {
					assert.Equal(t, tasks.Success, res.Outcome)
				}
			}
		})
	}
	for range n {
		work <- attempt(t, "", nil)
	}
	close(work)
	wg.Wait()
	runs := 0
	require.NoError(t, w.Engine.Runs(t.Context(), engine.RunFilter{}, 0, func(r *jobrun.Run) bool {
		runs++
		assert.True(t, r.Status.Ended())
		return true
	}))
	assert.Equal(t, n, runs)
}

package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

// lab runs single attempts of code that a test writes.
type lab struct {
	*testing.T
	dir     string // of the code
	home    string
	runners tasks.Runners
	last    string // directory of the last attempt
	n       int
	params  map[string]string
	job     *jobspec.Job
	libs    string
}

func newLab(t *testing.T) *lab {
	t.Setenv("FLOWCTL_SPARK_ENV", "off") // nothing is downloaded unless a test is about that
	l := &lab{T: t, dir: t.TempDir(), home: t.TempDir()}
	l.runners = local.Runners(&local.Options{Grace: 5 * time.Second, WorkspaceID: "42"})
	return l
}

func (l *lab) write(name, text string) {
	path := filepath.Join(l.dir, name)
	require.NoError(l, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(l, os.WriteFile(path, []byte(text), 0o644))
}

// notebook writes a source notebook of the given cells.
func (l *lab) notebook(name string, cells ...string) {
	l.write(name+".py", "# Databricks notebook source\n"+strings.Join(cells, "\n\n# COMMAND ----------\n\n")+"\n")
}

func (l *lab) attempt(kind jobspec.Type, payload string) tasks.Attempt {
	l.n++
	l.last = filepath.Join(l.home, "runs", "1", "t", fmt.Sprint(l.n))
	return tasks.Attempt{
		RunID: int64(100 + l.n), JobRunID: 1, JobID: 7, JobName: "lab", Key: "t", User: "me",
		Task:       jobspec.Task{Key: "t", Type: kind, Payload: json.RawMessage(payload), Libraries: json.RawMessage(l.libs)},
		Parameters: l.params, Job: l.job, Code: tasks.Code{Dir: l.dir},
		Dir: l.last, ValuesDir: filepath.Join(l.home, "runs", "1", "values"), Home: l.home,
	}
}

// run runs a notebook with base parameters k=v, and returns its result and
// what it wrote.
func (l *lab) run(path string, base ...string) (tasks.Result, string, *taskstest.Recorder) {
	l.Helper()
	params := map[string]string{}
	for _, b := range base {
		k, v, _ := strings.Cut(b, "=")
		params[k] = v
	}
	raw, err := json.Marshal(map[string]any{"notebook_path": path, "base_parameters": params})
	require.NoError(l, err)
	return l.do(l.attempt(jobspec.NotebookTask, string(raw)))
}

func (l *lab) script(path string, argv ...string) (tasks.Result, string, *taskstest.Recorder) {
	l.Helper()
	raw, err := json.Marshal(map[string]any{"python_file": path, "parameters": argv})
	require.NoError(l, err)
	return l.do(l.attempt(jobspec.SparkPythonTask, string(raw)))
}

func (l *lab) do(a tasks.Attempt) (tasks.Result, string, *taskstest.Recorder) {
	l.Helper()
	rec := taskstest.NewRecorder(nil)
	res, err := l.runners[a.Task.Type].Run(l.Context(), a, rec)
	require.NoError(l, err)
	return res, l.log(), rec
}

func (l *lab) log() string {
	text, err := os.ReadFile(filepath.Join(l.last, "output.log"))
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(l, err)
	return string(text)
}

// ok runs a notebook that must succeed, and returns what it wrote.
func (l *lab) ok(path string, base ...string) string {
	l.Helper()
	res, log, _ := l.run(path, base...)
	require.Equal(l, tasks.Success, res.Outcome, "%s\n%s", res.Message, log)
	return log
}

// fails runs a notebook that must fail, and returns its result.
func (l *lab) fails(path string) tasks.Result {
	l.Helper()
	res, log, _ := l.run(path)
	require.Equal(l, tasks.Failed, res.Outcome, log)
	return res
}

func TestConform(t *testing.T) {
	l := newLab(t)
	l.write("sets.py", "dbutils.jobs.taskValues.set('n', 42)")
	l.write("fails.py", "raise ValueError('boom')")
	l.write("hangs.py", "import time\ndbutils.jobs.taskValues.set('begun', True)\ntime.sleep(600)")
	for _, f := range []string{"sets", "fails", "hangs"} {
		code, err := os.ReadFile(filepath.Join(l.dir, f+".py"))
		require.NoError(t, err)
		l.notebook("nb_"+f, string(code))
	}
	t.Run("script", func(t *testing.T) {
		taskstest.Conform(t, l.runners[jobspec.SparkPythonTask], func(*testing.T) taskstest.Deeds {
			return taskstest.Deeds{
				Sets: l.attempt(jobspec.SparkPythonTask, `{"python_file":"sets.py"}`), Fails: l.attempt(jobspec.SparkPythonTask, `{"python_file":"fails.py"}`),
				Hangs: l.attempt(jobspec.SparkPythonTask, `{"python_file":"hangs.py"}`), Bad: l.attempt(jobspec.SparkPythonTask, `{"python_file":3}`),
			}
		})
	})
	t.Run("notebook", func(t *testing.T) {
		taskstest.Conform(t, l.runners[jobspec.NotebookTask], func(*testing.T) taskstest.Deeds {
			return taskstest.Deeds{
				Sets: l.attempt(jobspec.NotebookTask, `{"notebook_path":"nb_sets"}`), Fails: l.attempt(jobspec.NotebookTask, `{"notebook_path":"nb_fails"}`),
				Hangs: l.attempt(jobspec.NotebookTask, `{"notebook_path":"nb_hangs"}`), Bad: l.attempt(jobspec.NotebookTask, `{"notebook_path":"gone"}`),
			}
		})
	})
}

// A process that does not listen is ended by force, its children too.
func TestStubbornProcess(t *testing.T) {
	l := newLab(t)
	l.runners = local.Runners(&local.Options{Grace: 200 * time.Millisecond})
	l.write("deaf.py", `
import signal, subprocess, time, os
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
dbutils.jobs.taskValues.set("child", child.pid)
while True:
    time.sleep(1)
`)
	ctx, cancel := context.WithCancelCause(t.Context())
	rec := taskstest.NewRecorder(nil)
	go func() { rec.WaitValue(ctx, "child"); cancel(tasks.ErrCanceled) }()
	res, err := l.runners[jobspec.SparkPythonTask].Run(ctx, l.attempt(jobspec.SparkPythonTask, `{"python_file":"deaf.py"}`), rec)
	require.NoError(t, err)
	assert.Equal(t, tasks.Canceled, res.Outcome)
	var child int
	require.NoError(t, json.Unmarshal(rec.Values()["child"], &child))
	args, err := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(child)).Output()
	assert.True(t, err != nil || strings.HasPrefix(string(args), "Z"), "the child is gone too: %s", args)
}

// An attempt that began and is gone without a word has vanished; one that
// never began is started.
func TestVanished(t *testing.T) {
	l := newLab(t)
	l.write("ok.py", "print('ran')")
	a := l.attempt(jobspec.SparkPythonTask, `{"python_file":"ok.py"}`)
	a.Resumed = true
	res, log, _ := l.do(a)
	assert.Equal(t, tasks.Success, res.Outcome)
	assert.Equal(t, "ran\n", log)

	gone := l.attempt(jobspec.SparkPythonTask, `{"python_file":"ok.py"}`)
	gone.Resumed = true
	require.NoError(t, os.MkdirAll(gone.Dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(gone.Dir, "events.jsonl"), []byte(`{"t":"started","pid":1}`+"\n"+`{"t":"val`), 0o600))
	_, err := l.runners[jobspec.SparkPythonTask].Run(t.Context(), gone, taskstest.NewRecorder(nil))
	assert.ErrorContains(t, err, "vanished")
	assert.Empty(t, l.log(), "it was not started again")

	done := l.attempt(jobspec.SparkPythonTask, `{"python_file":"ok.py"}`)
	done.Resumed = true
	require.NoError(t, os.MkdirAll(done.Dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(done.Dir, "events.jsonl"), []byte(`{"t":"started","pid":1}`+"\n"+`{"t":"value","key":"n","value":7}`+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(done.Dir, "result.json"), []byte(`{"outcome":"SUCCESS"}`), 0o600))
	res, _, rec := l.do(done)
	assert.Equal(t, tasks.Success, res.Outcome)
	assert.Equal(t, "7", string(rec.Values()["n"]))
}

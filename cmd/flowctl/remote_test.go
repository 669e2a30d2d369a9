package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onDaemon makes the commands of a test use a daemon as their workspace.
func onDaemon(t *testing.T) *runningDaemon {
	t.Helper()
	d := startDaemon(t, t.TempDir())
	token, err := os.ReadFile(filepath.Join(d.home, "token"))
	require.NoError(t, err)
	t.Setenv("DATABRICKS_HOST", d.url)
	t.Setenv("DATABRICKS_TOKEN", strings.TrimSpace(string(token)))
	t.Setenv("DATABRICKS_CONFIG_FILE", os.DevNull)
	return d
}

// jobFolder writes a job and its code into a folder of its own.
func jobFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func flowctl(home string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = execute(context.Background(), append([]string{"--home", home}, args...), strings.NewReader(""), &out, &err)
	return status, out.String(), err.String()
}

var crossing = map[string]string{
	"first.py":        "# Databricks notebook source\ndbutils.jobs.taskValues.set('n', 41)\n",
	"there.py":        "# Databricks notebook source\nfrom lib.plus import plus\nn = int(dbutils.widgets.get('n'))\ndbutils.jobs.taskValues.set('m', plus(n))\ndbutils.notebook.exit('{\"seen\": \"yes\"}')\n",
	"last.py":         "# Databricks notebook source\ndbutils.notebook.exit(dbutils.widgets.get('m') + dbutils.jobs.taskValues.get('there', 'seen'))\n",
	"lib/plus.py":     "def plus(n):\n    return n + 1\n",
	"lib/__init__.py": "",
	"job.json": `{"name": "crossing", "tasks": [
 {"task_key": "first", "notebook_task": {"notebook_path": "first"}},
 {"task_key": "there", "depends_on": [{"task_key": "first"}], "notebook_task": {"notebook_path": "there", "base_parameters": {"n": "{{tasks.first.values.n}}"}}},
 {"task_key": "last", "depends_on": [{"task_key": "there"}], "notebook_task": {"notebook_path": "last", "base_parameters": {"m": "{{tasks.there.values.m}}"}}}]}`,
}

// Task values cross in both directions, and a run in which nothing new has to
// be uploaded costs few requests.
func TestHybridRun(t *testing.T) {
	d := onDaemon(t)
	home, dir := t.TempDir(), jobFolder(t, crossing)
	for range 2 {
		status, out, log := flowctl(home, "run", filepath.Join(dir, "job.json"), "--remote", "there")
		require.Equal(t, 0, status, log)
		assert.Contains(t, out, "last returned: 42yes")
	}
	w := d.client(t)
	runs, err := w.Jobs.ListRunsAll(t.Context(), jobs.ListRunsRequest{})
	require.NoError(t, err)
	require.Len(t, runs, 2)
	assert.Equal(t, "crossing: there", runs[0].RunName)
}

func TestHybridBadInput(t *testing.T) {
	onDaemon(t)
	home, dir := t.TempDir(), jobFolder(t, crossing)
	job := filepath.Join(dir, "job.json")
	status, _, log := flowctl(home, "run", job, "--remote", "ther")
	assert.Equal(t, 2, status)
	assert.Contains(t, log, `did you mean "there"?`)
	require.NoError(t, os.Remove(filepath.Join(dir, "there.py")))
	status, _, log = flowctl(home, "run", job, "--remote", "there")
	assert.Equal(t, 2, status)
	assert.Contains(t, log, "tasks[0].notebook_task.notebook_path: no notebook")
	t.Setenv("DATABRICKS_TOKEN", "wrong")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "there.py"), []byte(crossing["there.py"]), 0o600))
	status, _, log = flowctl(home, "run", job, "--remote", "there")
	assert.Equal(t, 3, status, log)
}

func TestSubmit(t *testing.T) {
	onDaemon(t)
	home, dir := t.TempDir(), jobFolder(t, crossing)
	last := "# Databricks notebook source\ndbutils.notebook.exit(dbutils.widgets.get('m'))\n" // an exit value is no task value there
	require.NoError(t, os.WriteFile(filepath.Join(dir, "last.py"), []byte(last), 0o600))
	status, out, log := flowctl(home, "submit", filepath.Join(dir, "job.json"))
	require.Equal(t, 0, status, log)
	assert.Contains(t, out, "last returned: 42\n")
	assert.Contains(t, log, "there: SUCCESS")
	assert.Regexp(t, `On the workspace: http://\S+`, log)
	status, out, log = flowctl(home, "submit", filepath.Join(dir, "job.json"), "-o", "json")
	require.Equal(t, 0, status, log)
	assert.Contains(t, log, "The code is on the workspace already")
	var run jobs.Run
	require.NoError(t, json.Unmarshal([]byte(out), &run))
	assert.Len(t, run.Tasks, 3)
	status, out, log = flowctl(home, "submit", filepath.Join(dir, "job.json"), "--no-wait")
	require.Equal(t, 0, status, log)
	require.Regexp(t, `^\d+\n$`, out)
	id := strings.TrimSpace(out)

	// The run is kept beside local ones, and whoever watches it carries it on.
	status, out, log = flowctl(home, "runs", "watch", id)
	require.Equal(t, 0, status, log)
	assert.Contains(t, out, "last returned: 42\n")
	status, out, _ = flowctl(home, "runs", "list")
	require.Equal(t, 0, status)
	assert.Equal(t, 3, strings.Count(out, "crossing"), out)
}

// Ctrl-C cancels the run there, or leaves it to be canceled later.
func TestSubmitInterrupted(t *testing.T) {
	d := onDaemon(t)
	w := d.client(t)
	home, dir := t.TempDir(), jobFolder(t, map[string]string{
		"hang.py":  "import time\nprint('hanging', flush=True)\ntime.sleep(600)\n",
		"job.json": `{"name": "hang", "tasks": [{"task_key": "a", "spark_python_task": {"python_file": "hang.py"}}]}`,
	})
	there := func() jobs.BaseRun {
		runs, err := w.Jobs.ListRunsAll(t.Context(), jobs.ListRunsRequest{})
		require.NoError(t, err)
		return runs[0]
	}
	tests := []struct {
		flag, typed string
		goesOn      bool
	}{{typed: "l\n"}, {flag: "detach", goesOn: true}, {flag: "ask", typed: "what?\nl\n", goesOn: true}, {flag: "ask", goesOn: true}, {flag: "ask", typed: "c\n"}}
	for i, tt := range tests {
		args := []string{"--home", home, "submit", filepath.Join(dir, "job.json")}
		if tt.flag != "" {
			args = append(args, "--on-interrupt", tt.flag)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		log := &noticing{want: "RUNNING", seen: interrupt}
		var out bytes.Buffer
		require.Equal(t, 130, execute(ctx, args, strings.NewReader(tt.typed), &out, log), log.String())
		if tt.flag == "ask" {
			assert.Contains(t, log.String(), "Cancel it there [c], or leave it running [l]?")
		}
		if !tt.goesOn {
			assert.Equal(t, jobs.RunResultStateCanceled, there().State.ResultState)
			continue
		}
		assert.Equal(t, jobs.RunLifeCycleStateRunning, there().State.LifeCycleState)
		_, list, _ := flowctl(home, "runs", "list", "--active", "-o", "json")
		var active []jobs.BaseRun
		require.NoError(t, json.Unmarshal([]byte(list), &active))
		require.Len(t, active, 1)
		id := fmt.Sprint(active[0].RunId)
		if i == 1 { // whoever watches such a run and goes leaves it as it is
			ctx, interrupt := context.WithCancel(t.Context())
			watching := &noticing{want: "RUNNING", seen: interrupt}
			require.Equal(t, 130, execute(ctx, []string{"--home", home, "runs", "watch", id}, strings.NewReader(""), &out, watching), watching.String())
			assert.Contains(t, watching.String(), "which goes on")
			assert.Equal(t, jobs.RunLifeCycleStateRunning, there().State.LifeCycleState)
		}
		status, _, errs := flowctl(home, "runs", "cancel", id)
		require.Equal(t, 0, status, errs)
		assert.Equal(t, jobs.RunResultStateCanceled, there().State.ResultState)
	}
	status, _, log := flowctl(home, "submit", filepath.Join(dir, "job.json"), "--on-interrupt", "shrug")
	assert.Equal(t, 2, status)
	assert.Contains(t, log, "ask, cancel and detach are known")
}

// noticing is what a command writes, which does something at a word.
type noticing struct {
	mu   sync.Mutex
	text strings.Builder
	want string
	seen func()
}

func (n *noticing) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text.Write(p)
	if strings.Contains(n.text.String(), n.want) {
		n.seen()
	}
	return len(p), nil
}

func (n *noticing) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// A job with parameters is made for its run and deleted after it, and the
// article's references come as a workspace knows them.
func TestSubmitWithParameters(t *testing.T) {
	d := onDaemon(t)
	dir := jobFolder(t, map[string]string{
		"nb.py": "# Databricks notebook source\ndbutils.notebook.exit(dbutils.widgets.get('day') + dbutils.widgets.get('of'))\n",
		"job.json": `{"name": "days", "parameters": [{"name": "day", "default": "monday"}], "schedule": {"quartz_cron_expression": "0 0 0 * * ?", "timezone_id": "UTC"}, "tasks": [
 {"task_key": "a", "notebook_task": {"notebook_path": "nb", "base_parameters": {"of": "x"}}},
 {"task_key": "b", "depends_on": [{"task_key": "a"}], "notebook_task": {"notebook_path": "nb", "base_parameters": {"of": "{{tasks.a.parameters.of}}"}}}]}`,
	})
	status, out, log := flowctl(t.TempDir(), "submit", filepath.Join(dir, "job.json"), "--param", "day=friday")
	require.Equal(t, 0, status, log)
	assert.Contains(t, out, "b returned: fridayx")
	assert.Contains(t, log, "{{tasks.a.parameters.of}} is written as x")
	w := d.client(t)
	left, err := w.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
	require.NoError(t, err)
	assert.Empty(t, left)
}

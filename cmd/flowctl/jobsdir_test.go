package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
)

// TestJobsDir changes job files and looks at the jobs that come of it.
func TestJobsDir(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	e := &env{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	a, err := e.openApp(home, appOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.close()) }()

	at := time.Now().Add(-time.Hour)
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		at = at.Add(time.Second)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	// jobs are the jobs' names, with what says when they start.
	jobs := func() map[string]string {
		m := map[string]string{}
		require.NoError(t, a.engine.Jobs(t.Context(), engine.JobFilter{Everyone: true}, 0, func(j engine.JobRecord, raw json.RawMessage) bool {
			var s struct {
				Schedule struct {
					Expr   string `json:"quartz_cron_expression"`
					Status string `json:"pause_status"`
				} `json:"schedule"`
			}
			require.NoError(t, json.Unmarshal(raw, &s))
			m[j.Name] = strings.TrimSpace(s.Schedule.Expr + " " + s.Schedule.Status)
			return true
		}))
		return m
	}
	const task = `"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"x"}}]`
	daily := func(name, expr string) string {
		return `{"name":"` + name + `","schedule":{"quartz_cron_expression":"` + expr + `","timezone_id":"UTC"},` + task + `}`
	}
	var d *jobsDir
	open := func() {
		d, err = e.openJobsDir(t.Context(), a.engine, dir, log)
		require.NoError(t, err)
	}
	look := func() {
		d.look(t.Context(), time.Time{})
		d.look(t.Context(), time.Time{})
	}

	write("a.json", daily("a", "0 0 1 * * ?"))
	write("deep/b.yml", "resources:\n  jobs:\n    b1: {name: b1, tasks: [{task_key: x, notebook_task: {notebook_path: x}}]}\n    b2: {name: b2, tasks: [{task_key: x, notebook_task: {notebook_path: x}}]}\n")
	write("broken.json", `{"name":`)
	write("flowctl.yaml", "workspace_roots: {}\n")
	write(".hidden/c.json", daily("c", "0 0 1 * * ?"))
	open()
	look()
	assert.Equal(t, map[string]string{"a": "0 0 1 * * ?", "b1": "", "b2": ""}, jobs())
	assert.Contains(t, logged.String(), "broken.json")

	write("a.json", daily("a", "0 0 2 * * ?"))
	look()
	assert.Equal(t, "0 0 2 * * ?", jobs()["a"])
	write("a.json", daily("a", "0 0 25 * * ?")) // no such hour: the last good version stays
	look()
	assert.Equal(t, "0 0 2 * * ?", jobs()["a"])
	assert.Contains(t, logged.String(), "its jobs stay as they were")

	open() // a daemon that starts while the file is broken
	look()
	assert.Equal(t, map[string]string{"a": "0 0 2 * * ?", "b1": "", "b2": ""}, jobs())

	require.NoError(t, os.Remove(filepath.Join(dir, "a.json")))
	look()
	assert.Equal(t, "0 0 2 * * ? PAUSED", jobs()["a"])
	open()
	look()
	write("a.json", daily("a", "0 0 2 * * ?"))
	look()
	assert.Equal(t, "0 0 2 * * ?", jobs()["a"], "it is back, and is the same job")
	assert.Len(t, jobs(), 3)

	list := d.jobs[filepath.Join(d.dir, "a.json")]
	require.NoError(t, a.engine.PauseJob(t.Context(), list.id, "PAUSED", engine.JobChange{}))
	open()
	look()
	assert.Equal(t, "0 0 2 * * ? PAUSED", jobs()["a"], "what the API changed stays until the file changes")

	_, err = e.openJobsDir(t.Context(), a.engine, filepath.Join(dir, "a.json"), log)
	assert.ErrorContains(t, err, "no folder")
}

package jobspec_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
)

// TestBroken holds every broken file of testdata against the list of its problems.
func TestBroken(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.[jy]*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var lines []string
			for _, p := range problems(t, filepath.Base(file), data) {
				lines = append(lines, p.String())
			}
			got := strings.Join(lines, "\n") + "\n"
			golden := strings.TrimSuffix(file, filepath.Ext(file)) + ".want"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func problems(t *testing.T, name string, data []byte) []jobspec.Problem {
	doc, err := jobspec.Read(name, data)
	var invalid jobspec.Invalid
	if errors.As(err, &invalid) {
		return invalid
	}
	require.NoError(t, err)
	return doc.Check(jobspec.CheckOptions{LocalKinds: []jobspec.Type{jobspec.NotebookTask, jobspec.PythonWheelTask, jobspec.DbtTask}})
}

// Settings come out as they went in, whatever they are wrapped in.
func TestReadWrappings(t *testing.T) {
	settings := `{"name":"n","x_unknown":{"deep":[1.50,1e400,9007199254740993]},"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"p"},"y_unknown":null}]}`
	for name, file := range map[string]string{
		"settings": settings,
		"get":      `{"job_id": 12, "settings": ` + settings + `, "created_time": 1}`,
		"reset":    `{"job_id": 12, "new_settings": ` + settings + `}`,
		"bundle":   `{"bundle": {"name": "b"}, "resources": {"jobs": {"k": ` + settings + `}}}`,
	} {
		doc, err := jobspec.Read(name, []byte(file))
		require.NoError(t, err, name)
		require.Len(t, doc.Jobs, 1, name)
		assert.Equal(t, settings, string(doc.Jobs[0].Job.Source), name)
		for _, p := range doc.Check(jobspec.CheckOptions{}) {
			assert.Equal(t, jobspec.Warning, p.Severity, p)
		}
	}
	get, err := jobspec.Read("get", []byte(`{"job_id": 12, "settings": `+settings+`}`))
	require.NoError(t, err)
	assert.Equal(t, int64(12), get.Jobs[0].ID)
	assert.Contains(t, get.Siblings(), "12")
}

func TestReadYAML(t *testing.T) {
	doc, err := jobspec.Read("j.yml", []byte(`
# a comment
defaults: &common
  timeout_seconds: 60
  max_retries: 1
name: "2026-01-01"
description: |
  two
  lines
tags: {version: "1.10"}
tasks:
- task_key: a
  <<: *common
  max_retries: 2
  notebook_task:
    notebook_path: ./x
    base_parameters: {on: "yes", n: "1"}
`))
	require.NoError(t, err)
	var got any
	require.NoError(t, json.Unmarshal(doc.Jobs[0].Job.Source, &got))
	task := doc.Jobs[0].Job.Tasks[0]
	assert.Equal(t, 2, task.Retry.Max)
	assert.Equal(t, "1m0s", task.Timeout.String())
	assert.JSONEq(t, `{"notebook_path":"./x","base_parameters":{"on":"yes","n":"1"}}`, string(task.Payload))
	assert.Equal(t, "2026-01-01", doc.Jobs[0].Job.Name)
	assert.Contains(t, string(doc.Jobs[0].Job.Source), `"two\nlines\n"`)
}

func TestParse(t *testing.T) {
	j, err := jobspec.Parse([]byte(`{"name":"n","queue":{"enabled":true},"max_concurrent_runs":3,"timeout_seconds":5,
 "health":{"rules":[{"metric":"RUN_DURATION_SECONDS","op":"GREATER_THAN","value":9}]},
 "trigger":{"pause_status":"PAUSED","file_arrival":{"url":"/Volumes/a/b/c/","min_time_between_triggers_seconds":60}},
 "triggers":[{"schedule":{"quartz_cron_expression":"0 0 0 * * ?","timezone_id":"UTC"}},{"table_update":{"table_names":["a.b.c"],"condition":"ALL_UPDATED"}}],
 "git_source":{"git_url":"u","git_provider":"gitHub","git_tag":"v1"},
 "tasks":[{"task_key":"a","min_retry_interval_millis":1500,"retry_on_timeout":true,"run_job_task":{"job_id":"${resources.jobs.x.id}","job_parameters":{"k":"v"}}},
  {"task_key":"b","run_if":"ALL_DONE","depends_on":[{"task_key":"a"}],"for_each_task":{"inputs":"[1]","task":{"task_key":"n","condition_task":{"op":"EQUAL_TO","left":"1","right":"2"}}}}]}`))
	require.NoError(t, err)
	assert.True(t, j.Queue)
	assert.Equal(t, 3, j.MaxConcurrentRuns)
	assert.Equal(t, "${resources.jobs.x.id}", j.Tasks[0].RunJob.JobRef)
	assert.Equal(t, "1.5s", j.Tasks[0].Retry.MinInterval.String())
	assert.Equal(t, 1, j.Tasks[1].ForEach.Concurrency)
	assert.Equal(t, "EQUAL_TO", j.Tasks[1].ForEach.Task.Condition.Op)
	assert.True(t, j.Trigger.Paused)
	assert.True(t, j.Triggers[1].TableUpdate.All)
	assert.Equal(t, "v1", j.Git.Tag)
	assert.Equal(t, int64(9), j.Health[0].Value)

	old, err := jobspec.Parse([]byte(`{"spark_python_task":{"python_file":"x"},"max_retries":1}`))
	require.NoError(t, err)
	assert.Equal(t, jobspec.LegacyKey, old.Tasks[0].Key)
	assert.Equal(t, 1, old.Tasks[0].Retry.Max)
	for _, bad := range []string{``, `[]`, `null`, `{"tasks":`, `7`} {
		_, err := jobspec.Parse([]byte(bad))
		assert.Error(t, err, bad)
	}
	odd, err := jobspec.Parse([]byte(`{"name":[1],"tasks":[{"task_key":5,"depends_on":"x","max_retries":"a"},7],"max_concurrent_runs":1e99}`))
	require.NoError(t, err, "what has another form counts as absent")
	assert.Empty(t, odd.Tasks)
}

func TestGraph(t *testing.T) {
	j, err := jobspec.Parse([]byte(`{"tasks":[{"task_key":"d","depends_on":[{"task_key":"b"},{"task_key":"c"}]},{"task_key":"a"},
 {"task_key":"b","depends_on":[{"task_key":"a"},{"task_key":"a"}]},{"task_key":"c","depends_on":[{"task_key":"a"},{"task_key":"gone"}]}]}`))
	require.NoError(t, err)
	g := j.Graph
	assert.Equal(t, []string{"a", "b", "c", "d"}, g.Order())
	assert.Equal(t, []string{"a", "b", "c"}, g.Ancestors("d"))
	assert.Equal(t, []string{"d", "b", "c"}, g.Descendants("a"))
	assert.Equal(t, []string{"d"}, g.Leaves())
	assert.Nil(t, g.Cycle())
	for only, want := range map[string][]string{"b": {"b"}, "+b": {"a", "b"}, "b+": {"d", "b"}, "+b+": {"d", "a", "b"}} {
		got, err := jobspec.Select(g, []string{only})
		require.NoError(t, err)
		assert.Equal(t, want, got, only)
	}
	_, err = jobspec.Select(g, []string{"+bb"})
	assert.EqualError(t, err, `no task "bb" to run; did you mean "b"?`)
	loop, err := jobspec.Parse([]byte(`{"tasks":[{"task_key":"x","depends_on":[{"task_key":"a"}]},{"task_key":"a","depends_on":[{"task_key":"b"}]},{"task_key":"b","depends_on":[{"task_key":"a"}]}]}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, loop.Graph.Cycle())
}

// FuzzRead looks for input that makes reading or checking panic, hang or lose
// what was written.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/broken/*.[jy]*")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := jobspec.Read("fuzz", data)
		if err != nil {
			var invalid jobspec.Invalid
			require.ErrorAs(t, err, &invalid)
			require.NotEmpty(t, invalid)
			return
		}
		for _, p := range doc.Check(jobspec.CheckOptions{LocalKinds: []jobspec.Type{jobspec.NotebookTask}}) {
			require.NotEmpty(t, p.Message)
			require.Positive(t, p.Line)
		}
		for _, e := range doc.Jobs {
			again, err := jobspec.Parse(e.Job.Source)
			require.NoError(t, err)
			require.Equal(t, e.Job.Graph.Keys(), again.Graph.Keys())
		}
	})
}

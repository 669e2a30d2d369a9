package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/taskstest"
)

// exampleRun is one run of an expected.json; examples/README.md says what the
// fields mean.
type exampleRun struct {
	File     string                     `json:"file"`
	Job      string                     `json:"job"`
	Params   map[string]string          `json:"params"`
	Env      map[string]string          `json:"env"`
	Exit     int                        `json:"exit"`
	Result   string                     `json:"result"`
	Tasks    map[string]json.RawMessage `json:"tasks"`
	Log      []string                   `json:"log"`
	NotInLog []string                   `json:"not_in_log"`
}

// exampleTask is what is expected of one task.
type exampleTask struct {
	Result     string          `json:"result"`
	Attempts   int             `json:"attempts"`
	Outcome    string          `json:"outcome"`
	Iterations map[string]int  `json:"iterations"`
	Returns    json.RawMessage `json:"returns"`
	Message    string          `json:"message"`
}

// TestExamples runs every example, so that none can rot.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/expected.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var want struct {
				Needs string
				Runs  []exampleRun
			}
			require.NoError(t, json.Unmarshal(data, &want))
			home := t.TempDir()
			switch want.Needs {
			case "spark":
				t.Setenv("FLOWCTL_PYTHON", taskstest.SparkPython(t))
			case "packages": // Spark, and others that are installed once for all tests
				t.Setenv("FLOWCTL_PYTHON", taskstest.SparkPython(t))
				taskstest.KeepEnvs(t, home)
			}
			require.NotEmpty(t, want.Runs)
			for i, r := range want.Runs {
				r.check(t, home, dir, fmt.Sprintf("run %d", i))
			}
		})
	}
}

func (r exampleRun) check(t *testing.T, home, dir, label string) {
	for k, v := range r.Env {
		t.Setenv(k, v)
	}
	file := r.File
	if file == "" {
		file = "job.json"
	}
	args := []string{"--home", home, "run", filepath.Join(dir, file), "-o", "json"}
	if r.Job != "" {
		args = append(args, "--job", r.Job)
	}
	for k, v := range r.Params {
		args = append(args, "--param", k+"="+v)
	}
	var stdout, stderr bytes.Buffer
	code := execute(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
	require.Equal(t, r.Exit, code, "%s\n%s", label, stderr.String())
	for _, text := range r.Log {
		assert.Contains(t, stderr.String(), text, label)
	}
	for _, text := range r.NotInLog {
		assert.NotContains(t, stderr.String()+stdout.String(), text, label)
	}
	if r.Result == "" {
		return
	}
	var got struct {
		State struct {
			Result string `json:"result_state"`
		} `json:"state"`
		Tasks []gotTask `json:"tasks"`
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &got), stdout.String())
	assert.Equal(t, r.Result, got.State.Result, label)
	var keys []string
	for _, task := range got.Tasks {
		keys = append(keys, task.Key)
		raw, ok := r.Tasks[task.Key]
		if assert.True(t, ok, "%s: task %s is not expected", label, task.Key) {
			task.check(t, raw, label+": "+task.Key)
		}
	}
	sort.Strings(keys)
	assert.Len(t, keys, len(r.Tasks), "%s: %v", label, keys)
}

// gotTask is a task as flowctl run -o json shows it.
type gotTask struct {
	Key     string `json:"task_key"`
	Attempt int    `json:"attempt_number"`
	State   struct {
		Result  string `json:"result_state"`
		Message string `json:"state_message"`
	} `json:"state"`
	Condition struct{ Outcome string } `json:"condition_task"`
	ForEach   struct {
		Stats struct {
			Runs map[string]int `json:"task_run_stats"`
		} `json:"stats"`
	} `json:"for_each_task"`
	Output struct {
		Notebook struct{ Result string } `json:"notebook_output"`
		Error    string                  `json:"error"`
	} `json:"output"`
}

func (g gotTask) check(t *testing.T, raw json.RawMessage, label string) {
	var want exampleTask
	if json.Unmarshal(raw, &want.Result) != nil {
		require.NoError(t, json.Unmarshal(raw, &want), label)
	}
	assert.Equal(t, want.Result, g.State.Result, "%s: %s %s", label, g.State.Message, g.Output.Error)
	if want.Attempts > 0 {
		assert.Equal(t, want.Attempts, g.Attempt+1, "%s: attempts", label)
	}
	if want.Outcome != "" {
		assert.Equal(t, want.Outcome, g.Condition.Outcome, label)
	}
	for k, n := range want.Iterations {
		assert.Equal(t, n, g.ForEach.Stats.Runs[k+"_iterations"], "%s: %s", label, k)
	}
	if want.Message != "" {
		assert.Contains(t, g.Output.Error+g.State.Message, want.Message, label)
	}
	if len(want.Returns) > 0 {
		checkReturned(t, want.Returns, g.Output.Notebook.Result, label)
	}
}

// checkReturned compares an exit value: a text whole, of an object each key.
func checkReturned(t *testing.T, want json.RawMessage, got, label string) {
	var text string
	if json.Unmarshal(want, &text) == nil {
		assert.Equal(t, text, got, label)
		return
	}
	var fields, have map[string]any
	require.NoError(t, json.Unmarshal(want, &fields), label)
	require.NoError(t, json.Unmarshal([]byte(got), &have), "%s returned %s", label, got)
	for k, v := range fields {
		assert.Equal(t, v, have[k], "%s: %s", label, k)
	}
}

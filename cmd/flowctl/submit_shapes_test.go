package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// getJSON is what runs get -o json prints.
func getJSON(t *testing.T, home, id string) jobs.Run {
	t.Helper()
	status, out, log := flowctl(home, "runs", "get", id, "-o", "json")
	require.Equal(t, 0, status, log)
	var run jobs.Run
	require.NoError(t, json.Unmarshal([]byte(out), &run))
	return run
}

// onlyRun is the id of the one run in a data directory.
func onlyRun(t *testing.T, home string) string {
	t.Helper()
	status, out, log := flowctl(home, "runs", "list", "-o", "json")
	require.Equal(t, 0, status, log)
	var runs []jobs.BaseRun
	require.NoError(t, json.Unmarshal([]byte(out), &runs))
	require.Len(t, runs, 1)
	return fmt.Sprint(runs[0].RunId)
}

// The iterations of a submitted for_each, its retries, conditions and what
// never ran are kept as the workspace shows them.
func TestSubmitForEachAndRetries(t *testing.T) {
	onDaemon(t)
	home, dir := t.TempDir(), jobFolder(t, map[string]string{
		"item.py":  "import sys\nprint('item', sys.argv[1], flush=True)\nif sys.argv[1] == '2':\n    raise ValueError('two is odd')\n",
		"once.py":  "import sys\nprint('try', sys.argv[1], flush=True)\nsys.exit(0 if sys.argv[1] == '2' else 'not yet')\n",
		"never.py": "",
		"job.json": `{"name": "shapes", "tasks": [
 {"task_key": "each", "for_each_task": {"inputs": "[1, 2, 3]", "concurrency": 2, "task": {"task_key": "item", "spark_python_task": {"python_file": "item.py", "parameters": ["{{input}}"]}}}},
 {"task_key": "again", "max_retries": 2, "spark_python_task": {"python_file": "once.py", "parameters": ["{{task.execution_count}}"]}},
 {"task_key": "is", "condition_task": {"op": "EQUAL_TO", "left": "a", "right": "b"}},
 {"task_key": "no", "depends_on": [{"task_key": "is", "outcome": "true"}], "spark_python_task": {"python_file": "never.py"}},
 {"task_key": "after", "depends_on": [{"task_key": "each"}], "spark_python_task": {"python_file": "never.py"}}]}`,
	})
	status, out, log := flowctl(home, "submit", filepath.Join(dir, "job.json"))
	require.Equal(t, 1, status, log)
	assert.Contains(t, log, "each[1]: FAILED: ValueError: two is odd")
	assert.Contains(t, log, "[each[2]] item 3")
	assert.Contains(t, log, "again: attempt 1 failed, attempt 2 follows")
	assert.Contains(t, out, "each[1]: ValueError: two is odd\n  Traceback")

	id := onlyRun(t, home)
	for item, want := range []string{"item 1\n", "item 2\n", "item 3\n"} {
		status, out, log = flowctl(home, "runs", "logs", id, "--task", fmt.Sprintf("each[%d]", item))
		require.Equal(t, 0, status, log)
		assert.True(t, strings.HasPrefix(out, want), "%q", out)
	}
	status, _, log = flowctl(home, "runs", "logs", id, "--task", "each[3]")
	assert.Equal(t, 2, status)
	assert.Contains(t, log, "3 iterations")

	run := getJSON(t, home, id)
	byKey := map[string]jobs.RunTask{}
	for _, task := range run.Tasks {
		byKey[task.TaskKey] = task
	}
	stats := byKey["each"].ForEachTask.Stats.TaskRunStats
	assert.Equal(t, []int{3, 2, 1}, []int{stats.TotalIterations, stats.SucceededIterations, stats.FailedIterations})
	assert.Equal(t, 1, byKey["again"].AttemptNumber, "the second attempt is the last")
	assert.Equal(t, jobs.RunResultStateSuccess, byKey["again"].State.ResultState)
	assert.Equal(t, "false", byKey["is"].ConditionTask.Outcome)
	assert.Equal(t, jobs.RunLifeCycleStateSkipped, byKey["no"].State.LifeCycleState)
	assert.Equal(t, jobs.RunResultStateExcluded, byKey["no"].State.ResultState)
	assert.Equal(t, jobs.RunResultStateUpstreamFailed, byKey["after"].State.ResultState)
}

// A run of more tasks than one answer holds is followed whole.
func TestSubmitManyTasks(t *testing.T) {
	onDaemon(t)
	var tasks []string
	for i := range 130 {
		tasks = append(tasks, fmt.Sprintf(`{"task_key": "c%03d", "condition_task": {"op": "EQUAL_TO", "left": "%d", "right": "7"}}`, i, i))
	}
	home, dir := t.TempDir(), jobFolder(t, map[string]string{"job.json": `{"name": "many", "tasks": [` + strings.Join(tasks, ",") + `]}`})
	status, out, log := flowctl(home, "submit", filepath.Join(dir, "job.json"), "-o", "json")
	require.Equal(t, 0, status, log)
	var run jobs.Run
	require.NoError(t, json.Unmarshal([]byte(out), &run))
	require.Len(t, run.Tasks, 130)
	for i, task := range run.Tasks {
		assert.Equal(t, jobs.RunResultStateSuccess, task.State.ResultState)
		assert.Equal(t, fmt.Sprint(i == 7), task.ConditionTask.Outcome)
	}
}

package databricks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/databricks"
	"flowctl/tasks/databricks/workspacetest"
	"flowctl/tasks/taskstest"
)

// sent notes the bodies that arrive.
type sent struct {
	mu     sync.Mutex
	paths  []string
	bodies [][]byte
}

func (s *sent) wire(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if len(body) > 0 {
			s.mu.Lock()
			s.paths, s.bodies = append(s.paths, r.URL.Path), append(s.bodies, body)
			s.mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// official checks that the official SDK knows all that was sent.
func (s *sent) official(t *testing.T, atLeast int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.GreaterOrEqual(t, len(s.bodies), atLeast)
	for i, body := range s.bodies {
		unknown, err := workspacetest.Unknown(s.paths[i], body)
		require.NoError(t, err)
		assert.Empty(t, unknown, "%s: %s", s.paths[i], body)
	}
}

// rich is a job with a bit of everything, and some that no API knows.
const rich = `{"name": "rich", "description": "d", "tags": {"team": "x"}, "max_concurrent_runs": 3, "timeout_seconds": 900, "format": "MULTI_TASK",
 "ours": 1, "permissions": [{"group_name": "users", "level": "CAN_VIEW"}],
 "email_notifications": {"on_failure": ["a@example.com"], "no_alert_for_skipped_runs": true},
 "webhook_notifications": {"on_failure": [{"id": "1"}]}, "notification_settings": {"no_alert_for_canceled_runs": true},
 "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 10}]}, "queue": {"enabled": true},
 "run_as": {"user_name": "ann@example.com"},
 "schedule": {"quartz_cron_expression": "0 0 5 * * ?", "timezone_id": "UTC"}, PARAMETERS
 "environments": [{"environment_key": "e", "spec": {"environment_version": "2", "dependencies": ["six==1.16.0"]}}],
 "tasks": [
 {"task_key": "a", "description": "first", "max_retries": 2, "min_retry_interval_millis": 10, "retry_on_timeout": true, "timeout_seconds": 60, "disable_auto_optimization": true,
  "environment_key": "e", "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 10}]},
  "email_notifications": {"on_start": ["a@example.com"]}, "notification_settings": {"alert_on_last_attempt": true},
  "spark_python_task": {"python_file": "/Workspace/x.py", "parameters": ["{{secrets/s/k}}", ""], "source": "WORKSPACE"}},
 {"task_key": "b", "depends_on": [{"task_key": "a"}], "run_if": "ALL_DONE",
  "new_cluster": {"spark_version": "15.4.x-scala2.12", "num_workers": 0, "node_type_id": "i3.xlarge", "spark_conf": {"k": "v"}, "spark_env_vars": {"P": "{{secrets/s/k}}"}},
  "libraries": [{"pypi": {"package": "six"}}, {"whl": "/Workspace/w.whl"}, {"requirements": "/Workspace/r.txt"}],
  "python_wheel_task": {"package_name": "p", "entry_point": "main", "named_parameters": {"day": "{{job.start_time.iso_date}}"}}},
 {"task_key": "each", "for_each_task": {"inputs": "[1]", "concurrency": 2, "task": {"task_key": "nested", "notebook_task": {"notebook_path": "/n", "base_parameters": {"i": "{{input}}"}}}}, "depends_on": [{"task_key": "a"}]},
 {"task_key": "is", "condition_task": {"op": "EQUAL_TO", "left": "{{tasks.a.values.n}}", "right": "1"}, "depends_on": [{"task_key": "a"}]},
 {"task_key": "sql", "depends_on": [{"task_key": "is", "outcome": "true"}], "sql_task": {"warehouse_id": "w", "file": {"path": "/q.sql", "source": "WORKSPACE"}, "parameters": {"x": "1"}}}]}`

// Whatever a job holds, a workspace is sent only what the official SDK knows.
func TestOnlyTheOfficialSchemaIsSent(t *testing.T) {
	with := func(parameters string) *jobspec.Job {
		job, err := jobspec.Parse(bytes.Replace([]byte(rich), []byte("PARAMETERS"), []byte(parameters), 1))
		require.NoError(t, err)
		return job
	}
	tests := map[string]func(t *testing.T, w *workspacetest.Workspace){
		"submit": func(t *testing.T, w *workspacetest.Workspace) {
			_, err := databricks.Submit(t.Context(), w.Client(t), databricks.Whole{Job: with(""), Token: uuid.NewString()})
			require.NoError(t, err)
		},
		"job for a run": func(t *testing.T, w *workspacetest.Workspace) {
			job := with(`"parameters": [{"name": "day", "default": ""}], "job_clusters": [{"job_cluster_key": "k", "new_cluster": {"spark_version": "15.4.x-scala2.12"}}],`)
			done, err := databricks.Submit(t.Context(), w.Client(t), databricks.Whole{Job: job, Token: uuid.NewString(), Parameters: map[string]string{"day": "1"}, Only: []string{"a"}})
			require.NoError(t, err)
			require.NoError(t, databricks.Forget(t.Context(), w.Client(t), done.JobID))
		},
		"hybrid": func(t *testing.T, w *workspacetest.Workspace) {
			job := with("")
			for _, task := range job.Tasks {
				if task.Condition != nil {
					continue
				}
				key := task.Key
				if task.ForEach != nil {
					task = *task.ForEach.Task
					key = task.Key + "_0"
				}
				a := tasks.Attempt{RunID: 1, JobName: "rich", Key: key, Job: job, Task: task, Dir: filepath.Join(t.TempDir(), "attempt")}
				_, err := runner(t, w).Run(t.Context(), a, taskstest.NewRecorder(nil))
				require.NoError(t, err)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s sent
			test(t, workspacetest.Start(t, taskstest.Func(taskstest.Success), s.wire))
			s.official(t, 1)
		})
	}
	unknown, err := workspacetest.Unknown("/api/2.2/jobs/runs/submit", json.RawMessage(`{"tasks":[{"task_key":"a","ours":1,"max_retries":0}],"run_name":""}`))
	require.NoError(t, err)
	assert.Equal(t, []string{".tasks[0].ours"}, unknown)
}

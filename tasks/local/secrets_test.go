package local_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

// Secrets are there while an attempt runs, before and after a restart of
// Python, hidden from its output and gone from the disk at its end.
func TestDeliveredSecrets(t *testing.T) {
	l := newLab(t)
	l.runners = local.Runners(&local.Options{
		Access: func(context.Context, tasks.Attempt) (string, string, error) {
			return "http://127.0.0.1:1", "dapi-x", nil
		},
		Secrets: func(_ context.Context, a tasks.Attempt) (map[string]map[string]string, error) {
			if a.User != "me" {
				return nil, errors.New("the secrets cannot be opened")
			}
			return map[string]map[string]string{"db": {"password": "hunter2-and-more"}}, nil
		},
	})
	l.notebook("nb", "print('first', dbutils.secrets.get('db', 'password'))", "dbutils.library.restartPython()",
		"p = dbutils.secrets.get(scope='db', key='password')\nprint('second', p, len(p))",
		"import os\nprint(os.environ['DATABRICKS_HOST'], os.environ['DATABRICKS_TOKEN'])")
	log := l.ok("nb")
	assert.Contains(t, log, "first [REDACTED]\n")
	assert.Contains(t, log, "second [REDACTED] 16\n")
	assert.Contains(t, log, "http://127.0.0.1:1 dapi-x\n")
	assert.NoFileExists(t, filepath.Join(l.last, "secrets.json"))

	a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"nb"}`)
	a.User = "stranger"
	_, err := l.runners[jobspec.NotebookTask].Run(t.Context(), a, taskstest.NewRecorder(nil))
	require.ErrorContains(t, err, "the secrets cannot be opened")
	_, err = os.Stat(filepath.Join(a.Dir, "events.jsonl"))
	assert.ErrorIs(t, err, os.ErrNotExist, "it was not begun")
}

package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// What a dbt task cannot run with is said before a process starts.
func TestDbtRefused(t *testing.T) {
	l := newLab(t)
	l.write("shop/dbt_project.yml", "name: shop\n")
	l.write("other/profiles.yml", "{}\n")
	for payload, want := range map[string]string{
		`{"project_directory":"shop"}`:                                                                        "dbt_task.commands: there are none",
		`{"project_directory":"shop","commands":["dbt deps","rm -rf /"]}`:                                     `dbt_task.commands[1]: "rm -rf /" is no dbt command`,
		`{"project_directory":"shop","commands":["dbtx"]}`:                                                    `dbt_task.commands[0]: "dbtx" is no dbt command`,
		`{"project_directory":"shop","commands":["dbt run"],"catalog":"c"}`:                                   "dbt_task.catalog: it has a meaning only beside warehouse_id",
		`{"commands":["dbt run"]}`:                                                                            "dbt_task.project_directory: no path is given",
		`{"project_directory":"shops","commands":["dbt run"]}`:                                                "dbt_task.project_directory: there is no dbt_project.yml in " + filepath.Join(l.dir, "shops"),
		`{"project_directory":"/Repos/x","commands":["dbt run"]}`:                                             "--workspace-root PREFIX=DIR says which folder it means",
		`{"project_directory":"shop","commands":["dbt run"],"profiles_directory":"p"}`:                        "there is no profiles.yml in " + filepath.Join(l.dir, "shop", "p") + "; a relative path begins at the project",
		`{"project_directory":"shop","commands":["dbt run"],"profiles_directory":"other"}`:                    "there is no profiles.yml in " + filepath.Join(l.dir, "shop", "other"),
		`{"project_directory":"shop","commands":["dbt run"],"profiles_directory":"other","warehouse_id":"w"}`: "it excludes warehouse_id",
	} {
		_, err := l.runners[jobspec.DbtTask].Run(t.Context(), l.attempt(jobspec.DbtTask, payload), taskstest.NewRecorder(nil))
		var refused *tasks.Invalid
		require.True(t, errors.As(err, &refused), "%s: %v", payload, err)
		assert.Contains(t, refused.Message, want)
	}
}

// An interpreter without dbt, which nobody may install, is told of.
// A project may hold the data directory in which it is copied.
func TestDbtCopiesAProject(t *testing.T) {
	l := newLab(t)
	l.home = filepath.Join(l.dir, "sub", "data")
	l.write("dbt_project.yml", "name: shop\n")
	l.write("models/m.sql", "select 1")
	l.write("target/old.json", "{}")
	l.write("sub/kept.txt", "")
	l.write("copy.py", `
import os, sys
from flowctl_rt import dbt_task
made = dbt_task.copied(sys.argv[1])
print(sorted(os.path.relpath(os.path.join(d, n), made) for d, _, names in os.walk(made) for n in names))
`)
	res, log, _ := l.script("copy.py", l.dir)
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, "['copy.py', 'dbt_project.yml', 'models/m.sql', 'sub/kept.txt']\n", log)
}

func TestDbtMissing(t *testing.T) {
	l := newLab(t)
	l.write("shop/dbt_project.yml", "name: shop\n")
	res, log, _ := l.do(l.attempt(jobspec.DbtTask, `{"project_directory":"shop","commands":["dbt run"]}`))
	assert.Equal(t, tasks.Failed, res.Outcome, log)
	assert.Contains(t, res.Message, "DbtUnavailable: dbt cannot be imported by the task's interpreter")
	assert.Contains(t, res.Message, "list dbt-databricks among the dependencies")
	_, err := os.Stat(filepath.Join(l.last, "dbt"))
	assert.ErrorIs(t, err, os.ErrNotExist, "nothing was copied")
}

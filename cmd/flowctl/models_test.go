package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flowctl/tasks/taskstest"
)

// A client of its own, outside of tasks, logs and registers a model through
// the daemon, in Unity Catalog's words, has it served and asks it.
func TestModelsFromOutside(t *testing.T) {
	python := taskstest.SparkPython(t)
	t.Setenv("FLOWCTL_PYTHON", python)
	home := t.TempDir()
	d := startDaemon(t, home)
	token, err := os.ReadFile(filepath.Join(home, "token"))
	require.NoError(t, err)
	cmd := exec.Command(python, "testdata/clients/outside_models.py")
	cmd.Env = append(os.Environ(), "DATABRICKS_HOST="+d.url, "DATABRICKS_TOKEN="+strings.TrimSpace(string(token)))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "served 9 and 1\n")
	require.Contains(t, string(out), "answered [2.0, 6.0]\n")
}

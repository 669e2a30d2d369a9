package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
)

// TestClients lets clients that nobody here wrote use a daemon: scripts in
// testdata/clients, each in a virtual environment with the packages that its
// first line names. The environments are made once and kept in the user's
// cache directory.
func TestClients(t *testing.T) {
	if testing.Short() {
		t.Skip("installs packages")
	}
	scripts, err := filepath.Glob("testdata/clients/use_*.py")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	d := startDaemon(t, t.TempDir(), "--max-parallel-tasks", "4")
	token, err := os.ReadFile(filepath.Join(d.home, "token"))
	require.NoError(t, err)
	at, err := url.Parse(d.url)
	require.NoError(t, err)
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".py"), func(t *testing.T) {
			source, err := os.ReadFile(script)
			require.NoError(t, err)
			first, _, _ := strings.Cut(string(source), "\n")
			packages, ok := strings.CutPrefix(first, "# packages: ")
			require.True(t, ok, "the first line names the packages: %s", first)
			home := t.TempDir()
			cmd := exec.CommandContext(t.Context(), environment(t, strings.Fields(packages)), script)
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AIRFLOW_HOME=" + home, "PYTHONDONTWRITEBYTECODE=1",
				"DATABRICKS_HOST=" + d.url, "DATABRICKS_TOKEN=" + strings.TrimSpace(string(token)), "DATABRICKS_CONFIG_FILE=/dev/null",
				"FLOWCTL_PORT=" + at.Port(),
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.True(t, strings.HasSuffix(strings.TrimSpace(string(out)), "all is well"), "%s", out)
		})
	}
}

// environment is the interpreter of a virtual environment with packages.
func environment(t *testing.T, packages []string) string {
	t.Helper()
	base, err := python.Find(t.Context(), "")
	require.NoError(t, err)
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(base + "\n" + strings.Join(packages, "\n")))
	dir := filepath.Join(cache, "flowctl-tests", hex.EncodeToString(sum[:8]))
	interpreter := filepath.Join(dir, "bin", "python")
	ready := filepath.Join(dir, "ready")
	if _, err := os.Stat(ready); err == nil {
		return interpreter
	} else if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	require.NoError(t, os.RemoveAll(dir)) // what an interrupted test left
	for _, args := range [][]string{
		{base, "-m", "venv", dir},
		append([]string{interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, packages...),
	} {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.NoError(t, os.WriteFile(ready, nil, 0o600))
	return interpreter
}

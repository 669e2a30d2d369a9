package python_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
)

// program writes a shell script that can be started.
func program(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	return path
}

// quiet takes everything away from the environment that could name an
// interpreter, and goes to an empty folder.
func quiet(t *testing.T, path string) {
	for _, name := range []string{"FLOWCTL_PYTHON", "VIRTUAL_ENV", "PYENV_VERSION"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", path)
	t.Chdir(t.TempDir())
}

func TestLocateReadsPyenv(t *testing.T) {
	root := t.TempDir()
	shim := program(t, filepath.Join(root, "shims", "python3"), "exit 99")
	for _, v := range []string{"3.8.1", "3.11.7", "3.11.10", "3.12.1"} {
		program(t, filepath.Join(root, "versions", v, "bin", "python3"), "exit 98")
	}
	quiet(t, filepath.Dir(shim))
	set := func(path, version string) {
		require.NoError(t, os.WriteFile(path, []byte(version), 0o644))
	}
	version := func() string {
		t.Helper()
		i, err := python.Locate(t.Context(), "", "")
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(root, "versions", i.Version, "bin", "python3"), i.Path)
		return i.Version
	}
	set(filepath.Join(root, "version"), "3.12.1\n")
	assert.Equal(t, "3.12.1", version())

	below := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, os.MkdirAll(below, 0o755))
	set(filepath.Join(below, "..", "..", ".python-version"), "# a comment\nmissing-one 3.11\n")
	t.Chdir(below)
	assert.Equal(t, "3.11.10", version(), "the newest of those that the name means")

	t.Setenv("PYENV_VERSION", "3.11.7:3.12.1")
	assert.Equal(t, "3.11.7", version())

	t.Setenv("PYENV_VERSION", "3.8.1")
	_, err := python.Locate(t.Context(), "", "")
	require.ErrorIs(t, err, python.ErrNone)
	assert.ErrorContains(t, err, filepath.Join(root, "versions", "3.8.1", "bin", "python3")+" is Python 3.8.1, which is too old; install Python 3.9 or newer")
}

func TestLocateAsksOtherShimsOnce(t *testing.T) {
	real, err := python.Find(t.Context(), "")
	require.NoError(t, err)
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	shim := program(t, filepath.Join(dir, "shims", "python3"), `echo x >>"`+asked+`"; exec "`+real+`" "$@"`)
	quiet(t, filepath.Dir(shim)+":/bin:/usr/bin")
	cache := filepath.Join(dir, "cache")
	times := func() int {
		text, err := os.ReadFile(asked)
		require.NoError(t, err)
		return strings.Count(string(text), "x")
	}
	for range 3 {
		i, err := python.Locate(t.Context(), shim, cache)
		require.NoError(t, err)
		assert.NotContains(t, i.Path, "shims")
		assert.Regexp(t, `^3\.\d+\.\d+$`, i.Version)
	}
	assert.Equal(t, 1, times())
	require.NoError(t, os.WriteFile(".tool-versions", []byte("python 3\n"), 0o644))
	_, err = python.Locate(t.Context(), shim, cache)
	require.NoError(t, err)
	assert.Equal(t, 2, times(), "what the manager reads has changed")
	require.NoError(t, os.WriteFile(cache, []byte("{broken"), 0o644))
	_, err = python.Locate(t.Context(), shim, cache)
	require.NoError(t, err)
	assert.Equal(t, 3, times())
}

func TestLocateGoesOnToTheNext(t *testing.T) {
	dir := t.TempDir()
	program(t, filepath.Join(dir, "a", "shims", "python3"), "echo 'manager: no version is set' >&2; exit 126")
	good := program(t, filepath.Join(dir, "b", "python"), "exit 0")
	quiet(t, filepath.Join(dir, "a", "shims")+":"+filepath.Join(dir, "b"))
	i, err := python.Locate(t.Context(), "", "")
	require.NoError(t, err)
	assert.Equal(t, python.Interpreter{Path: good}, i, "a script of the user's own is taken as it is")

	t.Setenv("PATH", filepath.Join(dir, "a", "shims")+":/bin")
	_, err = python.Locate(t.Context(), filepath.Join(dir, "a", "shims", "python3"), "")
	require.ErrorIs(t, err, python.ErrNone)
	assert.ErrorContains(t, err, "manager: no version is set")

	t.Setenv("PATH", filepath.Join(dir, "nothing"))
	_, err = python.Locate(t.Context(), "", "")
	require.ErrorIs(t, err, python.ErrNone)
	assert.ErrorContains(t, err, "neither python3 nor python is on PATH")
	t.Setenv("FLOWCTL_PYTHON", "no-such-python")
	_, err = python.Find(t.Context(), "")
	assert.ErrorContains(t, err, `"no-such-python" cannot be found`)
}

func TestLocateVirtualEnvironment(t *testing.T) {
	dir := t.TempDir()
	inside := program(t, filepath.Join(dir, "venv", "bin", "python"), "exit 0")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "venv", "pyvenv.cfg"), []byte("home = /usr/bin\nversion = 3.10.2\n"), 0o644))
	program(t, filepath.Join(dir, "python3"), "exit 0")
	quiet(t, dir)
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "venv"))
	i, err := python.Locate(t.Context(), "", "")
	require.NoError(t, err)
	assert.Equal(t, python.Interpreter{Path: inside, Version: "3.10.2"}, i)

	require.NoError(t, os.Symlink(filepath.Join(dir, "python3"), filepath.Join(dir, "python3.8")))
	require.NoError(t, os.Rename(filepath.Join(dir, "python3"), filepath.Join(dir, "python3.7")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "python3.7"), filepath.Join(dir, "python3")))
	_, err = python.Locate(t.Context(), filepath.Join(dir, "python3"), "")
	assert.ErrorContains(t, err, "is Python 3.7, which is too old")
}

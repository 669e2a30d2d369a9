package model

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

func TestRequirements(t *testing.T) {
	dir := t.TempDir()
	wheel := filepath.Join(dir, "code", "own-1.0-py3-none-any.whl")
	require.NoError(t, os.Mkdir(filepath.Dir(wheel), 0o700))
	require.NoError(t, os.WriteFile(wheel, nil, 0o600))
	r := &Runner{MLflow: "mlflow==3.17.2"}
	for _, c := range []struct {
		text string
		want []venv.Requirement
	}{
		{"", []venv.Requirement{{Line: "mlflow==3.17.2", Field: "the server of models"}}},
		{"# made by hand\n\nmlflow-skinny[databricks]>=3 # small\ncode/own-1.0-py3-none-any.whl\n", []venv.Requirement{
			{Line: "mlflow-skinny[databricks]>=3", Field: "requirements.txt of the model, line 3"},
			{Line: wheel, Path: wheel, Field: "requirements.txt of the model, line 4"},
		}},
		{"mlflow_extra==1\n../own.whl", []venv.Requirement{
			{Line: "mlflow_extra==1", Field: "requirements.txt of the model, line 1"},
			{Line: "../own.whl", Field: "requirements.txt of the model, line 2"},
			{Line: "mlflow==3.17.2", Field: "the server of models"},
		}},
	} {
		file := filepath.Join(dir, "requirements.txt")
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
		got, err := r.requirements(dir, file)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.text)
	}
}

// What is no model is refused before anything starts, and what has no
// interpreter is refused in words.
func TestStartRefusals(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	r := &Runner{Home: home, Python: "/no/such/python", MLflow: "mlflow==3.17.2", StartTime: time.Minute}
	s := Spec{Dir: dir, Log: filepath.Join(home, "log")}
	_, err := r.Start(t.Context(), s)
	require.ErrorContains(t, err, dir+" is no model")
	require.NoFileExists(t, s.Log)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "MLmodel"), nil, 0o600))
	_, err = r.Start(t.Context(), s)
	require.ErrorContains(t, err, "/no/such/python")
}

// What a model's code has started ends with the process, also when that ends
// because whoever held its life is gone.
func TestEndsWithItsChildren(t *testing.T) {
	runtime, err := python.Extract(filepath.Join(t.TempDir(), "runtime"))
	require.NoError(t, err)
	cmd := exec.Command("python3", "-c", `
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from flowctl_rt import model_server
subprocess.Popen([sys.executable, "-c", "import time; print('child', flush=True); time.sleep(600)"], stdin=subprocess.DEVNULL)
model_server._watch()
time.sleep(600)`, runtime)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	life, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "child\n", line)
	require.NoError(t, life.Close())
	_, err = lines.ReadString('\n') // both hold this pipe
	require.ErrorIs(t, err, io.EOF)
	_ = cmd.Wait() // it was killed
}

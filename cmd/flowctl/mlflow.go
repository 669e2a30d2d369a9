package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"flowctl/tasks/local"
	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

// mlflowStore is where the tasks of a data directory log: the same store that
// tasks/local leads them to.
type mlflowStore struct {
	home   string
	python string // the interpreter, as the user named it
}

// mlflowPython is an interpreter that has MLflow whole, and what runs in it.
type mlflowPython struct {
	path    string
	runtime string // the folder of our own modules
	hold    io.Closer
}

// hasMLflow asks an interpreter for what MLflow's server needs, without
// loading it.
const hasMLflow = `import importlib.util as u, sys
sys.exit(not all(u.find_spec(n) for n in ("mlflow", "flask", "sqlalchemy", "alembic")))`

// interpreter finds an interpreter with MLflow: the user's own if it has it,
// else an environment, made if need be (say gets a line when it takes time).
// The caller closes hold when nothing runs in it any more.
func (m mlflowStore) interpreter(ctx context.Context, say func(string)) (mlflowPython, error) {
	found, err := python.Locate(ctx, m.python, filepath.Join(m.home, "python.json"))
	if err != nil {
		return mlflowPython{}, err
	}
	runtime, err := python.Extract(filepath.Join(m.home, "runtime"))
	if err != nil {
		return mlflowPython{}, err
	}
	if err := exec.CommandContext(ctx, found.Path, "-c", hasMLflow).Run(); err == nil {
		return mlflowPython{path: found.Path, runtime: runtime, hold: io.NopCloser(nil)}, nil
	}
	if os.Getenv("FLOWCTL_SPARK_ENV") == "off" {
		return mlflowPython{}, fmt.Errorf("MLflow is not installed in %s, and FLOWCTL_SPARK_ENV=off; install it with: %s -m pip install mlflow", found.Path, found.Path)
	}
	env, err := venv.Store{Dir: filepath.Join(m.home, "envs")}.Ensure(ctx, venv.Spec{
		Interpreter:  found.Path,
		Requirements: []venv.Requirement{{Line: local.MLflow, Field: "MLflow's server"}},
	}, say)
	if err != nil {
		return mlflowPython{}, fmt.Errorf("install MLflow: %w", err)
	}
	return mlflowPython{path: env.Program(), runtime: runtime, hold: env}, nil
}

// dir is the folder of the store; artifacts lie in it too.
func (m mlflowStore) dir() string { return filepath.Join(m.home, "mlflow") }

func (m mlflowStore) artifacts() string { return filepath.Join(m.dir(), "artifacts") }

// command runs a module of ours in an interpreter with MLflow.
func (m mlflowStore) command(ctx context.Context, py mlflowPython, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, py.path, append([]string{filepath.Join(py.runtime, "flowctl_rt", "mlflow_server.py")}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// pages is MLflow's own server with its pages, at an address.
func (m mlflowStore) pages(ctx context.Context, py mlflowPython, addr string) (*exec.Cmd, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if out, err := m.command(ctx, py, "--prepare", m.dir(), m.artifacts()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("open MLflow's store in %s: %s", m.dir(), lastLine(out))
	}
	cmd := m.command(ctx, py)
	cmd.Args = []string{
		py.path, "-m", "mlflow", "server", "--host", host, "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///" + filepath.Join(m.dir(), "mlflow.db"),
		"--default-artifact-root", m.artifacts(), "--no-serve-artifacts",
	}
	return cmd, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func newMLflowCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "mlflow", Short: "Look at what tasks logged to MLflow"}
	var listen string
	ui := &cobra.Command{
		Use: "ui", Short: "Serve MLflow's pages on the data directory's experiments and models", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			home, err := e.dataDir()
			if err != nil {
				return err
			}
			if host, _, err := net.SplitHostPort(listen); err != nil || !loopback(host) {
				return usage("--listen %s: write an address of this machine alone, for example 127.0.0.1:5000; MLflow's pages ask for no token", listen)
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			store := mlflowStore{home, e.python}
			py, err := store.interpreter(ctx, func(text string) { fmt.Fprintln(e.stderr, text) })
			if err != nil {
				return unable(err)
			}
			defer py.hold.Close() //nolint:errcheck // nothing was written to it
			cmd, err := store.pages(ctx, py, listen)
			if err != nil {
				return unable(err)
			}
			cmd.Stdout, cmd.Stderr = e.stderr, e.stderr
			fmt.Fprintf(e.stdout, "http://%s\n", listen)
			if err := cmd.Run(); err != nil && ctx.Err() == nil {
				return unable(fmt.Errorf("MLflow's server: %w", err))
			}
			return nil
		},
	}
	ui.Flags().StringVar(&listen, "listen", "127.0.0.1:5000", "address of the pages")
	cmd.AddCommand(ui)
	return cmd
}

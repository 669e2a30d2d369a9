package model

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Runner runs models.
type Runner struct {
	Home   string // the data directory
	Python string // the interpreter, as the user named it
	MLflow string // the requirement that brings MLflow, for a model that asks for none
	// StartTime is how long a model may take to load, once its environment is
	// there; 0: ten minutes.
	StartTime time.Duration
}

// Spec is a model to run.
type Spec struct {
	Dir string            // its files
	Env map[string]string // variables for its process
	Log string            // the file that takes what it says
}

// Instance is a model that answers.
type Instance struct {
	addr string
	key  string
	cmd  *exec.Cmd
	done chan struct{}
}

// stopTime is how long a process may take to end when it is told to.
const stopTime = 5 * time.Second

// Start runs a model and returns once it can answer. Nothing is left of one
// that cannot.
func (r *Runner) Start(ctx context.Context, s Spec) (*Instance, error) {
	if _, err := os.Stat(filepath.Join(s.Dir, "MLmodel")); err != nil {
		return nil, fmt.Errorf("%s is no model: %w", s.Dir, err)
	}
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the model's log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own hold on it
	p, err := r.environment(ctx, s.Dir, func(text string) { _, _ = fmt.Fprintln(log, "flowctl: "+text) })
	if err != nil {
		return nil, err
	}
	i, err := r.launch(ctx, s, p, log)
	if err != nil {
		p.hold()
	}
	return i, err
}

func (r *Runner) launch(ctx context.Context, s Spec, p program, log *os.File) (*Instance, error) {
	i := &Instance{key: rand.Text(), done: make(chan struct{})}
	i.cmd = exec.Command(p.path, filepath.Join(p.runtime, "flowctl_rt", "model_server.py"), s.Dir)
	i.cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "FLOWCTL_MODEL_KEY="+i.key,
		"MLFLOW_TRACKING_URI=sqlite:///"+filepath.Join(r.Home, "mlflow", "mlflow.db"))
	for name, value := range s.Env {
		i.cmd.Env = append(i.cmd.Env, name+"="+value)
	}
	i.cmd.Dir, i.cmd.Stderr = s.Dir, log
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts ends with it
	out, err := i.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start model: %w", err)
	}
	life, err := i.cmd.StdinPipe() // it ends when nobody holds this any more
	if err != nil {
		return nil, fmt.Errorf("start model: %w", err)
	}
	if err := i.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start model: %w", err)
	}
	address := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(out)
		line, err := lines.ReadString('\n')
		if err != nil {
			line = ""
		}
		address <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines) // ends with the process
		_ = i.cmd.Wait()                  // that it ended is all
		_ = syscall.Kill(-i.cmd.Process.Pid, syscall.SIGKILL)
		_ = life.Close()
		p.hold()
		close(i.done)
	}()
	return i, i.await(ctx, address, s.Log, r.StartTime)
}

// await waits until the process says where it listens.
func (i *Instance) await(ctx context.Context, address <-chan string, log string, limit time.Duration) error {
	if limit == 0 {
		limit = 10 * time.Minute
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	var err error
	select {
	case i.addr = <-address:
		if _, _, serr := net.SplitHostPort(i.addr); serr == nil {
			return nil
		}
		err = errors.New("the model could not be loaded")
	case <-late.C:
		err = fmt.Errorf("the model did not load within %s", limit)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	i.Stop()
	if last := lastWords(log); last != "" && ctx.Err() == nil {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// Done is closed when the process is gone.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Stop ends the process and returns when it is gone.
func (i *Instance) Stop() {
	select {
	case <-i.done:
		return // its number may be another's by now
	default:
	}
	_ = syscall.Kill(-i.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-i.done:
	case <-time.After(stopTime):
		_ = syscall.Kill(-i.cmd.Process.Pid, syscall.SIGKILL)
		<-i.done
	}
}

// lastWords is the last line of a log: of a Python program that fails, what
// went wrong.
func lastWords(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is an attempt's process group. It lives in a session of its own and
// writes to files, so that it outlives the engine that started it. That it
// lives is told by a lock that it inherits: no pid is ever mistaken.
type process struct {
	dir string
	pid int
	// ended is closed when the process is gone.
	ended chan struct{}
	// state is how it ended; nil for a process that another engine started.
	state *os.ProcessState
}

// spawn starts the command of an attempt in dir. Its output is appended to
// output.log.
func spawn(dir, workdir string, argv, env []string) (*process, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("start task: %s is alive already", dir)
	}
	log, err := os.OpenFile(filepath.Join(dir, "output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	cmd := &exec.Cmd{
		Path: argv[0], Args: argv, Env: env, Dir: workdir,
		Stdout: log, Stderr: log,
		ExtraFiles:  []*os.File{lock}, // descriptor 3
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	p := &process{dir: dir, pid: cmd.Process.Pid, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the state says how it ended
		p.state = cmd.ProcessState
		close(p.ended)
	}()
	return p, nil
}

// attach follows a process that an engine which is gone has started.
func attach(dir string, pid int) *process {
	p := &process{dir: dir, pid: pid, ended: make(chan struct{})}
	go func() {
		for delay := 5 * time.Millisecond; alive(dir); delay = min(2*delay, 200*time.Millisecond) {
			time.Sleep(delay)
		}
		close(p.ended)
	}()
	return p
}

// alive tells whether an attempt's process holds its lock.
func alive(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only looked at
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// stop ends the process group: politely, then after grace by force. It
// returns when the process is gone.
func (p *process) stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(grace):
	}
	p.signal(syscall.SIGKILL) // whoever of the group is left, the leader included
	<-p.ended
	// The others were told in the same moment; wait until they are gone, or
	// are only waiting to be buried by somebody else.
	for range 100 {
		if p.pid <= 1 || syscall.Kill(-p.pid, 0) != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// signal reaches the whole group. A group whose leader has gone keeps its
// number as long as anyone is left in it, so it cannot hit a stranger.
func (p *process) signal(sig syscall.Signal) {
	if p.pid > 1 {
		_ = syscall.Kill(-p.pid, sig) // the group may be gone already
	}
}

// fate says in words how a process ended that left no result.
func (p *process) fate() string {
	if p.state == nil {
		return "ended without a result while no engine was there to see it"
	}
	if ws, ok := p.state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		word := ws.Signal().String()
		if ws.Signal() == syscall.SIGKILL {
			word += ", for example because memory ran out"
		}
		return fmt.Sprintf("was ended by signal %d (%s)", int(ws.Signal()), word)
	}
	return fmt.Sprintf("ended with exit status %d and no result", p.state.ExitCode())
}

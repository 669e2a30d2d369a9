package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is an attempt's process group. It lives in a session of its own and
// writes to files, so that it outlives the engine that started it. Its leader
// is known by the lock that it inherits and by when it began (see identity):
// no pid that has come round again is ever mistaken for it.
type process struct {
	dir string
	id  identity // of the leader; its pid is the group's number too
	// ended is closed when the leader is gone. Nil for a process that another
	// engine started: that one is asked (over) rather than waited for.
	ended chan struct{}
	// state is how the leader ended, once ended is closed.
	state *os.ProcessState
}

// launch is what to start for an attempt, and where.
type launch struct {
	workdir string
	argv    []string
	env     []string
	hold    *os.File // one more lock that it inherits, as descriptor 4; nil: none
}

// release closes our own copy of what the process inherits.
func (l launch) release() {
	if l.hold != nil {
		_ = l.hold.Close() // nothing was written to it
	}
}

// spawn starts an attempt's process. Its output is appended to output.log;
// descriptor 3 is the lock, which is held as long as the process lives. The
// caller's own copies of what it inherits are closed in any case.
func spawn(dir string, lock *os.File, l launch) (*process, error) {
	defer lock.Close() //nolint:errcheck // the process has its own descriptor
	defer l.release()
	log, err := openLog(dir)
	if err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	cmd := &exec.Cmd{
		Path: l.argv[0], Args: l.argv, Env: l.env, Dir: l.workdir,
		Stdout: log, Stderr: log,
		ExtraFiles:  []*os.File{lock},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if l.hold != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, l.hold)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	p := &process{dir: dir, id: identify(cmd.Process.Pid), ended: make(chan struct{})}
	p.id.write(lock)
	go func() {
		_ = cmd.Wait() // the state says how it ended
		p.state = cmd.ProcessState
		close(p.ended)
	}()
	return p, nil
}

func openLog(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// over tells whether the leader of a process that another engine started is gone.
func (p *process) over() bool {
	if p.id.exact() {
		return !p.id.alive()
	}
	return !held(p.dir)
}

// learn takes the leader's pid from what the process says of itself: needed
// only if its engine was killed before it could write down whom it started.
func (p *process) learn(pid int) {
	if !p.id.known() && leadsSession(pid) && held(p.dir) {
		p.id = identify(pid)
	}
}

// signal reaches the whole group, unless the leader's number belongs to
// somebody else by now.
func (p *process) signal(sig syscall.Signal) {
	if p.id.known() && (p.id.same() || p.orphaned()) {
		_ = syscall.Kill(-p.id.pid, sig) // the group may be gone already
	}
}

// orphaned tells whether the group lives on without its leader. A number
// stays taken as long as a group has it, so a group without a process of its
// number cannot be a newer one.
func (p *process) orphaned() bool {
	return errors.Is(syscall.Kill(p.id.pid, 0), syscall.ESRCH) && syscall.Kill(-p.id.pid, 0) == nil
}

// leftBehind tells whether processes of the attempt live on although its
// leader is gone; far says to look also for those that left the group.
func (p *process) leftBehind(far bool) bool {
	if p.id.known() && p.orphaned() && groupLives(p.id.pid) {
		return true
	}
	return far && len(carriers(p.dir)) > 0
}

// sweep tells processes that the leader left behind to end, waits up to grace
// and then ends them by force. quit ends the waiting before. It tells whether
// there was anybody.
func (p *process) sweep(grace time.Duration, far bool, quit <-chan struct{}) bool {
	if !p.leftBehind(far) {
		return false
	}
	p.signalAll(syscall.SIGTERM, far)
	if !p.swept(grace, far, quit) {
		p.signalAll(syscall.SIGKILL, far)
		p.swept(killWait, far, quit)
	}
	return true
}

// killWait is how long a killed process may take to be gone: it may hang in
// a system call that cannot be broken off.
const killWait = 5 * time.Second

func (p *process) signalAll(sig syscall.Signal, far bool) {
	p.signal(sig)
	if !far {
		return
	}
	for _, pid := range carriers(p.dir) {
		_ = syscall.Kill(pid, sig) // it may be gone already
	}
}

// swept waits until nobody is left, and tells whether that came to pass.
func (p *process) swept(most time.Duration, far bool, quit <-chan struct{}) bool {
	limit := time.NewTimer(most)
	defer limit.Stop()
	for delay := 2 * time.Millisecond; p.leftBehind(far); delay = min(2*delay, 50*time.Millisecond) {
		select {
		case <-time.After(delay):
		case <-limit.C:
			return false
		case <-quit:
			return true
		}
	}
	return true
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

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// identity tells one process from all others that ever have its number: the
// pid, when it began, and the boot of the machine that this was counted from.
type identity struct {
	pid   int
	start string // empty where the system does not tell
	boot  string
}

func (i identity) known() bool { return i.pid > 1 }

// exact tells whether the identity is more than a pid.
func (i identity) exact() bool { return i.start != "" }

// identify reads who has a pid now.
func identify(pid int) identity {
	start, _ := startOf(pid)
	return identity{pid: pid, start: start, boot: bootID()}
}

// same tells whether the pid still is that process, a zombie included.
func (i identity) same() bool {
	start, _ := startOf(i.pid)
	if i.exact() {
		return start == i.start && bootID() == i.boot
	}
	return unix.Kill(i.pid, 0) == nil
}

// alive tells whether the process still runs.
func (i identity) alive() bool {
	_, state := startOf(i.pid)
	return i.same() && state != 'Z' && state != 'X'
}

// write puts the identity into the attempt's lock file. That it fails is no
// loss: the process itself tells its pid as its first event.
func (i identity) write(lock *os.File) {
	_, _ = lock.WriteAt([]byte(strings.Join([]string{strconv.Itoa(i.pid), i.start, i.boot, "\n"}, " ")), 0)
}

// readIdentity reads what the engine that started the process wrote; not
// known if it was killed before.
func readIdentity(lock *os.File) identity {
	buf := make([]byte, 128)
	n, _ := lock.ReadAt(buf, 0) // short, or empty
	line, _, whole := strings.Cut(string(buf[:n]), "\n")
	words := strings.Split(line, " ")
	if !whole || len(words) < 3 {
		return identity{}
	}
	pid, err := strconv.Atoi(words[0])
	if err != nil {
		return identity{}
	}
	return identity{pid: pid, start: words[1], boot: words[2]}
}

// leadsSession tells whether a pid is the first process of its session, as
// the leader of an attempt is.
func leadsSession(pid int) bool {
	if pid <= 1 {
		return false
	}
	sid, err := unix.Getsid(pid)
	return err == nil && sid == pid
}

// errHeld says that a lock is held by a process.
var errHeld = errors.New("the lock is held")

// tryLock opens a lock file, makes it if need be, and locks it. The file is
// open also if the error is errHeld.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return f, errHeld
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
}

// held tells whether a process holds an attempt's lock.
func held(dir string) bool {
	f, err := tryLock(filepath.Join(dir, "lock"))
	if f != nil {
		_ = f.Close() // only looked at
	}
	return errors.Is(err, errHeld)
}

// waitLock waits for a lock that attempts share for a while; waiting is
// called once if that takes time. Closing the file gives the lock back.
func waitLock(ctx context.Context, path string, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	for delay := time.Millisecond; ; delay = min(2*delay, 100*time.Millisecond) {
		f, err := tryLock(path)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
		}
		_ = f.Close() // it is not ours
		if delay == 64*time.Millisecond {
			waiting()
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

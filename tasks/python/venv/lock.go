package venv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How a lock is held.
const (
	shared    = unix.LOCK_SH
	exclusive = unix.LOCK_EX
)

// lock waits for an environment's lock. waiting is called with the time that
// this has taken, first after a moment and then every ten seconds.
func (s Store) lock(ctx context.Context, key string, how int, waiting func(time.Duration)) (*os.File, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	const soon, often = 100 * time.Millisecond, 10 * time.Second
	begin, next := time.Now(), soon
	for delay := time.Millisecond; ; delay = min(2*delay, 50*time.Millisecond) {
		f, err := s.tryLock(key, how)
		if err != nil || f != nil {
			return f, err
		}
		if passed := time.Since(begin); passed >= next {
			waiting(passed)
			next = passed.Truncate(often) + often
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryLock locks an environment if nobody else has it. Nil: somebody has.
func (s Store) tryLock(key string, how int) (*os.File, error) {
	path := filepath.Join(s.Dir, key+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, f.Close()
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	// Who removes an environment removes its lock too: ours may be of no file.
	mine, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		return nil, f.Close()
	}
	return f, nil
}

// waiting tells those who wait what they wait for, and how far that is.
func (s Store) waiting(key string, say func(string)) func(time.Duration) {
	return func(passed time.Duration) {
		text := "waiting for another task that builds the same environment"
		if passed > time.Second {
			text += fmt.Sprintf(" (%d s)", int(passed.Seconds()))
			if line := lastLine(filepath.Join(s.Dir, key, logName)); line != "" {
				text += ": " + line
			}
		}
		say(text)
	}
}

// idle are what pip says of what it does not do.
var idle = []string{"Requirement already satisfied", "Can't uninstall", "Found existing installation", "Attempting uninstall", "Not uninstalling"}

// lastLine is the last line of an installer's log that tells what it is at.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // only read
	const most = 16 << 10
	if st, err := f.Stat(); err == nil && st.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	for _, line := range slices.Backward(strings.Split(string(text), "\n")) {
		line = strings.TrimSpace(line)
		if line != "" && !slices.ContainsFunc(idle, func(start string) bool { return strings.HasPrefix(line, start) }) {
			return hidden(short(line, 100))
		}
	}
	return ""
}

// short cuts a text that is longer than n bytes.
func short(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

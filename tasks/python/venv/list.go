package venv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Entry is what a list of environments says of one.
type Entry struct {
	Manifest
	Key   string
	Dir   string
	Used  time.Time // last
	Size  int64     // bytes on disk; files that it shares with an installer's cache are counted too
	InUse bool      // a process runs in it, or builds it
	Whole bool      // it can be used; otherwise it is what a build that was killed left
}

// List returns the environments of a store, the one used last first.
func (s Store) List() ([]Entry, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	var list []Entry
	for _, d := range entries {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		e := Entry{Key: d.Name(), Dir: filepath.Join(s.Dir, d.Name())}
		if env, err := s.open(e.Key, nil); err == nil {
			e.Manifest, e.Whole = env.Manifest, true
		}
		e.Used = lastUse(e.Dir)
		lock, err := s.tryLock(e.Key, exclusive)
		if err != nil {
			return nil, fmt.Errorf("list environments: %w", err)
		}
		if e.InUse = lock == nil; !e.InUse {
			_ = lock.Close() // only looked at
		}
		e.Size = size(e.Dir)
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int { return b.Used.Compare(a.Used) })
	return list, nil
}

func lastUse(dir string) time.Time {
	for _, path := range []string{filepath.Join(dir, "used"), dir} {
		if st, err := os.Stat(path); err == nil {
			return st.ModTime()
		}
	}
	return time.Time{}
}

// size is what the files of a folder take; those that vanish meanwhile nothing.
func size(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it has gone
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// Prune removes the environments that were not used since a time and in which
// no process runs, and what killed builds left. It returns what it removed,
// also if there is an error.
func (s Store) Prune(before time.Time) ([]Entry, error) {
	list, err := s.List()
	if err != nil {
		return nil, err
	}
	var gone []Entry
	for _, e := range list {
		if e.Whole && !e.Used.Before(before) {
			continue
		}
		removed, err := s.remove(e, before)
		if err != nil {
			return gone, fmt.Errorf("remove environment %s: %w", e.Key, err)
		}
		if removed {
			gone = append(gone, e)
		}
	}
	return gone, nil
}

// remove removes an environment unless somebody uses it, or has used it by now.
func (s Store) remove(e Entry, before time.Time) (bool, error) {
	lock, err := s.tryLock(e.Key, exclusive)
	if lock == nil || err != nil {
		return false, err
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if e.Whole && !lastUse(e.Dir).Before(before) {
		return false, nil
	}
	// Without its manifest it is nothing, if this is broken off from here on.
	if err := os.Remove(filepath.Join(e.Dir, manifestName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err := os.RemoveAll(e.Dir); err != nil {
		return false, err
	}
	return true, os.Remove(filepath.Join(s.Dir, e.Key+".lock"))
}

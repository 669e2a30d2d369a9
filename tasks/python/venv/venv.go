package venv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Requirement is one line for the installer.
type Requirement struct {
	// Line is as in a requirements file: a requirement or an option. A path
	// in it is absolute.
	Line string
	// Path is the file or folder that Line names; empty if it names none.
	Path string
	// Field says who asks for it: "environments[0].spec.dependencies[2]".
	Field string
}

// Spec is what an environment is to be.
type Spec struct {
	Interpreter  string // its base; may be that of another environment
	Requirements []Requirement
}

// Store is a folder of environments, shared by all processes of a user.
type Store struct{ Dir string }

// Env is an environment that has been built. It stays as long as it is held:
// until Close, and until every process that has inherited Lock is gone.
type Env struct {
	Manifest
	Key  string
	Dir  string
	Lock *os.File
}

// Manifest is what env.json says of an environment.
type Manifest struct {
	Created      time.Time `json:"created"`
	Took         int64     `json:"took_ms"`
	Interpreter  string    `json:"interpreter"` // of the base
	Python       string    `json:"python"`      // version, "3.11.7"
	MadeBy       string    `json:"made_by"`     // "uv 0.13.8", "pip 23.2.1", "flowctl"
	Requirements []string  `json:"requirements"`
	Site         string    `json:"site"`                // folder of its packages, relative
	Packages     []string  `json:"packages"`            // its own, as lines of a lock
	Base         []string  `json:"base,omitempty"`      // those of the interpreter that can be imported too
	Installed    string    `json:"installed,omitempty"` // tells whether its packages have changed since
	Overlay      bool      `json:"overlay,omitempty"`   // made by %pip in a notebook
}

// manifestName is the file whose presence makes a folder an environment.
const manifestName = "env.json"

// Program is the environment's interpreter.
func (e *Env) Program() string { return filepath.Join(e.Dir, "bin", "python") }

// Bin is the folder of the programs that its packages brought.
func (e *Env) Bin() string { return filepath.Join(e.Dir, "bin") }

// SitePath is the folder of its own packages.
func (e *Env) SitePath() string { return filepath.Join(e.Dir, e.Site) }

// Close lets go of the environment.
func (e *Env) Close() error { return e.Lock.Close() }

// Ensure returns the environment of a spec, and builds it if need be. Of
// several that ask for the same one builds, the others wait. say gets a line
// of progress now and then while that lasts; nothing if the environment is
// there.
//
// The error is an *Error if the installer refuses, and wraps ENOSPC if the
// disk is full. Nothing is left of a build that failed.
func (s Store) Ensure(ctx context.Context, spec Spec, say func(string)) (*Env, error) {
	key, err := spec.key()
	if err != nil {
		return nil, err
	}
	for {
		lock, err := s.lock(ctx, key, shared, s.waiting(key, say))
		if err != nil {
			return nil, fmt.Errorf("open environment: %w", err)
		}
		if env, err := s.open(key, lock); err == nil {
			if env.unchanged() || !s.discard(env, say) {
				stamp(env.Dir)
				return env, nil
			}
			continue
		}
		_ = lock.Close() // nothing was there
		if err := s.make(ctx, key, spec, say); err != nil {
			return nil, err
		}
	}
}

// unchanged tells whether an environment still has the packages that it was
// built with. Code may run pip in it.
func (e *Env) unchanged() bool {
	now, err := installed(e.SitePath())
	return err != nil || e.Installed == "" || now == e.Installed
}

// discard makes an environment that was changed nothing, so that it is built
// anew. False: others run in it, it must be taken as it is. Otherwise its lock
// is let go of, and the asker looks again.
func (s Store) discard(e *Env, say func(string)) bool {
	const what = "the packages of environment %s were changed by code that ran in it; "
	fd := int(e.Lock.Fd())
	if unix.Flock(fd, exclusive|unix.LOCK_NB) == nil && os.Remove(filepath.Join(e.Dir, manifestName)) == nil {
		say(fmt.Sprintf(what+"it is built anew", e.Key))
		_ = e.Lock.Close() // nothing was written to it
		return true
	}
	// The attempt has cost the lock that was held before.
	if unix.Flock(fd, shared|unix.LOCK_NB) == nil {
		if _, err := os.Stat(filepath.Join(e.Dir, manifestName)); err == nil {
			say(fmt.Sprintf(what+"it is in use, so it is taken as it is", e.Key))
			return false
		}
	}
	_ = e.Lock.Close() // nothing was written to it
	return true
}

// make builds an environment that nobody else has built meanwhile.
func (s Store) make(ctx context.Context, key string, spec Spec, say func(string)) error {
	lock, err := s.lock(ctx, key, exclusive, s.waiting(key, say))
	if err != nil {
		return fmt.Errorf("build environment: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written to it
	if _, err := s.open(key, lock); err == nil {
		return nil
	}
	b := &build{dir: filepath.Join(s.Dir, key), spec: spec, lock: lock, say: say}
	err = b.run(ctx)
	if err != nil {
		_ = os.RemoveAll(b.dir) // what cannot be removed is no environment, for want of its env.json
	}
	return err
}

// open reads an environment that is there.
func (s Store) open(key string, lock *os.File) (*Env, error) {
	dir := filepath.Join(s.Dir, key)
	e := &Env{Key: key, Dir: dir, Lock: lock}
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &e.Manifest); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, manifestName), err)
	}
	if _, err := os.Stat(e.Program()); err != nil && !e.Overlay { // its base has gone
		return nil, err
	}
	return e, nil
}

// publish writes the manifest, which makes the folder an environment.
func publish(dir string, m Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := syncAll(dir); err != nil { // after a power cut no package may be empty under a manifest
		return err
	}
	tmp := filepath.Join(dir, manifestName+".new")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, manifestName))
}

// stamp remembers that an environment is used. One that cannot be stamped, on
// a full disk for example, is found unused too early, no more.
func stamp(dir string) {
	now := time.Now()
	path := filepath.Join(dir, "used")
	if err := os.Chtimes(path, now, now); errors.Is(err, os.ErrNotExist) {
		_ = os.WriteFile(path, nil, 0o600)
	}
}

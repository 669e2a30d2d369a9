package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"flowctl/engine"
	"flowctl/engine/api"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks/local"
)

// workspaceID is what {{workspace.id}} and the SDKs see as this machine's
// workspace.
const workspaceID = "900000000000001"

// app is a process that holds the data directory: store, engine, API, and the
// socket by which other flowctl processes on this machine come in.
type app struct {
	store  *store.Store
	engine *engine.Engine
	server *api.Server
	socket net.Listener
	http   *http.Server
}

// openApp opens the data directory and starts an engine on it. The error is
// store.ErrInUse if another process holds it.
func (e *env) openApp(home string, parallel int) (*app, error) {
	s, err := store.Open(home, store.Options{})
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	runners := local.Runners(&local.Options{Python: e.python, WorkspaceID: workspaceID})
	eng, err := engine.Start(s, engine.Options{
		Parallel: parallel, WorkspaceID: workspaceID, Log: log,
		Runner: func(_ *jobrun.Run, c jobrun.StartAttempt) (engine.Placement, error) {
			if r, ok := runners[c.Task.Type]; ok {
				return engine.Placement{Runner: r}, nil
			}
			return engine.Placement{}, fmt.Errorf("a %s cannot run on this machine", c.Task.Type)
		},
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	a := &app{store: s, engine: eng, server: &api.Server{Engine: eng, User: userName(), Log: log}}
	if err := a.serve(home); err != nil {
		log.Warn("other flowctl processes cannot reach this one", "error", err)
	}
	return a, nil
}

// socketPath is where the holder of a data directory listens. The name of a
// unix socket has about a hundred bytes; a longer one is kept under /tmp.
func socketPath(home string) string {
	path := filepath.Join(home, "flowctl.sock")
	if len(path) < 100 {
		return path
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("flowctl-%d-%x.sock", os.Getuid(), hash(home)))
}

func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// serve opens the socket. Whoever may open the data directory may use it.
func (a *app) serve(home string) error {
	path := socketPath(home)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // of a holder that was killed: we have the lock, so it is gone
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	a.socket = l
	a.http = &http.Server{Handler: a.server.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.http.Serve(l) }() // ends with close
	return nil
}

// close lets go of the data directory. Attempts that run go on.
func (a *app) close() error {
	err := a.engine.Close()
	if a.http != nil {
		_ = a.http.Close() // followers notice, and take over
	}
	return errors.Join(err, a.store.Close())
}

func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "flowctl"
}

// door is the way to the engine of a data directory: this process's own, or
// that of the process that holds it.
type door struct {
	client *http.Client
	base   string
	app    *app // nil: another process holds the engine
}

// openDoor takes the data directory, or finds who has it.
func (e *env) openDoor(ctx context.Context, home string, parallel int) (*door, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		a, err := e.openApp(home, parallel)
		if err == nil {
			return &door{client: &http.Client{Transport: api.InProcess(a.server.Handler())}, base: "http://flowctl", app: a}, nil
		}
		if !errors.Is(err, store.ErrInUse) {
			return nil, unable(err)
		}
		d := socketDoor(home)
		if d.alive(ctx) {
			return d, nil
		}
		// The holder is starting or stopping: its socket is not there.
		if wait >= 200*time.Millisecond && ctx.Err() != nil {
			return nil, unable(fmt.Errorf("%w, and it does not answer on %s", store.ErrInUse, socketPath(home)))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, &exitError{code: exitInterrupted}
		}
	}
}

func socketDoor(home string) *door {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketPath(home))
	}
	return &door{client: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://flowctl"}
}

// alive asks whether somebody answers.
func (d *door) alive(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+"/flowctl/v1/ping", nil)
	if err != nil {
		return false
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // any answer will do
	return true
}

func (d *door) close() error {
	d.client.CloseIdleConnections()
	if d.app != nil {
		return d.app.close()
	}
	return nil
}

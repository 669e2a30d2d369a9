package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/databricks/databricks-sdk-go/client"

	"flowctl/engine"
	"flowctl/engine/api"
	"flowctl/engine/jobrun"
	"flowctl/engine/notify"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
	"flowctl/tasks"
	"flowctl/tasks/local"
)

// workspaceID is what {{workspace.id}} and the SDKs see as this machine's
// workspace.
const workspaceID = "900000000000001"

// app is a process that holds the data directory: store, engine, workspaces,
// API, and the socket by which other flowctl processes on this machine come in.
type app struct {
	store      *store.Store
	engine     *engine.Engine
	workspaces *workspace.Set
	outbox     *notify.Outbox // nil: nobody is notified
	server     *api.Server
	local      http.Handler // the API for this machine's user
	http       *http.Server // on the socket
	tasks      *taskAPI     // nil: tasks find the API where the daemon listens, or have none
}

// appOptions are how a process holds the data directory.
type appOptions struct {
	parallel int // attempts at once; 0: the number of cores
	// base is where the API is on the network; empty: nowhere.
	base              string
	hosts             []string
	namespacePerToken bool
	log               *slog.Logger // nil: warnings to stderr
	meter             engine.Meter
	// notify has people and programs told of what runs; nil: nobody is.
	notify *notify.Options
}

// openApp opens the data directory and starts an engine on it. The error is
// store.ErrInUse if another process holds it.
func (e *env) openApp(home string, opt appOptions) (a *app, err error) {
	a = &app{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
			a = nil
		}
	}()
	if a.store, err = store.Open(home, store.Options{}); err != nil {
		return a, err
	}
	log := opt.log
	if log == nil {
		log = slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	a.workspaces, err = workspace.Open(a.store, workspace.Options{ID: workspaceID, PerToken: opt.namespacePerToken})
	if err != nil {
		return a, err
	}
	remote := newWorkspaces(home)
	var outbox engine.Outbox
	if opt.notify != nil {
		opt.notify.Workspaces, opt.notify.Base, opt.notify.Log = a.workspaces, opt.base, log
		if a.outbox, err = notify.Start(a.store, *opt.notify); err != nil {
			return a, err
		}
		outbox = a.outbox
	}
	if opt.base == "" && !ownWorkspace() {
		a.tasks = &taskAPI{app: a, python: e.python, log: log}
	}
	a.engine, err = engine.Start(a.store, engine.Options{
		Outbox:   outbox,
		Parallel: opt.parallel, WorkspaceURL: opt.base, WorkspaceID: workspaceID, Log: log, Meter: opt.meter,
		RunEnded: endSpark(home, log),
		Origin:   local.Origin,
		Runner:   withRemote(runnerTable(local.Runners(a.localOptions(e.python, opt.base))), remote),
		Follower: remote.follower,
	})
	if err != nil {
		return a, err
	}
	a.server = &api.Server{Engine: a.engine, Workspaces: a.workspaces, Base: opt.base, Hosts: opt.hosts, User: userName(), Log: log}
	a.local = a.server.Local(a.server.LocalHandler())
	if err := a.serve(home); err != nil {
		log.Warn("other flowctl processes cannot reach this one", "error", err)
	}
	return a, nil
}

// runnerTable is how the engine finds what runs an attempt.
func runnerTable(runners tasks.Runners) func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
	return func(_ *jobrun.Run, c jobrun.StartAttempt) (engine.Placement, error) {
		if r, ok := runners[c.Task.Type]; ok {
			return engine.Placement{Runner: r}, nil
		}
		return engine.Placement{}, fmt.Errorf("a %s cannot run on this machine", c.Task.Type)
	}
}

// ownWorkspace says whether the user's environment names a workspace for the
// tasks of this process: then its API is theirs, not ours.
func ownWorkspace() bool {
	return os.Getenv("DATABRICKS_HOST") != "" || os.Getenv("DATABRICKS_CONFIG_PROFILE") != ""
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
	a.http = &http.Server{Handler: a.local, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.http.Serve(l) }() // ends with close
	return nil
}

// close lets go of the data directory. Attempts that run go on.
func (a *app) close() error {
	var errs []error
	if a.engine != nil {
		errs = append(errs, a.engine.Close())
	}
	if a.tasks != nil {
		errs = append(errs, a.tasks.close())
	}
	if a.http != nil {
		_ = a.http.Close() // followers notice, and take over
	}
	if a.outbox != nil {
		errs = append(errs, a.outbox.Close())
	}
	if a.workspaces != nil {
		errs = append(errs, a.workspaces.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "flowctl"
}

// door is the way to whatever answers the Jobs API: this process's own engine,
// that of the process that holds the data directory, or a workspace.
type door struct {
	client    *http.Client
	base      string
	app       *app                     // nil: the engine is not in this process
	workspace *client.DatabricksClient // nil: the engine of a data directory
}

// claim is openApp as soon as the data directory is free. wait hears of who
// has it, base and ok as holder answers them, and says whether to go on
// waiting; the error is store.ErrInUse if not, or if ctx ends before.
func (e *env) claim(ctx context.Context, d *door, home string, opt appOptions, wait func(base string, ok bool) bool) (*app, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		a, err := e.openApp(home, opt)
		if !errors.Is(err, store.ErrInUse) {
			return a, err
		}
		if base, ok := d.holder(ctx); !wait(base, ok) {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// openInTurn is openApp for a daemon. A command that has the data directory,
// as one does that took over from a daemon that died, lets go of it when its
// run has ended: it is waited for. Another daemon does not.
func (e *env) openInTurn(ctx context.Context, home string, log *slog.Logger, opt appOptions) (*app, error) {
	const mute = 5 * time.Second // for a holder that is starting or stopping
	d := socketDoor(home)
	defer d.client.CloseIdleConnections()
	begin, told := time.Now(), false
	return e.claim(ctx, d, home, opt, func(base string, ok bool) bool {
		if ok && base == "" && !told {
			told = true
			log.Info("waiting for a command that has the data directory until its run ends", "home", home)
		}
		return base == "" && (ok || time.Since(begin) <= mute)
	})
}

// openDoor takes the data directory, or finds who has it. A workspace that the
// command line names is asked instead.
func (e *env) openDoor(ctx context.Context, home string, parallel int) (*door, error) {
	if e.onWorkspace() {
		return e.openWorkspace()
	}
	d, alive := socketDoor(home), false
	// A holder without a socket is starting or stopping.
	a, err := e.claim(ctx, d, home, appOptions{parallel: parallel}, func(_ string, ok bool) bool {
		alive = ok
		return !ok
	})
	switch {
	case err == nil:
		return &door{client: &http.Client{Transport: api.InProcess(a.local)}, base: "http://flowctl", app: a}, nil
	case !errors.Is(err, store.ErrInUse):
		return nil, unable(err)
	case !alive:
		return nil, &exitError{code: exitInterrupted}
	}
	return d, nil
}

func socketDoor(home string) *door {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketPath(home))
	}
	return &door{client: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://flowctl"}
}

// holder asks who has the data directory: where it is on the network, which a
// command is not, and whether it answers at all.
func (d *door) holder(ctx context.Context) (base string, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+"/flowctl/v1/ping", nil)
	if err != nil {
		return "", false
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var pong api.Pong
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&pong) != nil {
		return d.base, true // of an older version: it may be a daemon
	}
	return pong.Base, true
}

func (d *door) close() error {
	if d.client != nil {
		d.client.CloseIdleConnections()
	}
	if d.app != nil {
		return d.app.close()
	}
	return nil
}

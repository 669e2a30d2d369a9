package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flowctl/engine/api"
	"flowctl/engine/serving"
)

// network is what a process that holds a data directory answers on the network
// beside jobs: MLflow, and the endpoints that serve models.
type network struct {
	server    *api.Server // with both
	models    *mlflowAPI
	endpoints *serving.Endpoints
	end       context.CancelFunc
}

// openNetwork takes up the data directory's endpoints. MLflow's server starts
// when somebody first asks for it.
func (a *app) openNetwork(python, base string, log *slog.Logger) (*network, error) {
	ctx, end := context.WithCancel(context.Background())
	n := &network{end: end, models: &mlflowAPI{store: mlflowStore{a.store.Home(), python}, log: log, ctx: ctx, patience: mlflowPatience}}
	var err error
	if n.endpoints, err = openServing(a.store, a.workspaces, n.models, python, log); err != nil {
		return nil, errors.Join(fmt.Errorf("take up serving endpoints: %w", err), n.close())
	}
	server := *a.server
	server.Serving, server.Tracked, server.Base = n.endpoints, n.models.tracked, base
	n.server = &server
	return n, nil
}

// close ends the models and MLflow's server.
func (n *network) close() error {
	n.end()
	var err error
	if n.endpoints != nil {
		err = n.endpoints.Close()
	}
	n.models.ended.Wait()
	return err
}

// tracked tells who made an experiment or a model.
func (m *mlflowAPI) tracked(ctx context.Context, kind, id string) (string, error) {
	var found struct {
		Owner string `json:"owner"`
	}
	err := m.ask(ctx, "/flowctl/object", url.Values{"kind": {kind}, "id": {id}}, &found)
	return found.Owner, err
}

// taskAPI is the API for the tasks of a process that is no daemon, on loopback
// as long as it lives. It opens when the first task starts. The next process
// that takes up the runs of this one listens at the same address, if nothing
// else does by then.
type taskAPI struct {
	app    *app
	python string
	log    *slog.Logger

	once    sync.Once
	err     error
	base    string
	http    *http.Server
	network *network
}

// address is where tasks find the API.
func (t *taskAPI) address() (string, error) {
	t.once.Do(func() { t.err = t.open() })
	return t.base, t.err
}

func (t *taskAPI) open() error {
	file := filepath.Join(t.app.store.Home(), "tasks.addr")
	l, err := listenAgain(file)
	if err != nil {
		return fmt.Errorf("serve the API to tasks: %w", err)
	}
	base := "http://" + l.Addr().String()
	if t.network, err = t.app.openNetwork(t.python, "", t.log); err != nil {
		return errors.Join(err, l.Close())
	}
	// Another process that takes up our tasks wants to know; if it cannot, only
	// their calls fail.
	_ = os.WriteFile(file, []byte(l.Addr().String()), 0o600)
	server := t.network.server
	t.http = &http.Server{
		Handler:           ownPaths{api: server.Guard(server.Handler()), models: server.Guard(t.network.models)},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
	}
	go func() { _ = t.http.Serve(l) }() // ends with close
	t.base = base
	return nil
}

// listenAgain listens where the file says, if that is free, else anywhere.
func listenAgain(file string) (net.Listener, error) {
	if addr, err := os.ReadFile(file); err == nil {
		if l, err := net.Listen("tcp", strings.TrimSpace(string(addr))); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

func (t *taskAPI) close() error {
	t.once.Do(func() { t.err = errors.New("this process is stopping") })
	if t.http != nil {
		_ = t.http.Close() // tasks that go on find the next process
	}
	if t.network != nil {
		return t.network.close()
	}
	return nil
}

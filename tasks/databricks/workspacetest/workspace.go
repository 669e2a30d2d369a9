// Package workspacetest is a workspace for tests: flowctl's own API over an
// engine in a data directory of its own, behind a wire that can be cut. It is
// for tests alone.
package workspacetest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/api"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
	"flowctl/tasks"
	"flowctl/tasks/databricks/rest"
)

// User is who asks.
const User = "ann@example.com"

// Workspace is a workspace that listens.
type Workspace struct {
	Engine *engine.Engine
	URL    string
	Token  string

	mu       sync.Mutex
	requests []string
}

// Start starts a workspace whose tasks are run by run. Wire, if it is not
// nil, stands between the network and the API.
func Start(t testing.TB, run tasks.Runner, wire func(http.Handler) http.Handler) *Workspace {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{NoSync: true})
	require.NoError(t, err)
	set, err := workspace.Open(s, workspace.Options{ID: "900000000000002"})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	eng, err := engine.Start(s, engine.Options{Log: log, Parallel: 64, Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
		return engine.Placement{Runner: run}, nil
	}})
	require.NoError(t, err)
	token, _, err := set.CreateToken(workspace.TokenRequest{User: User})
	require.NoError(t, err)
	w := &Workspace{Engine: eng, Token: token}
	server := &api.Server{Engine: eng, Workspaces: set, User: User, Log: log}
	h := server.Guard(server.Handler())
	if wire != nil {
		h = wire(h)
	}
	ts := httptest.NewServer(w.count(h))
	w.URL = ts.URL
	t.Cleanup(func() {
		ts.CloseClientConnections()
		ts.Close()
		require.NoError(t, eng.Close())
		require.NoError(t, set.Close())
		require.NoError(t, s.Close())
	})
	return w
}

func (w *Workspace) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		next.ServeHTTP(rw, r)
	})
}

// Requests are what has been asked since the last call, method and path.
func (w *Workspace) Requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.requests
	w.requests = nil
	return list
}

// Client asks the workspace.
func (w *Workspace) Client(t testing.TB) *rest.Client {
	t.Helper()
	c, err := rest.New(&config.Config{Host: w.URL, Token: w.Token, Loaders: []config.Loader{config.ConfigAttributes}})
	require.NoError(t, err)
	return c
}

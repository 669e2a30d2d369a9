package api

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// bed is a server on a real engine, store and workspace, with an admin and a
// user who has no rights.
type bed struct {
	url        string
	server     *Server
	workspaces *workspace.Set
	admin, bob string // tokens
}

const (
	annName = "ann@example.com"
	bobName = "bob@example.com"
)

func newBed(t testing.TB) *bed {
	t.Helper()
	return newBedWith(t, workspace.Options{})
}

func newBedWith(t testing.TB, opt workspace.Options) *bed {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	eng, err := engine.Start(s, engine.Options{Log: log, Parallel: 4, Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
		return engine.Placement{Runner: scripted{}}, nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	opt.NoSync = true
	set, err := workspace.Open(s, opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })

	b := &bed{server: &Server{Engine: eng, User: annName, Log: log, Workspaces: set}, workspaces: set}
	web := httptest.NewServer(b.server.Guard(b.server.Handler()))
	t.Cleanup(web.Close)
	b.url = web.URL
	b.admin, b.bob = b.token(t, annName), b.token(t, bobName)
	return b
}

func (b *bed) token(t testing.TB, user string) string {
	t.Helper()
	value, _, err := b.workspaces.CreateToken(workspace.TokenRequest{User: user})
	require.NoError(t, err)
	return value
}

// client is the SDK's own, with a token.
func (b *bed) client(t *testing.T, token string) *databricks.WorkspaceClient {
	t.Helper()
	w, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: b.url, Token: token, AuthType: "pat", ConfigFile: "/dev/null", HTTPTimeoutSeconds: 20, RetryTimeoutSeconds: 1,
	})
	require.NoError(t, err)
	return w
}

// scripted does what a task's key says: "bad…" fails, "hang…" waits to be
// stopped, and all others succeed and return their parameters.
type scripted struct{}

func (scripted) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	out.Started()
	switch {
	case strings.HasPrefix(a.Key, "bad"):
		return tasks.Result{Outcome: tasks.Failed, Message: "ValueError: bad rating", Trace: "Traceback: line 1"}, nil
	case strings.HasPrefix(a.Key, "hang"), strings.Contains(string(a.Task.Payload), `"full_refresh_selection":["hang"]`):
		return taskstest.Hang(ctx, a, out)
	}
	if err := out.SetValue("day", json.RawMessage(`"`+a.Parameters["day"]+`"`)); err != nil {
		return tasks.Result{}, err
	}
	return tasks.Result{Outcome: tasks.Success, Output: json.RawMessage(`{"notebook_output":{"result":"day ` + a.Parameters["day"] + `","truncated":false}}`)}, nil
}

// job makes a job that never runs.
func (b *bed) job(t *testing.T, creator string) int64 {
	t.Helper()
	id, err := b.server.Engine.CreateJob(context.Background(), engine.JobRequest{
		Creator: creator, Settings: []byte(`{"name":"etl","tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/Shared/a"}}]}`),
	})
	require.NoError(t, err)
	return id
}

// do sends a request as it is and returns the answer's body.
func (b *bed) do(t testing.TB, token, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, b.url+path, body)
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(got)
}

// Whoever may view one run of many finds it, though pages on the way are empty.
func TestShortPages(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	source := []byte(`{"tasks":[{"task_key":"a","condition_task":{"op":"EQUAL_TO","left":"1","right":"1"}}]}`)
	mine, err := b.server.Engine.Submit(ctx, engine.SubmitRequest{Source: source, Creator: bobName})
	require.NoError(t, err)
	for range 2*runsLook + 10 {
		_, err := b.server.Engine.Submit(ctx, engine.SubmitRequest{Source: source, Creator: annName})
		require.NoError(t, err)
	}
	list, err := b.client(t, b.bob).Jobs.ListRunsAll(ctx, jobs.ListRunsRequest{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, mine, list[0].RunId)
	list, err = b.client(t, b.admin).Jobs.ListRunsAll(ctx, jobs.ListRunsRequest{CompletedOnly: true})
	require.NoError(t, err)
	require.Len(t, list, 2*runsLook+11)
}

package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/workspace"
)

// Without a good token a request learns nothing: not even which paths there are.
func TestGuard(t *testing.T) {
	b := newBed(t)
	paths := []string{
		"GET /api/2.0/preview/scim/v2/Me", "GET /api/2.2/jobs/list", "POST /api/2.0/workspace/mkdirs", "GET /no/such/path",
		"PUT /api/2.0/fs/files/Volumes/a/b/c/d", "POST /api/2.0/workspace-files/import-file/Shared%2Fx", "POST /.well-known/databricks-config",
		"GET /.well-known/databricks-config/", "POST /telemetry-ext", "GET /healthz/../api/2.0/secrets/scopes/list", "DELETE /",
	}
	for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + b.admin, "Bearer " + b.admin + "x", b.admin, "Basic dXNlcjpwYXNz"} {
		for _, path := range paths {
			method, path, _ := strings.Cut(path, " ")
			resp, body := b.do(t, "", method, path, strings.NewReader(`{"path":"/Shared/x"}`), "Authorization", auth)
			assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, "%s %s as %q", method, path, auth)
			assert.Contains(t, body, `"error_code":"UNAUTHENTICATED"`)
			assert.Empty(t, resp.Header.Get("X-Databricks-Org-Id"))
		}
	}
	resp, _ := b.do(t, b.admin, "GET", "/api/2.0/workspace/get-status?path=/Shared/x", nil)
	assert.Equal(t, http.StatusNotFound, resp.StatusCode, "nothing was made")
	resp, _ = b.do(t, "", "GET", "/.well-known/databricks-config", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	resp, _ = b.do(t, "", "GET", "/healthz", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode, "not guarded")

	req, err := http.NewRequest("GET", b.url+"/api/2.0/preview/scim/v2/Me", nil)
	require.NoError(t, err)
	req.SetBasicAuth("token", b.admin)
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode, "as legacy clients log in")
}

// The command line prints addresses of pages that a workspace has. Who opens
// one here reads what shows the run, and nothing of what there is.
func TestPagesOfAWorkspace(t *testing.T) {
	b := newBed(t)
	browser := []string{"Accept", "text/html,application/xhtml+xml"}
	for path, want := range map[string]string{
		"/jobs/11/runs/12?o=900": "flowctl runs get 12\nflowctl runs output 12\n", "/jobs/11": "flowctl jobs get 11\n",
		"/?o=900": "flowctl runs list\n", "/jobs/<script>/runs/1": "flowctl runs list\n",
	} {
		resp, body := b.do(t, "", "GET", path, nil, browser...)
		assert.Equal(t, http.StatusNotFound, resp.StatusCode)
		assert.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
		assert.True(t, strings.HasSuffix(body, "\n\n"+want), body)
	}
	resp, _ := b.do(t, "", "GET", "/api/2.2/jobs/list", nil, browser...)
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestRevokedToken(t *testing.T) {
	b := newBed(t)
	ctx := context.Background()
	w := b.client(t, b.admin)
	tok, err := w.Tokens.Create(ctx, settings.CreateTokenRequest{Comment: "short", LifetimeSeconds: 300})
	require.NoError(t, err)
	inner := b.client(t, tok.TokenValue)
	me, err := inner.CurrentUser.Me(ctx, iam.MeRequest{})
	require.NoError(t, err)
	assert.Equal(t, annName, me.UserName)
	require.ErrorIs(t, b.client(t, b.bob).Tokens.DeleteByTokenId(ctx, tok.TokenInfo.TokenId), databricks.ErrResourceDoesNotExist)
	require.NoError(t, w.Tokens.DeleteByTokenId(ctx, tok.TokenInfo.TokenId))
	_, err = inner.CurrentUser.Me(ctx, iam.MeRequest{})
	require.ErrorIs(t, err, databricks.ErrUnauthenticated)

	resp, _ := b.do(t, b.admin, "POST", "/api/2.0/token/create", strings.NewReader(`{"lifetime_seconds":9999999999999}`))
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	list, err := w.TokenManagement.ListAll(ctx, settings.ListTokenManagementRequest{})
	require.NoError(t, err)
	assert.Len(t, list, 2)
	info, err := w.TokenManagement.GetByTokenId(ctx, list[1].TokenId)
	require.NoError(t, err)
	assert.Equal(t, bobName, info.TokenInfo.CreatedByUsername)
	require.NoError(t, w.TokenManagement.DeleteByTokenId(ctx, list[1].TokenId))
	_, err = b.client(t, b.bob).CurrentUser.Me(ctx, iam.MeRequest{})
	require.ErrorIs(t, err, databricks.ErrUnauthenticated)
}

func TestHostNames(t *testing.T) {
	s := &Server{Hosts: []string{"flow.example.com"}}
	for _, host := range []string{"localhost", "localhost:8080", "LOCALHOST", "localhost.:80", "a.localhost:1", "127.0.0.1:8080", "[::1]:8080", "[::1]", "::1", "10.1.2.3", "flow.example.com:443", "Flow.Example.com."} {
		assert.True(t, s.knows(host), host)
	}
	for _, host := range []string{"", "evil.com", "evil.com:8080", "localhost.evil.com", "127.0.0.1.evil.com", "flow.example.com.evil.com", "xlocalhost", "1234567890"} {
		assert.False(t, s.knows(host), host)
	}
	b := newBed(t)
	req, err := http.NewRequest("GET", b.url+"/.well-known/databricks-config", nil)
	require.NoError(t, err)
	req.Host = "evil.com"
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
}

func TestLocalAndInProcess(t *testing.T) {
	b := newBed(t)
	w, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: "http://localhost", Token: "none", AuthType: "pat", ConfigFile: "/dev/null", HTTPTransport: InProcess(b.server.Local(b.server.Handler())),
	})
	require.NoError(t, err)
	ctx := context.Background()
	me, err := w.CurrentUser.Me(ctx, iam.MeRequest{})
	require.NoError(t, err)
	assert.Equal(t, annName, me.UserName)
	require.NoError(t, w.Workspace.Upload(ctx, "/Shared/x.py", strings.NewReader("1")))
	id, err := w.CurrentWorkspaceID(ctx)
	require.NoError(t, err)
	assert.NotZero(t, id)

	// Without Guard and without Local nobody is let in.
	resp, err := InProcess(b.server.Handler()).RoundTrip(mustRequest(t, "GET", "http://localhost/api/2.0/workspace/list?path=/"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func mustRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	return req
}

// A job of one workspace is none of another's, whatever is asked about it.
func TestJobsStayInTheirWorkspace(t *testing.T) {
	b := newBedWith(t, workspace.Options{PerToken: true})
	ctx := t.Context()
	job, err := b.client(t, b.admin).Jobs.Create(ctx, jobs.CreateJob{Name: "mine", Tasks: []jobs.Task{
		{TaskKey: "a", ConditionTask: &jobs.ConditionTask{Op: "EQUAL_TO", Left: "1", Right: "1"}},
	}})
	require.NoError(t, err)
	run, err := b.client(t, b.admin).Jobs.RunNow(ctx, jobs.RunNow{JobId: job.JobId})
	require.NoError(t, err)
	for _, path := range []string{
		fmt.Sprintf("GET /api/2.2/jobs/get?job_id=%d", job.JobId), fmt.Sprintf("GET /api/2.2/jobs/runs/get?run_id=%d", run.RunId),
		fmt.Sprintf("GET /api/2.2/jobs/runs/export?run_id=%d", run.RunId), fmt.Sprintf("GET /api/2.0/permissions/jobs/%d", job.JobId),
		fmt.Sprintf("PUT /api/2.0/permissions/jobs/%d", job.JobId),
	} {
		method, path, _ := strings.Cut(path, " ")
		resp, body := b.do(t, b.bob, method, path, strings.NewReader(`{}`))
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, resp.StatusCode, path)
		assert.Contains(t, body, "does not exist.", path)
		assert.NotContains(t, body, annName)
	}
	for _, path := range []string{"/api/2.2/jobs/list", "/api/2.2/jobs/runs/list"} {
		_, body := b.do(t, b.bob, http.MethodGet, path, nil)
		assert.JSONEq(t, `{"has_more":false}`, body)
	}
}

func TestWorkspacePerToken(t *testing.T) {
	b := newBedWith(t, workspace.Options{PerToken: true})
	ctx := context.Background()
	one, two := b.client(t, b.admin), b.client(t, b.bob)
	require.NoError(t, one.Workspace.Upload(ctx, "/Shared/x.py", strings.NewReader("1")))
	_, err := two.Workspace.GetStatusByPath(ctx, "/Shared/x.py")
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)
	tok, err := one.Tokens.Create(ctx, settings.CreateTokenRequest{})
	require.NoError(t, err)
	_, err = b.client(t, tok.TokenValue).Workspace.GetStatusByPath(ctx, "/Shared/x.py")
	require.NoError(t, err)
}

// repeat is a body without end, or of n bytes.
type repeat struct {
	text string
	n    int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n+len(r.text) <= len(p) && r.n > 0 {
		n += copy(p[n:], r.text)
		r.n -= len(r.text)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestBadBodies(t *testing.T) {
	b := newBed(t)
	deep := strings.Repeat("[", 5_000_000)
	for _, tt := range []struct {
		name   string
		body   io.Reader
		status int
		code   string
	}{
		{"cut off", strings.NewReader(`{"path"`), 400, "MALFORMED_REQUEST"},
		{"two", strings.NewReader(`{"path":"/Shared/a"}{}`), 400, "MALFORMED_REQUEST"},
		{"no object", strings.NewReader(`[]`), 400, "INVALID_PARAMETER_VALUE"},
		{"wrong type", strings.NewReader(`{"path":7}`), 400, "INVALID_PARAMETER_VALUE"},
		{"not UTF-8", strings.NewReader("{\"path\":\"/Shared/\xff\"}\x00"), 400, "MALFORMED_REQUEST"},
		{"deep", strings.NewReader(deep), 400, "MALFORMED_REQUEST"},
		{"deep in a field", strings.NewReader(`{"path":"/Shared/a","x":` + deep), 400, "MALFORMED_REQUEST"},
		{"nothing", strings.NewReader(""), 400, "INVALID_PARAMETER_VALUE"},
		{"huge", &repeat{"aaaaaaaa", 64 << 20}, 413, "REQUEST_TOO_LARGE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := b.do(t, b.admin, "POST", "/api/2.0/workspace/mkdirs", tt.body)
			assert.Equal(t, tt.status, resp.StatusCode, body)
			assert.Contains(t, body, tt.code)
		})
	}
	resp, _ := b.do(t, b.admin, "GET", "/api/2.0/workspace/list?path=/Shared", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode)

	form := "multipart/form-data; boundary=x"
	for _, tt := range []struct{ kind, body string }{
		{"multipart/form-data", "x"},
		{form, "garbage"},
		{form, "--x\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Shared/f\r\n--x--\r\n"},
		{form, "--x\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n--x--\r\n"},
		{form, strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n1\r\n", 2) + "--x--\r\n"},
		{form, "--x\r\nContent-Disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\n1"},
	} {
		resp, body := b.do(t, b.admin, "POST", "/api/2.0/workspace/import", strings.NewReader(tt.body), "Content-Type", tt.kind)
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, body)
	}
}

func TestBodiesThatStop(t *testing.T) {
	// A client that stops in the middle of its body, at once and at leisure.
	b := newBed(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(conn, "PUT /api/2.0/fs/files/Volumes/a/b/c/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nAuthorization: Bearer "+b.admin+"\r\n\r\nhalf")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Contains(t, string(answer), "HTTP/1.1 400")
	assert.Contains(t, string(answer), "MALFORMED_REQUEST")
	require.NoError(t, conn.Close())
	resp, _ := b.do(t, b.admin, "HEAD", "/api/2.0/fs/files/Volumes/a/b/c/half", nil)
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)

	server, client := net.Pipe()
	defer client.Close()
	p := &patientReader{body: server, conn: http.NewResponseController(deadliner{server}), wait: time.Millisecond}
	_, err = io.ReadAll(p)
	require.Error(t, err)
	var e *apiError
	require.True(t, errors.As(p.blame(err), &e))
	assert.Equal(t, http.StatusRequestTimeout, e.status)
}

// deadliner is a response writer that has a connection's deadlines.
type deadliner struct{ net.Conn }

func (d deadliner) Header() http.Header { return nil }
func (d deadliner) WriteHeader(int)     {}

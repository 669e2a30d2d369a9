package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flowctl/engine/api"
	"flowctl/engine/workspace"
)

// mlflowAPI answers the paths of MLflow that clients call on a workspace, from
// the store that tasks log to. MLflow's own server does it, with additions of
// ours: the first call starts one on loopback, and it ends with this process.
type mlflowAPI struct {
	store mlflowStore
	log   *slog.Logger
	ctx   context.Context // as long as this process serves

	patience time.Duration // of a call with a server that is being started

	mu     sync.Mutex
	server *mlflowServer // nil: not started, or it ended
	ended  sync.WaitGroup
}

// mlflowServer is a server that runs, or one that is being started.
type mlflowServer struct {
	begun chan struct{} // closed when the others are known
	proxy http.Handler
	err   error

	mu   sync.Mutex
	said string // the last word of its making
}

func (s *mlflowServer) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = text
}

func (s *mlflowServer) lastWord() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said
}

// mlflowPatience is how long a call waits for a server that is being started.
// The first one of a data directory may have to install MLflow, and clients do
// not wait for that: the SDKs and the command line hang up after 60 seconds
// and do not ask again. A 503 they take as a reason to, for five minutes.
//
// Source: databricks-sdk-go, httpclient.defaultHTTPTimeout and
// apierr.APIError.IsRetriable; MLflow's own client tries a 503 again too.
const mlflowPatience = 20 * time.Second

// mlflowPrefixes begin the paths that are MLflow's whole.
var mlflowPrefixes = []string{
	"/api/2.0/mlflow/", "/api/3.0/mlflow/", "/ajax-api/2.0/mlflow/", "/ajax-api/3.0/mlflow/",
	"/api/2.1/unity-catalog/models/", "/dbfs/databricks/mlflow/", "/api/2.0/fs/files/Models/", "/api/2.0/fs/directories/Models/",
}

// forMLflow says whether MLflow's server answers a request. Some paths are
// shared: then what the request names decides, and its body, if that had to be
// read, is as it was.
func forMLflow(r *http.Request) bool {
	for _, prefix := range mlflowPrefixes {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return true
		}
	}
	switch r.URL.Path {
	case "/api/2.1/unity-catalog/models":
		return true
	case "/api/2.0/dbfs/list", "/api/2.0/dbfs/get-status":
		path := strings.TrimPrefix(r.URL.Query().Get("path"), "dbfs:")
		return path == "/databricks/mlflow" || strings.HasPrefix(path, "/databricks/mlflow/")
	case "/api/2.0/fs/create-upload-url", "/api/2.0/fs/create-download-url":
		return strings.HasPrefix(namedPath(r), "/Models/")
	}
	return false
}

// namedPath is the path that a small JSON body names.
func namedPath(r *http.Request) string {
	head, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	var named struct {
		Path string `json:"path"`
	}
	if err != nil || json.Unmarshal(head, &named) != nil {
		return ""
	}
	return named.Path
}

func (m *mlflowAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	server := m.start()
	patience := time.NewTimer(m.patience)
	defer patience.Stop()
	select {
	case <-server.begun:
	case <-r.Context().Done():
		return
	case <-patience.C:
		w.Header().Set("Retry-After", "1")
		refuseMLflow(w, http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", "MLflow is being made ready here, which takes minutes the first time; ask again. "+server.lastWord())
		return
	}
	server.ServeHTTP(w, r)
}

// ServeHTTP passes a call on to a server that has begun, or says why there is none.
func (s *mlflowServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.err != nil {
		refuseMLflow(w, http.StatusNotImplemented, "NOT_IMPLEMENTED", s.err.Error())
		return
	}
	s.proxy.ServeHTTP(w, r)
}

func refuseMLflow(w http.ResponseWriter, status int, code, message string) {
	body, err := json.Marshal(map[string]string{"error_code": code, "message": strings.TrimSpace(message)})
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone hears nothing
}

// start finds the server, or begins to start one.
func (m *mlflowAPI) start() *mlflowServer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		s := &mlflowServer{begun: make(chan struct{})}
		if m.ctx.Err() != nil {
			s.err = errors.New("this process is stopping")
			close(s.begun)
			return s
		}
		m.server = s
		m.ended.Go(func() {
			defer close(s.begun)
			if s.proxy, s.err = m.open(s); s.err != nil {
				m.forget(s)
			}
		})
	}
	return m.server
}

// forget lets the next call start another.
func (m *mlflowAPI) forget(s *mlflowServer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == s {
		m.server = nil
	}
}

// open starts a server and waits until it answers.
func (m *mlflowAPI) open(s *mlflowServer) (http.Handler, error) {
	py, err := m.store.interpreter(m.ctx, func(text string) {
		m.log.Info(text)
		s.say(text)
	})
	if err != nil {
		return nil, err
	}
	addr, err := m.launch(s, py)
	if err != nil {
		_ = py.hold.Close() // nothing was written to it
		return nil, err
	}
	m.log.Info("MLflow's server runs", "address", addr)
	return m.forward(addr), nil
}

// launch starts the server and reads from it where it listens.
func (m *mlflowAPI) launch(s *mlflowServer, py mlflowPython) (string, error) {
	if err := os.MkdirAll(m.store.dir(), 0o700); err != nil {
		return "", fmt.Errorf("make MLflow's folder: %w", err)
	}
	said, err := os.Create(filepath.Join(m.store.dir(), "server.log"))
	if err != nil {
		return "", fmt.Errorf("start MLflow's server: %w", err)
	}
	defer said.Close() //nolint:errcheck // the server has its own hold on it
	cmd := m.store.command(m.ctx, py, m.store.dir(), m.store.artifacts(), "0")
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("start MLflow's server: %w", err)
	}
	life, err := cmd.StdinPipe() // it ends when nobody holds this any more
	if err != nil {
		return "", fmt.Errorf("start MLflow's server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start MLflow's server: %w", err)
	}
	address := make(chan string, 1)
	m.ended.Go(func() {
		address <- readAddress(out)
		_ = cmd.Wait() // that it ended is all
		_ = life.Close()
		_ = py.hold.Close()
		m.forget(s)
	})
	select {
	case addr := <-address:
		if addr == "" {
			return "", fmt.Errorf("MLflow's server did not start; %s has its words", said.Name())
		}
		return addr, nil
	case <-time.After(2 * time.Minute):
		_ = cmd.Cancel()
		return "", fmt.Errorf("MLflow's server did not start within two minutes; %s has its words", said.Name())
	}
}

// readAddress reads where a process listens, from the line that it writes
// first. Empty: it ended without. What it writes after that is read and dropped.
func readAddress(out io.Reader) string {
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		return ""
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with the process
	addr := strings.TrimSpace(line)
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return ""
	}
	return addr
}

// forward passes requests on in the name of who asks. The server itself knows
// no tokens.
func (m *mlflowAPI) forward(addr string) http.Handler {
	target := &url.URL{Scheme: "http", Host: addr}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = addr // it refuses names that are not its own
			authorization := r.In.Header.Get("Authorization")
			for _, name := range []string{"Authorization", "Cookie", "Origin", "X-Flowctl-Authorization"} {
				r.Out.Header.Del(name)
			}
			user, base := api.Caller(r.In.Context())
			r.Out.Header.Set("X-Flowctl-User", user)
			r.Out.Header.Set("X-Flowctl-Base", base)
			if path := r.In.URL.Path; strings.HasPrefix(path, "/api/2.0/fs/create-") || strings.HasSuffix(path, "/get-signed-download-uri") { // the asker gets their own token back, to say it at the address
				r.Out.Header.Set("X-Flowctl-Authorization", authorization)
			}
		},
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
}

// ask puts a question of this process's own to the server and reads the JSON
// of its answer. The error is a *workspace.Error if the server refuses.
func (m *mlflowAPI) ask(ctx context.Context, path string, query url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://mlflow"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	server := m.start()
	select {
	case <-server.begun:
	case <-ctx.Done():
		return ctx.Err()
	}
	resp, err := api.InProcess(server).RoundTrip(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var said struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		}
		if json.Unmarshal(body, &said) != nil || said.Code == "" {
			return fmt.Errorf("MLflow's server: status %d: %s", resp.StatusCode, body)
		}
		return &workspace.Error{Code: said.Code, Message: said.Message}
	}
	return json.Unmarshal(body, into)
}

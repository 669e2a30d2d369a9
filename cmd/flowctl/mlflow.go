package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"flowctl/tasks/python"
)

// mlflowStore is where the tasks of a data directory log: the same store that
// tasks/local leads them to.
type mlflowStore struct {
	home   string
	python string // the interpreter, as the user named it
}

// server is MLflow's own server on the store, at an address.
func (m mlflowStore) server(ctx context.Context, addr string) (*exec.Cmd, error) {
	found, err := python.Locate(ctx, m.python, filepath.Join(m.home, "python.json"))
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, found.Path, "-c", "import mlflow.server").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("MLflow is not installed in %s: %s; install it with: %s -m pip install mlflow", found.Path, lastLine(out), found.Path)
	}
	dir := filepath.Join(m.home, "mlflow")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make MLflow's folder: %w", err)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, found.Path, "-m", "mlflow", "server", "--host", host, "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"),
		"--default-artifact-root", filepath.Join(dir, "artifacts"), "--no-serve-artifacts")
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its workers end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func newMLflowCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "mlflow", Short: "Look at what tasks logged to MLflow"}
	var listen string
	ui := &cobra.Command{
		Use: "ui", Short: "Serve MLflow's pages on the data directory's experiments and models", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			home, err := e.dataDir()
			if err != nil {
				return err
			}
			if host, _, err := net.SplitHostPort(listen); err != nil || !loopback(host) {
				return usage("--listen %s: write an address of this machine alone, for example 127.0.0.1:5000; MLflow's pages ask for no token", listen)
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cmd, err := mlflowStore{home, e.python}.server(ctx, listen)
			if err != nil {
				return unable(err)
			}
			cmd.Stdout, cmd.Stderr = e.stderr, e.stderr
			fmt.Fprintf(e.stdout, "http://%s\n", listen)
			if err := cmd.Run(); err != nil && ctx.Err() == nil {
				return unable(fmt.Errorf("MLflow's server: %w", err))
			}
			return nil
		},
	}
	ui.Flags().StringVar(&listen, "listen", "127.0.0.1:5000", "address of the pages")
	cmd.AddCommand(ui)
	return cmd
}

// mlflowAPI answers the paths of MLflow that clients call on a workspace, from
// the store that tasks log to. MLflow's own server does it: the first call
// starts one on loopback, and it ends with the daemon.
type mlflowAPI struct {
	store mlflowStore
	log   *slog.Logger
	ctx   context.Context // of the daemon

	mu    sync.Mutex
	proxy http.Handler // nil: not started, or it ended
	ended sync.WaitGroup
}

func (m *mlflowAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	proxy, err := m.start()
	if err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotImplemented)
		fmt.Fprintf(w, `{"error_code":"NOT_IMPLEMENTED","message":%q}`, err.Error())
		return
	}
	proxy.ServeHTTP(w, r)
}

// start finds the server, or starts one and waits until it answers.
func (m *mlflowAPI) start() (http.Handler, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proxy != nil {
		return m.proxy, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for MLflow: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	cmd, err := m.store.server(m.ctx, addr)
	if err != nil {
		return nil, err
	}
	said, err := os.Create(filepath.Join(m.store.home, "mlflow", "server.log"))
	if err != nil {
		return nil, fmt.Errorf("start MLflow's server: %w", err)
	}
	defer said.Close() //nolint:errcheck // the server has its own hold on it
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start MLflow's server: %w", err)
	}
	gone := make(chan error, 1)
	m.ended.Go(func() {
		err := cmd.Wait()
		gone <- err
		m.mu.Lock()
		m.proxy = nil // the next call starts another
		m.mu.Unlock()
	})
	if err := answers(m.ctx, "http://"+addr+"/health", gone); err != nil {
		return nil, fmt.Errorf("MLflow's server did not start: %w; %s has its words", err, said.Name())
	}
	m.log.Info("MLflow's server runs", "address", addr)
	target := &url.URL{Scheme: "http", Host: addr}
	m.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = addr // it refuses names that are not its own
			r.Out.Header.Del("Authorization")
		},
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	return m.proxy, nil
}

// answers waits until a server answers, a minute at most.
func answers(ctx context.Context, address string, gone <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close() // that it answers is all
			return nil
		}
		select {
		case err := <-gone:
			return errors.Join(errors.New("it ended"), err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

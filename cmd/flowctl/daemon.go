package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine/notify"
	"flowctl/engine/store"
	"flowctl/engine/trigger"
	"flowctl/engine/workspace"
)

// daemonFlags are the flags of flowctl daemon.
type daemonFlags struct {
	listen            string
	tlsCert, tlsKey   string
	insecure          bool
	hosts             []string
	logFormat         string
	logLevel          string
	parallel          int
	namespacePerToken bool
	keepRuns          time.Duration
	misfire           string
	misfireWindow     time.Duration
	mailRelay         string
	jobs              string
}

func newDaemonCmd(e *env) *cobra.Command {
	var f daemonFlags
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Serve the Databricks Jobs API, and run jobs by their schedules and triggers",
		Long: "Hold the data directory, run the jobs in it, and answer the Databricks REST API to\n" +
			"whoever has a token: the Databricks CLI, bundles, the SDKs, Airflow. The first\n" +
			"start makes an admin's token and writes it to HOME/token.\n\n" +
			"On SIGTERM or Ctrl-C no new work begins; what runs goes on, and the next start\n" +
			"follows it to its end.",
		Example: "  flowctl daemon &\n" +
			"  export DATABRICKS_HOST=http://127.0.0.1:8080 DATABRICKS_TOKEN=$(cat ~/.flowctl/token)\n" +
			"  databricks jobs list",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return e.daemon(c.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "certificate file; with --tls-key the API is served over TLS")
	flags.StringVar(&f.tlsKey, "tls-key", "", "private key file of --tls-cert")
	flags.BoolVar(&f.insecure, "insecure-listen", false, "allow an address that others can reach without TLS")
	flags.StringSliceVar(&f.hosts, "host-name", nil, "names that clients call this machine by; repeatable")
	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.IntVar(&f.parallel, "max-parallel-tasks", 0, "tasks that run at once (default: the number of cores)")
	flags.BoolVar(&f.namespacePerToken, "namespace-per-token", false, "give each token a workspace of its own, for test beds")
	flags.DurationVar(&f.keepRuns, "keep-runs", 60*24*time.Hour, "how long ended runs are kept; 0 for ever")
	flags.StringVar(&f.misfire, "misfire", "", "what to do about fires that were missed: fire_once, skip or all (default: flowctl.yaml's misfire, else fire_once)")
	flags.StringVar(&f.jobs, "jobs", "", "keep the job files below this folder as jobs: made, changed and paused with their files")
	flags.DurationVar(&f.misfireWindow, "misfire-window", 0, "how far back missed fires are made up for (default 24h, at most 744h)")
	flags.StringVar(&f.mailRelay, "mail-relay", "", "mail server for email_notifications, smtp://[USER:PASSWORD@]HOST[:PORT][?from=ADDRESS] (default: $FLOWCTL_MAIL_RELAY, else flowctl.yaml's mail_relay, else none)")
	return cmd
}

// daemon serves until it is told to stop.
func (e *env) daemon(ctx context.Context, f daemonFlags) (err error) {
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	log, err := e.daemonLog(f)
	if err != nil {
		return err
	}
	tlsConfig, err := f.check()
	if err != nil {
		return err
	}
	if err := f.readSettings(home); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return unable(fmt.Errorf("listen: %w; choose another address with --listen", err))
	}
	defer listener.Close() //nolint:errcheck // closed by the server before
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	relay, err := f.relay()
	if err != nil {
		return err
	}
	m := newMetrics()
	base := f.base(listener.Addr())
	a, err := e.openApp(home, appOptions{
		parallel: f.parallel, base: base, hosts: f.hosts, namespacePerToken: f.namespacePerToken, log: log, meter: m.meter(),
		notify: &notify.Options{Relay: relay},
	})
	if errors.Is(err, store.ErrInUse) {
		return unable(fmt.Errorf("%w: %s; stop it, or give another --home", err, home))
	}
	if err != nil {
		return unable(err)
	}
	defer func() { err = errors.Join(err, a.close()) }()
	m.observe(ctx, a.engine, log)
	if err := a.firstToken(home, log); err != nil {
		return unable(err)
	}
	if err := a.engine.ResumeAll(ctx); err != nil {
		return unable(fmt.Errorf("take up the runs of before: %w", err))
	}
	if f.jobs != "" {
		if err := e.keepJobs(ctx, a.engine, f.jobs, log); err != nil {
			return err
		}
	}
	jobs, err := trigger.Start(ctx, a.engine, f.triggerOptions(a, log))
	if err != nil {
		return unable(fmt.Errorf("start jobs by themselves: %w", err))
	}
	defer jobs.Close()
	serving, endServing := context.WithCancel(ctx)
	models := &mlflowAPI{store: mlflowStore{home, e.python}, log: log, ctx: serving}
	defer models.ended.Wait()
	defer endServing()
	server := a.networkServer(m, models, tlsConfig, log)
	served := make(chan error, 1)
	go func() {
		if tlsConfig != nil {
			served <- server.ServeTLS(listener, "", "")
		} else {
			served <- server.Serve(listener)
		}
	}()
	go a.retain(ctx, f.keepRuns, log)
	log.Info("listening", "url", base, "home", home, "version", versionText())
	select {
	case <-ctx.Done():
		stop() // a second signal ends the process at once
		log.Info("stopping; what runs goes on, and the next start follows it")
	case err = <-served:
		err = unable(fmt.Errorf("serve: %w", err))
	case <-a.engine.Done():
		err = unable(errors.New("the engine has stopped; the log says why"))
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if serr := server.Shutdown(grace); serr != nil {
		_ = server.Close() // streams do not end by themselves
	}
	return err
}

// readSettings takes from the data directory's flowctl.yaml what no flag says.
func (f *daemonFlags) readSettings(home string) error {
	s, err := readSettings(home)
	if err != nil {
		return err
	}
	if f.misfire == "" {
		f.misfire = s.Misfire
	}
	f.mailRelay = cmp.Or(f.mailRelay, os.Getenv("FLOWCTL_MAIL_RELAY"), s.MailRelay)
	if f.misfireWindow == 0 {
		f.misfireWindow = time.Duration(s.MisfireWindow)
	}
	if _, err := trigger.ParseMisfire(f.misfire); err != nil {
		return usage("--misfire: %v", err)
	}
	return nil
}

// relay is where e-mail goes; nil: nowhere.
func (f *daemonFlags) relay() (*notify.Relay, error) {
	if f.mailRelay == "" {
		return nil, nil
	}
	r, err := notify.ParseRelay(f.mailRelay)
	if err != nil {
		return nil, usage("--mail-relay: %v", err)
	}
	return r, nil
}

// triggerOptions are how jobs start by themselves.
func (f *daemonFlags) triggerOptions(a *app, log *slog.Logger) trigger.Options {
	return trigger.Options{
		Misfire: trigger.Misfire(f.misfire), Window: f.misfireWindow, Log: log,
		Path: func(path string) (string, error) { return localPath(filepath.Join(a.store.Home(), "fs"), path) },
	}
}

// localPath is where a path of a trigger leads on this machine: into the
// workspace's trees, or to a folder that was written as file:/FOLDER.
func localPath(tree, path string) (string, error) {
	for prefix, dir := range map[string]string{"/Volumes/": "volumes", "dbfs:/": "dbfs", "/dbfs/": "dbfs", "/Workspace/": "workspace"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return filepath.Join(tree, dir, filepath.Clean("/"+rest)), nil
		}
	}
	plain := strings.TrimPrefix(strings.TrimPrefix(path, "file://"), "file:")
	if !filepath.IsAbs(plain) || strings.Contains(plain, "://") {
		return "", fmt.Errorf("%s leads nowhere on this machine; write /Volumes/…, dbfs:/… or file:/FOLDER", path)
	}
	return filepath.Clean(plain), nil
}

// check refuses flags that do not go together, and reads the certificate.
func (f *daemonFlags) check() (*tls.Config, error) {
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return nil, usage("--tls-cert and --tls-key go together")
	}
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return nil, usage("--listen %s: %v; an address is HOST:PORT, for example 127.0.0.1:8080", f.listen, err)
	}
	if f.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(f.tlsCert, f.tlsKey)
		if err != nil {
			return nil, usage("--tls-cert %s: %v", f.tlsCert, err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
	}
	if !loopback(host) && !f.insecure {
		return nil, usage("--listen %s can be reached by others, who would read the tokens on their way; give --tls-cert and --tls-key, or --insecure-listen if something before it speaks TLS", f.listen)
	}
	return nil, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// base is the address by which this machine's own programs reach the API.
func (f *daemonFlags) base(addr net.Addr) string {
	scheme := "http"
	if f.tlsCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if len(f.hosts) > 0 && f.tlsCert != "" {
		host = f.hosts[0] // the certificate names it, not the address
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func (e *env) daemonLog(f daemonFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usage("--log-level %s: debug, info, warn and error are known", f.logLevel)
	}
	opt := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(e.stderr, opt)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(e.stderr, opt)), nil
	}
	return nil, usage("--log-format %s: text and json are known", f.logFormat)
}

// firstToken makes the first admin's token and leaves it in the data
// directory, for its user alone. A file that is there already is left as it is,
// if its token is good.
func (a *app) firstToken(home string, log *slog.Logger) error {
	path := filepath.Join(home, "token")
	if old, err := os.ReadFile(path); err == nil {
		if _, err := a.workspaces.Authenticate(strings.TrimSpace(string(old))); err == nil {
			return nil
		}
		log.Warn("the token in the file is no longer good; a new one takes its place", "file", path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the first token: %w", err)
	}
	value, _, err := a.workspaces.CreateToken(workspace.TokenRequest{User: userName(), Comment: "made by flowctl daemon", Admin: true})
	if err != nil {
		return fmt.Errorf("make the first token: %w", err)
	}
	if err := writeWhole(path, []byte(value+"\n")); err != nil {
		return fmt.Errorf("write the first token: %w", err)
	}
	return nil
}

// writeWhole writes a file for its user alone, whole or not at all.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is of no use
	}
	return err
}

// networkServer answers whoever has a token. Clients that dawdle are cut off;
// an answer may take long, for it may be a large file.
func (a *app) networkServer(m *metrics, models http.Handler, config *tls.Config, log *slog.Logger) *http.Server {
	api := a.server.Guard(a.server.Handler())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.server.Guard(m.handler()))
	mux.Handle("/api/2.0/mlflow/", a.server.Guard(models))
	mux.Handle("/api/3.0/mlflow/", a.server.Guard(models))
	mux.Handle("/", api)
	return &http.Server{
		Handler:           m.count(split(mux, api)),
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// split sends the daemon's own paths to its mux, and the others past it: a mux
// would clean them, and they are names.
func split(mux *http.ServeMux, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "/metrics" || strings.HasPrefix(p, "/api/2.0/mlflow/") || strings.HasPrefix(p, "/api/3.0/mlflow/") {
			mux.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine/notify"
	"flowctl/engine/store"
	"flowctl/engine/trigger"
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
	a, err := e.openInTurn(ctx, home, log, appOptions{
		parallel: f.parallel, base: base, hosts: f.hosts, namespacePerToken: f.namespacePerToken, log: log, meter: m.meter(),
		notify: &notify.Options{Relay: relay},
	})
	if errors.Is(err, store.ErrInUse) {
		if ctx.Err() != nil {
			return nil // told to stop while it waited
		}
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
	jobs, err := trigger.Start(ctx, a.engine, f.triggerOptions(a, m, log))
	if err != nil {
		return unable(fmt.Errorf("start jobs by themselves: %w", err))
	}
	defer jobs.Close()
	network, err := a.openNetwork(e.python, base, log)
	if err != nil {
		return unable(err)
	}
	defer func() { err = errors.Join(err, network.close()) }()
	server := network.httpServer(m, tlsConfig, log)
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
func (f *daemonFlags) triggerOptions(a *app, m *metrics, log *slog.Logger) trigger.Options {
	return trigger.Options{
		Misfire: trigger.Misfire(f.misfire), Window: f.misfireWindow, Log: log,
		Fired: func(late time.Duration) { m.late.Observe(late.Seconds()) },
		Path:  func(path string) (string, error) { return localPath(filepath.Join(a.store.Home(), "fs"), path) },
		Table: func(name string) (string, error) { return localTable(a.store.Home(), name) },
	}
}

// localTable is where a table lies: the tables of local Spark under their
// catalog and schema, any other by its path.
func localTable(home, name string) (string, error) {
	if strings.ContainsAny(name, "/:") {
		return localPath(filepath.Join(home, "fs"), name)
	}
	parts := strings.Split(strings.ReplaceAll(strings.ToLower(name), "`", ""), ".")
	switch {
	case len(parts) > 3 || slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == ".." || strings.ContainsRune(p, filepath.Separator) }):
		return "", fmt.Errorf("%s is no table; write CATALOG.SCHEMA.TABLE, or the path of a Delta table", name)
	case len(parts) == 1:
		parts = append([]string{"default"}, parts...)
	}
	if len(parts) == 2 {
		parts = append([]string{"hive_metastore"}, parts...)
	}
	return filepath.Join(append([]string{home, "spark", "warehouse"}, parts...)...), nil
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

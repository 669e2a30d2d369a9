package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"flowctl/engine/api"
	"flowctl/engine/jobrun"
	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/python"
)

// runFlags are the flags of flowctl run.
type runFlags struct {
	params       []string
	only         []string
	job          string
	output       string
	parallel     int
	roots        []string
	isolateSpark bool
	sparkConnect bool
	quiet        bool
	remote       remoteFlags
}

func newRunCmd(e *env) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a job here and now",
		Long: "Validate a job file, run its tasks on this machine, follow the run and print the\n" +
			"result. Progress and logs go to stderr, the result to stdout. Ctrl-C cancels the\n" +
			"run, a second one leaves at once. - is standard input.\n\n" +
			"Tasks of --remote run on a workspace, each attempt as a one-time run; order, retries\n" +
			"and timeouts are decided here. Task values go there within parameters that refer to\n" +
			"them. They come back if the job refers to them as {{tasks.T.values.K}}, or as members\n" +
			"of a JSON object that the notebook exits with; other values stay there.",
		Example: "  flowctl run job.json\n  flowctl run job.yml --param day=2026-01-31 --only +train",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return e.run(c.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.params, "param", "p", nil, "job parameter, name=value; repeatable")
	flags.StringSliceVar(&f.only, "only", nil, "tasks to run; +a with what it depends on, a+ with what depends on it")
	flags.StringVar(&f.job, "job", "", "which job of a file that holds several")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.IntVar(&f.parallel, "max-parallel-tasks", 0, "tasks that run at once (default: the number of cores)")
	flags.BoolVar(&f.isolateSpark, "isolate-spark", false, "a Spark driver for each task, rather than one for all tasks of a cluster")
	flags.BoolVar(&f.sparkConnect, "spark-connect", false, "Spark Connect sessions for Python code, as on serverless and standard compute: no sc, no RDDs, no JVM")
	flags.StringArrayVar(&f.roots, "workspace-root", nil, "where workspace paths lead, PREFIX=DIR; repeatable")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no task output on stderr")
	f.remote.add(flags)
	return cmd
}

func (e *env) run(ctx context.Context, file string, f runFlags) error {
	req, entry, err := e.prepareRun(file, f)
	if err != nil {
		return err
	}
	if err := e.needPython(ctx, entry.Job, req.Code.Remote); err != nil {
		return err
	}
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := e.sendCode(ctx, home, file, entry.Job, &req.Code); err != nil {
		return err
	}
	d, err := e.openDoor(ctx, home, f.parallel)
	if err != nil {
		return err
	}
	fl := &following{env: e, home: home, parallel: f.parallel, door: d, output: f.output, quiet: f.quiet}
	defer func() { err = errors.Join(err, fl.door.close()) }()
	ans, err := fl.submit(ctx, req)
	if err != nil {
		return err
	}
	return fl.follow(ctx, ans.RunID, ans.Seq)
}

// submit hands the job in. The token makes it safe to ask again when the
// process that was asked has gone without an answer.
func (f *following) submit(ctx context.Context, req *api.Submit) (ans api.Submitted, err error) {
	req.Token = uuid.NewString()
	err = f.ask(func(d *door) error { return d.call(ctx, "/flowctl/v1/submit", req, &ans) })
	if err != nil {
		return ans, refused(err)
	}
	return ans, nil
}

// ask asks the engine, whoever holds it: when that process goes, the next one
// or this one itself.
func (f *following) ask(fn func(d *door) error) error {
	for {
		err := fn(f.door)
		if !errors.Is(err, errGone) {
			return err
		}
		if err := f.reopen(); err != nil {
			return err
		}
	}
}

// refused gives an API's refusal the exit status of a wrong job or usage.
func refused(err error) error {
	var r *refusal
	if errors.As(err, &r) {
		return &exitError{exitUsage, err}
	}
	return unable(err)
}

// prepareRun reads and checks the file and the flags.
func (e *env) prepareRun(file string, f runFlags) (*api.Submit, *jobspec.Entry, error) {
	if f.output != "text" && f.output != "json" {
		return nil, nil, usage("-o %s: text and json are known", f.output)
	}
	params, err := parseParams(f.params)
	if err != nil {
		return nil, nil, err
	}
	doc, entry, err := e.pickJob(file, f.job)
	if err != nil {
		return nil, nil, err
	}
	out, err := leftOut(entry.Job.Graph, f.only)
	if err != nil {
		return nil, nil, err
	}
	remote, err := f.remote.choose(entry.Job, file)
	if err != nil {
		return nil, nil, err
	}
	if err := e.accept(doc.Check(jobspec.CheckOptions{LocalKinds: local.Kinds(), Remote: append(out, remote.Keys()...)})); err != nil {
		return nil, nil, err
	}
	if err := knownParams(entry.Job, params); err != nil {
		return nil, nil, err
	}
	code, err := e.code(file, f.roots)
	if f.isolateSpark {
		code.Env = append(code.Env, local.IsolateSpark+"=1")
	}
	if f.sparkConnect {
		code.Env = append(code.Env, local.SparkConnect+"=1")
	}
	if err != nil {
		return nil, nil, err
	}
	code.Remote, code.Pipelines = remote, entry.Pipelines
	return &api.Submit{
		Source: entry.Job.Source, Parameters: params, Only: f.only, Siblings: doc.Siblings(), Code: code, User: userName(),
	}, entry, nil
}

// leftOut lists the tasks that --only does not choose.
func leftOut(g *jobspec.Graph, only []string) ([]string, error) {
	if len(only) == 0 {
		return nil, nil
	}
	chosen, err := jobspec.Select(g, only)
	if err != nil {
		return nil, usage("--only: %w", err)
	}
	return slices.DeleteFunc(g.Keys(), func(key string) bool { return slices.Contains(chosen, key) }), nil
}

func (e *env) code(file string, roots []string) (tasks.Code, error) {
	dir, err := codeDir(file)
	if err != nil {
		return tasks.Code{}, unable(err)
	}
	settings, err := readSettings(dir)
	if err != nil {
		return tasks.Code{}, err
	}
	code := tasks.Code{Dir: dir, Roots: settings.WorkspaceRoots}
	if file != "-" {
		code.File = filepath.Join(dir, filepath.Base(file))
	}
	for _, r := range roots {
		prefix, to, ok := strings.Cut(r, "=")
		if !ok || !strings.HasPrefix(prefix, "/") {
			return code, usage("--workspace-root %s: write PREFIX=DIR, for example /Repos/ML=./src", r)
		}
		st, err := os.Stat(to)
		if err != nil || !st.IsDir() {
			return code, usage("--workspace-root %s: there is no folder %s", r, to)
		}
		if code.Roots[prefix], err = absolute(to); err != nil {
			return code, unable(err)
		}
	}
	return code, nil
}

func parseParams(list []string) (map[string]string, error) {
	params := map[string]string{}
	for _, p := range list {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return nil, usage("--param %s: write name=value", p)
		}
		params[k] = v
	}
	return params, nil
}

func knownParams(job *jobspec.Job, params map[string]string) error {
	var known []string
	for _, p := range job.Parameters {
		known = append(known, p.Name)
	}
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(known, k) {
			if len(known) == 0 {
				return usage("--param %s: the job declares no parameters", k)
			}
			return usage("--param %s: the job has no such parameter; it declares %s", k, strings.Join(known, ", "))
		}
	}
	return nil
}

// needPython says early that no task could run.
func (e *env) needPython(ctx context.Context, job *jobspec.Job, remote *tasks.Remote) error {
	for i := range job.Tasks {
		t := &job.Tasks[i]
		if remote.Has(t.Key) {
			continue
		}
		if t.ForEach != nil && t.ForEach.Task != nil {
			t = t.ForEach.Task
		}
		if slices.Contains(local.Kinds(), t.Type) {
			home, err := e.dataDir()
			if err != nil {
				return err
			}
			if _, err := python.Locate(ctx, e.python, filepath.Join(home, "python.json")); err != nil {
				return unable(err)
			}
			return nil
		}
	}
	return nil
}

// following follows a run to its end, whoever holds the engine.
type following struct {
	*env
	home     string
	parallel int
	door     *door
	output   string
	quiet    bool
	// onInterrupt is what Ctrl-C does; empty: it cancels the run.
	onInterrupt onInterrupt
}

// follow prints what happens to a run until it ends, and its result. When the
// process that holds the engine goes, this one takes its place.
func (f *following) follow(ctx context.Context, run int64, seq uint64) error {
	p := newPrinter(f.env, f.home, run, f.quiet)
	defer p.stop()
	canceled := false
	watching := ctx
	for {
		err := f.watchRun(watching, p, run, &seq)
		switch {
		case err == nil:
			p.stop()
			return f.result(run, canceled)
		case errors.Is(err, errGone):
			if err := f.takeOver(run); err != nil {
				p.say(fmt.Sprintf("Run %d is not lost; take it up with: flowctl runs resume %d", run, run))
				return err
			}
		case ctx.Err() != nil && !canceled && f.interrupted(ctx, p, run) == detachIt:
			p.say(fmt.Sprintf("Left run %d, which goes on; follow it with: flowctl runs watch %d", run, run))
			return &exitError{code: exitInterrupted}
		case ctx.Err() != nil && !canceled:
			canceled = true
			p.say("Canceling the run; press Ctrl-C again to leave at once.")
			again, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
			defer stop()
			watching = again
			err := f.ask(func(d *door) error {
				return d.call(again, "/api/2.2/jobs/runs/cancel", map[string]int64{"run_id": run}, nil)
			})
			if err != nil {
				return unable(err)
			}
		case canceled && watching.Err() != nil:
			p.say(fmt.Sprintf("Left run %d; what still runs goes on. Take it up with: flowctl runs resume %d", run, run))
			return &exitError{code: exitInterrupted}
		default:
			return unable(err)
		}
	}
}

// watchRun returns nil when the run has ended.
func (f *following) watchRun(ctx context.Context, p *printer, run int64, seq *uint64) error {
	for e, err := range f.door.watch(ctx, run, *seq) {
		if err != nil {
			return err
		}
		*seq = e.Seq
		p.entry(e)
		if e.Run != nil && e.Run.State == jobrun.Terminated {
			return nil
		}
	}
	return errGone
}

// takeOver opens the data directory, or finds who has it now, and has the run
// go on there.
func (f *following) takeOver(run int64) error {
	return f.ask(func(d *door) error {
		return d.call(context.Background(), "/flowctl/v1/resume", map[string]int64{"run_id": run}, nil)
	})
}

// reopen looks for the engine anew: it may be this process's own from now on.
func (f *following) reopen() error {
	if err := f.door.close(); err != nil {
		return unable(err)
	}
	d, err := f.openDoor(context.Background(), f.home, f.parallel)
	if err == nil {
		f.door = d
	}
	return err
}

// result prints the end of a run and is its exit status.
func (f *following) result(run int64, canceled bool) error {
	ctx := context.Background()
	var r *shownRun
	err := f.ask(func(d *door) (err error) { r, err = d.getRun(ctx, run); return err })
	if err != nil {
		return unable(err)
	}
	if f.output == "json" {
		if err := f.withOutputs(ctx, r); err != nil {
			return unable(err)
		}
		enc := json.NewEncoder(f.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r.raw); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	} else if err := f.printResult(ctx, r); err != nil {
		return unable(err)
	}
	switch {
	case canceled:
		return &exitError{code: exitInterrupted}
	case r.State.good():
		return nil
	}
	return &exitError{code: exitFailed}
}

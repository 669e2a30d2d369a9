package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"flowctl/engine/api"
	"flowctl/engine/jobrun"
	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/databricks"
	"flowctl/tasks/databricks/rest"
	uploads "flowctl/tasks/databricks/upload"
)

// submitFlags are the flags of flowctl submit.
type submitFlags struct {
	params      []string
	only        []string
	job         string
	output      string
	roots       []string
	noWait      bool
	onInterrupt string
}

func newSubmitCmd(e *env) *cobra.Command {
	var f submitFlags
	cmd := &cobra.Command{
		Use:   "submit FILE",
		Short: "Run a job on a Databricks workspace",
		Long: "Run a whole job once on a Databricks workspace: upload its code, submit it, follow\n" +
			"the run and print the result with the tasks' outputs. Who you are is found as the\n" +
			"Databricks SDK finds it: --profile, --host, DATABRICKS_*. - is standard input.\n\n" +
			"The code goes to a folder of your workspace home that its content names; code that\n" +
			"is there already is not sent. A job with parameters, job clusters or --only needs\n" +
			"what a one-time run lacks: it is made for this run and deleted after it.\n\n" +
			"The run is kept beside local ones and goes on without us: flowctl runs watch RUN\n" +
			"follows it again. Ctrl-C asks on a terminal whether to cancel it there, and cancels\n" +
			"elsewhere; another one leaves at once. Exit status: 0 success, 1 the run ended\n" +
			"otherwise, 2 wrong usage or job, 3 no workspace, 130 interrupted.",
		Example: "  flowctl submit job.json --profile dev\n  flowctl submit job.yml --param day=2026-01-31 --no-wait",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return e.submit(c.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.params, "param", "p", nil, "job parameter, name=value; repeatable")
	flags.StringSliceVar(&f.only, "only", nil, "tasks to run; +a with what it depends on, a+ with what depends on it")
	flags.StringVar(&f.job, "job", "", "which job of a file that holds several")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.StringArrayVar(&f.roots, "workspace-root", nil, "which local folder is uploaded for workspace paths, PREFIX=DIR; repeatable")
	flags.BoolVar(&f.noWait, "no-wait", false, "print the run's id as soon as the workspace has the run")
	flags.StringVar(&f.onInterrupt, "on-interrupt", "", "what Ctrl-C does to the run: ask, cancel or detach (default: ask on a terminal, cancel elsewhere)")
	e.workspaceFlags(cmd)
	return cmd
}

func (e *env) submit(ctx context.Context, file string, f submitFlags) (err error) {
	w, src, name, err := e.prepareSubmit(file, f)
	if err != nil {
		return err
	}
	whenInterrupted, err := e.interruptFlag(f.onInterrupt)
	if err != nil {
		return err
	}
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := rest.Open(e.profile, e.host)
	if err != nil {
		return unable(err)
	}
	c.Names = filepath.Join(home, "remote")
	plan, folder, err := e.upload(ctx, c, src, w.Job.Source, name)
	if err != nil {
		return err
	}
	if w.Job, err = onWorkspace(plan.Map(folder), w.Job); err != nil {
		return usage("%w", err)
	}
	here := *e // the run is kept in the data directory, not asked of the workspace
	here.profile, here.host = "", ""
	d, err := here.openDoor(ctx, home, 0)
	if err != nil {
		return err
	}
	fl := &following{env: &here, home: home, door: d, output: f.output, onInterrupt: whenInterrupted}
	defer func() { err = errors.Join(err, fl.door.close()) }()
	ans, err := fl.submit(ctx, &api.Submit{
		Source: w.Job.Source, Name: w.Job.Name, Parameters: w.Parameters, Only: f.only, User: userName(), Mirror: true,
		Code: tasks.Code{Dir: src.Dir, Remote: &tasks.Remote{Profile: e.profile, Host: c.Host()}},
	})
	if err != nil {
		return err
	}
	if f.noWait {
		return fl.handedIn(ctx, ans)
	}
	return fl.follow(ctx, ans.RunID, ans.Seq)
}

// handedIn waits until the workspace has a run, and leaves it there.
func (f *following) handedIn(ctx context.Context, ans api.Submitted) error {
	for entry, err := range f.door.watch(ctx, ans.RunID, ans.Seq) {
		switch {
		case err != nil:
			return unable(err)
		case entry.Kind != "Observed":
		case entry.Run != nil && entry.Run.State == jobrun.Terminated:
			return f.result(ans.RunID, false)
		default:
			fmt.Fprintf(f.stderr, "The workspace has the run; follow it with: flowctl runs watch %d\n", ans.RunID)
			if f.output == "json" {
				return f.printJSON(map[string]int64{"run_id": ans.RunID})
			}
			_, err := fmt.Fprintln(f.stdout, ans.RunID)
			return err
		}
	}
	return unable(errGone)
}

// prepareSubmit reads and checks the file and the flags.
func (e *env) prepareSubmit(file string, f submitFlags) (w databricks.Whole, src uploads.Source, name string, err error) {
	if f.output != "text" && f.output != "json" {
		return w, src, "", usage("-o %s: text and json are known", f.output)
	}
	if w.Parameters, err = parseParams(f.params); err != nil {
		return w, src, "", err
	}
	entry, err := e.goodJob(file, f.job, jobspec.CheckOptions{})
	if err != nil {
		return w, src, "", err
	}
	if err := knownParams(entry.Job, w.Parameters); err != nil {
		return w, src, "", err
	}
	if w.Only = f.only; len(w.Only) > 0 {
		if w.Only, err = jobspec.Select(entry.Job.Graph, f.only); err != nil {
			return w, src, "", usage("--only: %w", err)
		}
	}
	code, err := e.code(file, f.roots)
	if err != nil {
		return w, src, "", err
	}
	settings, err := e.official(entry.Job)
	if err != nil {
		return w, src, "", err
	}
	if w.Job, err = jobspec.Parse(settings); err != nil {
		return w, src, "", usage("%w", err)
	}
	src, err = e.source(file, code)
	return w, src, entry.Label(), err
}

// official is a job with references that a workspace knows, in place of older
// ones.
func (e *env) official(job *jobspec.Job) (json.RawMessage, error) {
	settings, changes, err := databricks.Official(job.Source)
	if err != nil {
		return nil, usage("%w", err)
	}
	for _, c := range changes {
		fmt.Fprintf(e.stderr, "warning: %s, because a workspace does not know the former\n", c)
	}
	return settings, nil
}

// onWorkspace is the job with its paths on the workspace.
func onWorkspace(m uploads.Map, job *jobspec.Job) (*jobspec.Job, error) {
	settings, err := m.Job(job.Source)
	if err != nil {
		return nil, err
	}
	return jobspec.Parse(settings)
}

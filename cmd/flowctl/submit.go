package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"flowctl/jobspec"
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
			"Databricks SDK finds it: --profile, --host, DATABRICKS_*. - is standard input.",
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
	flags.BoolVar(&f.noWait, "no-wait", false, "print the run's id and leave it running")
	flags.StringVar(&f.onInterrupt, "on-interrupt", "cancel", "what Ctrl-C does to the run: cancel or leave")
	e.workspaceFlags(cmd)
	return cmd
}

func (e *env) submit(ctx context.Context, file string, f submitFlags) error {
	w, src, name, err := e.prepareSubmit(file, f)
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
	c = c.Lasting(startPatience, func(err error, _ time.Duration) {
		if err != nil {
			fmt.Fprintln(e.stderr, "Still trying:", err)
		}
	})
	plan, folder, err := e.upload(ctx, c, src, w.Job.Source, name)
	if err != nil {
		return err
	}
	if w.Job, err = onWorkspace(plan.Map(folder), w.Job); err != nil {
		return usage("%w", err)
	}
	done, err := databricks.Submit(ctx, c, w)
	if refused := new(rest.Error); errors.As(err, &refused) && refused.Status/100 == 4 && !rest.Denied(err) {
		return usage("%w", err)
	} else if err != nil {
		return workspaceError(ctx, err)
	}
	if f.noWait {
		return e.leftRunning(done, f.output)
	}
	return e.followSubmitted(ctx, home, c, done, f)
}

// prepareSubmit reads and checks the file and the flags.
func (e *env) prepareSubmit(file string, f submitFlags) (w databricks.Whole, src uploads.Source, name string, err error) {
	switch {
	case f.output != "text" && f.output != "json":
		return w, src, "", usage("-o %s: text and json are known", f.output)
	case f.onInterrupt != "cancel" && f.onInterrupt != "leave":
		return w, src, "", usage("--on-interrupt %s: cancel and leave are known", f.onInterrupt)
	}
	if w.Parameters, err = parseParams(f.params); err != nil {
		return w, src, "", err
	}
	doc, err := e.readJobFile(file)
	if err != nil {
		return w, src, "", err
	}
	entry, err := doc.Pick(f.job)
	if err != nil {
		return w, src, "", usage("%w", err)
	}
	problems := doc.Check(jobspec.CheckOptions{})
	for _, p := range problems {
		fmt.Fprintln(e.stderr, p)
	}
	if jobspec.HasErrors(problems) {
		return w, src, "", &exitError{code: exitUsage}
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
	settings, changes, err := databricks.Official(entry.Job.Source)
	if err != nil {
		return w, src, "", usage("%w", err)
	}
	for _, c := range changes {
		fmt.Fprintf(e.stderr, "warning: %s, because a workspace does not know the former\n", c)
	}
	if w.Job, err = jobspec.Parse(settings); err != nil {
		return w, src, "", usage("%w", err)
	}
	artifacts, err := e.artifacts(file, code.Dir)
	return w, uploads.Source{Dir: code.Dir, Roots: code.Roots, Artifacts: artifacts, Log: e.stderr}, entry.Label(), err
}

// onWorkspace is the job with its paths on the workspace.
func onWorkspace(m uploads.Map, job *jobspec.Job) (*jobspec.Job, error) {
	settings, err := m.Job(job.Source)
	if err != nil {
		return nil, err
	}
	return jobspec.Parse(settings)
}

// leftRunning tells of a run that nobody waits for.
func (e *env) leftRunning(done databricks.Submitted, output string) error {
	if done.JobID != 0 {
		fmt.Fprintf(e.stderr, "Job %d was made for this run; delete it when the run has ended: flowctl jobs delete %d%s\n", done.JobID, done.JobID, e.whereFlags())
	}
	if output == "json" {
		return e.printJSON(map[string]int64{"run_id": done.RunID})
	}
	_, err := fmt.Fprintln(e.stdout, done.RunID)
	return err
}

// whereFlags are the flags that name the same workspace again.
func (e *env) whereFlags() string {
	var b strings.Builder
	if e.profile != "" {
		b.WriteString(" --profile " + e.profile)
	}
	if e.host != "" {
		b.WriteString(" --host " + e.host)
	}
	return b.String()
}

// followSubmitted follows the run to its end, and tidies up after it.
func (e *env) followSubmitted(ctx context.Context, home string, c *rest.Client, done databricks.Submitted, f submitFlags) error {
	d, err := e.openWorkspace()
	if err != nil {
		return err
	}
	fl := &following{env: e, home: home, door: d, output: f.output}
	err = fl.poll(ctx, done.RunID)
	if ctx.Err() != nil {
		if f.onInterrupt == "leave" {
			if done.JobID != 0 {
				_ = e.leftRunning(databricks.Submitted{JobID: done.JobID, RunID: done.RunID}, f.output)
			}
			return &exitError{code: exitInterrupted}
		}
		fmt.Fprintf(e.stderr, "Canceling run %d; press Ctrl-C again to leave it.\n", done.RunID)
		again, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := c.Post(again, "/api/2.2/jobs/runs/cancel", map[string]int64{"run_id": done.RunID}, nil); err != nil {
			return unable(fmt.Errorf("cancel run %d: %w", done.RunID, err))
		}
		if err := fl.poll(again, done.RunID); again.Err() != nil {
			return err
		}
		err = &exitError{code: exitInterrupted}
	}
	if ferr := databricks.Forget(context.WithoutCancel(ctx), c, done.JobID); ferr != nil {
		fmt.Fprintln(e.stderr, "warning:", ferr)
	}
	return err
}

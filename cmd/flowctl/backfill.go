package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine/api"
	"flowctl/engine/trigger"
)

// backfillFlags are the flags of flowctl jobs backfill.
type backfillFlags struct {
	from, to, token, output string
	stop                    string
	parallel                int
	noWait                  bool
}

func newJobsBackfillCmd(e *env) *cobra.Command {
	var f backfillFlags
	cmd := e.jobVerb("backfill JOB", "Run a job for times at which its schedule would have fired", func(ctx context.Context, d *door, id int64, _ []string) error {
		return e.backfill(ctx, d, id, f)
	})
	cmd.Args = cobra.ExactArgs(1)
	cmd.Long = "Run a job once for each time at which its schedule, or its periodic trigger, fires\n" +
		"from --from to --to. {{backfill.iso_datetime}} and the like are that time. The same\n" +
		"command again goes on with the same backfill, and makes no run twice; --token tells\n" +
		"another backfill of the same times apart. Exit status 1: a run did not succeed.\n\n" +
		"flowctl jobs backfills JOB lists a job's backfills; --stop ends one of them: what\n" +
		"runs goes on, and no more runs are made."
	cmd.Example = "  flowctl jobs backfill daily --from 2026-01-01 --to 2026-01-31 --parallel 4\n" +
		"  flowctl jobs backfill daily --stop ~3f9a1c20b7d4e58"
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "first time, as 2026-01-31 or 2026-01-31T12:00:00Z")
	flags.StringVar(&f.to, "to", "", "last time, included; a day means its end")
	flags.IntVar(&f.parallel, "parallel", 1, "runs at once, 1 to 100")
	flags.StringVar(&f.token, "token", "", "name of this backfill, to replay the same times again")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.BoolVar(&f.noWait, "no-wait", false, "leave it to the daemon")
	flags.StringVar(&f.stop, "stop", "", "id of a backfill that shall make no more runs")
	return cmd
}

func newJobsBackfillsCmd(e *env) *cobra.Command {
	var output string
	cmd := e.jobVerb("backfills JOB", "List a job's backfills", func(ctx context.Context, d *door, id int64, _ []string) error {
		if d.workspace != nil {
			return errWorkspaceBackfill
		}
		var list []api.BackfillStatus
		if err := d.call(ctx, fmt.Sprintf("/flowctl/v1/backfills?job_id=%d", id), nil, &list); err != nil {
			return err
		}
		if output == "json" {
			return e.printJSON(list)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "BACKFILL\tFROM\tTO\tRUNS\tACTIVE\tSTATE")
		for _, st := range list {
			state := "making runs"
			switch {
			case st.Done && len(st.Runs) < st.Count:
				state = "stopped"
			case st.Done:
				state = "done"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d/%d\t%d\t%s\n", st.Key, st.From.Format(time.RFC3339), st.To.Format(time.RFC3339), len(st.Runs), st.Count, len(st.Active), state)
		}
		return w.Flush()
	})
	cmd.Args = cobra.ExactArgs(1)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

var errWorkspaceBackfill = usage("a workspace makes backfills in its own pages; this verb is for jobs of the data directory")

// backfillTime reads a time; last is what is added to a day.
func backfillTime(flag, s string, last time.Duration) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return at, usage("%s %q: write a day as 2026-01-31, or a time as 2026-01-31T12:00:00Z", flag, s)
	}
	return at.Add(last), nil
}

func (e *env) backfill(ctx context.Context, d *door, job int64, f backfillFlags) error {
	if d.workspace != nil {
		return errWorkspaceBackfill
	}
	if f.stop != "" {
		return e.stopBackfill(ctx, d, api.BackfillRef{JobID: job, Key: f.stop}, f)
	}
	q := api.BackfillRequest{JobID: job, Parallel: f.parallel, Token: f.token}
	var err error
	if q.From, err = backfillTime("--from", f.from, 0); err != nil {
		return err
	}
	if q.To, err = backfillTime("--to", f.to, 24*time.Hour-time.Nanosecond); err != nil {
		return err
	}
	switch {
	case f.parallel < 1 || f.parallel > 100:
		return usage("--parallel %d: 1 to 100", f.parallel)
	case f.noWait && d.app != nil:
		return usage("--no-wait needs a daemon that goes on with the backfill; start flowctl daemon, or leave the flag away")
	}
	var st api.BackfillStatus
	if err := d.call(ctx, "/flowctl/v1/backfill", q, &st); err != nil {
		return err
	}
	if d.app != nil { // nobody else would make the runs
		if err := d.app.engine.Resume(ctx, st.Active...); err != nil {
			return err
		}
		s, err := trigger.Start(ctx, d.app.engine, trigger.Options{BackfillsOnly: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return unable(err)
		}
		defer s.Close()
	}
	if !f.noWait {
		if st, err = e.followBackfill(ctx, d, st); err != nil {
			return err
		}
	}
	if f.output == "json" {
		err = e.printJSON(st)
	} else {
		_, err = fmt.Fprintf(e.stdout, "backfill %s of job %d: %d of %d runs made, %d active\n", st.Key, job, len(st.Runs), st.Count, len(st.Active))
	}
	if f.noWait || err != nil {
		return err
	}
	return e.backfillResult(ctx, d, st)
}

func (e *env) stopBackfill(ctx context.Context, d *door, ref api.BackfillRef, f backfillFlags) error {
	if f.from != "" || f.to != "" || f.token != "" {
		return usage("--stop names a backfill by its id; leave --from, --to and --token away")
	}
	if err := d.call(ctx, "/flowctl/v1/backfill/end", ref, nil); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "backfill %s makes no more runs\n", ref.Key)
	return nil
}

// followBackfill says how far a backfill is until its last run has ended.
func (e *env) followBackfill(ctx context.Context, d *door, st api.BackfillStatus) (api.BackfillStatus, error) {
	path := fmt.Sprintf("/flowctl/v1/backfill?job_id=%d&backfill_id=%s", st.JobID, url.QueryEscape(st.Key))
	told := -1
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if n := len(st.Runs) - len(st.Active); n != told {
			fmt.Fprintf(e.stderr, "%d of %d runs ended\n", n, st.Count)
			told, wait = n, 20*time.Millisecond
		}
		if st.Done && len(st.Active) == 0 {
			return st, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			fmt.Fprintln(e.stderr, "the backfill is not finished; the same command goes on with it, and so does a daemon")
			return st, &exitError{code: exitInterrupted}
		}
		var now api.BackfillStatus
		if err := d.call(ctx, path, nil, &now); err != nil {
			if ctx.Err() != nil {
				continue
			}
			return st, err
		}
		st = now
	}
}

// backfillResult tells how the runs of a backfill ended.
func (e *env) backfillResult(ctx context.Context, d *door, st api.BackfillStatus) error {
	bad := 0
	for _, id := range st.Runs {
		var run shownRun
		if err := d.call(ctx, fmt.Sprintf("/api/2.2/jobs/runs/get?run_id=%d", id), nil, &run); err != nil {
			var no *refusal
			if errors.As(err, &no) { // deleted meanwhile
				continue
			}
			return err
		}
		if !run.State.good() {
			fmt.Fprintf(e.stderr, "run %d: %s\n", id, run.State.Result)
			bad++
		}
	}
	if bad > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

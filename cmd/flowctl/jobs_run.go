package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

func newJobsRunNowCmd(e *env) *cobra.Command {
	var params, only []string
	var output string
	var noWait bool
	cmd := &cobra.Command{
		Use: "run-now JOB", Short: "Start a run of a job and follow it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given, err := parseParams(params)
			if err != nil {
				return err
			}
			req := map[string]any{"job_parameters": given, "idempotency_token": uuid.NewString()}
			if len(only) > 0 {
				req["only"] = only
			}
			return e.withFollowing(c.Context(), 0, output, func(ctx context.Context, f *following) error {
				return f.runNow(ctx, args[0], req, noWait)
			})
		},
	}
	cmd.Flags().StringArrayVarP(&params, "param", "p", nil, "job parameter, name=value; repeatable")
	cmd.Flags().StringSliceVar(&only, "only", nil, "tasks to run; +a with what it depends on, a+ with what depends on it")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "print the run's id and leave it to the daemon")
	return cmd
}

// runNow starts a run of the job that job names.
func (f *following) runNow(ctx context.Context, job string, req map[string]any, noWait bool) (err error) {
	if noWait && f.door.app != nil {
		return usage("--no-wait needs a daemon that goes on with the run; start flowctl daemon, or leave the flag away")
	}
	if req["job_id"], err = f.door.jobID(ctx, job); err != nil {
		return err
	}
	seq, err := f.seq(ctx)
	if err != nil {
		return err
	}
	var ans struct {
		RunID int64 `json:"run_id"`
	}
	if err := f.ask(func(d *door) error { return d.call(ctx, "/api/2.2/jobs/run-now", req, &ans) }); err != nil {
		return refusedOr(err)
	}
	if !noWait {
		return f.toEnd(ctx, ans.RunID, seq)
	}
	if f.output == "json" {
		return f.printJSON(ans)
	}
	_, err = fmt.Fprintln(f.stdout, ans.RunID)
	return err
}

// seq is where the journal stands before a run begins: from there it is
// followed. A workspace has none.
func (f *following) seq(ctx context.Context) (uint64, error) {
	if f.door.workspace != nil {
		return 0, nil
	}
	var ans struct {
		Seq uint64 `json:"seq"`
	}
	if err := f.door.call(ctx, "/flowctl/v1/seq", nil, &ans); err != nil {
		return 0, unable(err)
	}
	return ans.Seq, nil
}

// toEnd follows a run to its end, wherever it is.
func (f *following) toEnd(ctx context.Context, run int64, seq uint64) error {
	if f.door.workspace != nil {
		return f.poll(ctx, run)
	}
	return f.follow(ctx, run, seq)
}

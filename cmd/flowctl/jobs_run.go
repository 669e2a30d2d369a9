package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

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
			return e.runNow(c.Context(), args[0], req, output, noWait)
		},
	}
	cmd.Flags().StringArrayVarP(&params, "param", "p", nil, "job parameter, name=value; repeatable")
	cmd.Flags().StringSliceVar(&only, "only", nil, "tasks to run; +a with what it depends on, a+ with what depends on it")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "print the run's id and leave it to the daemon")
	return cmd
}

func (e *env) runNow(ctx context.Context, job string, req map[string]any, output string, noWait bool) (err error) {
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := e.openDoor(ctx, home, 0)
	if err != nil {
		return err
	}
	f := &following{env: e, home: home, door: d, output: output}
	defer func() { err = errors.Join(err, f.door.close()) }()
	if noWait && d.app != nil {
		return usage("--no-wait needs a daemon that goes on with the run; start flowctl daemon, or leave the flag away")
	}
	if req["job_id"], err = d.jobID(ctx, job); err != nil {
		return err
	}
	var seq struct {
		Seq uint64 `json:"seq"`
	}
	if d.workspace == nil {
		if err := d.call(ctx, "/flowctl/v1/seq", nil, &seq); err != nil {
			return unable(err)
		}
	}
	var ans struct {
		RunID int64 `json:"run_id"`
	}
	if err := f.ask(func(d *door) error { return d.call(ctx, "/api/2.2/jobs/run-now", req, &ans) }); err != nil {
		return refusedOr(err)
	}
	if noWait {
		if output == "json" {
			return e.printJSON(ans)
		}
		_, err = fmt.Fprintln(e.stdout, ans.RunID)
		return err
	}
	if d.workspace != nil {
		return f.poll(ctx, ans.RunID)
	}
	return f.follow(ctx, ans.RunID, seq.Seq)
}

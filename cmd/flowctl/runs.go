package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newRunsCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "Look at runs, take them up, cancel and repair them"}
	e.workspaceFlags(cmd)
	cmd.AddCommand(
		newRunsListCmd(e), newRunsGetCmd(e), newRunsOutputCmd(e), newRunsLogsCmd(e), newRunsWatchCmd(e), newRunsResumeCmd(e),
		newRunsCancelCmd(e), newRunsRepairCmd(e), newRunsExportCmd(e), newRunsDeleteCmd(e),
	)
	return cmd
}

// withDoor gives fn the way to whatever answers the Jobs API.
func (e *env) withDoor(ctx context.Context, fn func(ctx context.Context, home string, d *door) error) error {
	return e.withFollowing(ctx, 0, "", func(ctx context.Context, f *following) error { return fn(ctx, f.home, f.door) })
}

// withFollowing is withDoor for a verb that follows a run: the process that
// holds the engine may go meanwhile, and f has another door then.
func (e *env) withFollowing(ctx context.Context, parallel int, output string, fn func(ctx context.Context, f *following) error) (err error) {
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := e.openDoor(ctx, home, parallel)
	if err != nil {
		return err
	}
	f := &following{env: e, home: home, parallel: parallel, door: d, output: output}
	defer func() { err = errors.Join(err, f.door.close()) }()
	return fn(ctx, f)
}

// runID reads the argument that names a run or an attempt.
func runID(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id <= 0 {
		return 0, usage("%q is no run id; flowctl runs list shows them", arg)
	}
	return id, nil
}

// runVerb is a verb that acts on one run.
func (e *env) runVerb(use, short string, fn func(ctx context.Context, home string, d *door, id int64) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			return e.withDoor(c.Context(), func(ctx context.Context, home string, d *door) error {
				return refusedOr(fn(ctx, home, d, id))
			})
		},
	}
}

// refusedOr turns an API's refusal into the exit status of wrong usage.
func refusedOr(err error) error {
	var r *refusal
	if errors.As(err, &r) {
		return &exitError{exitUsage, err}
	}
	return err
}

func newRunsListCmd(e *env) *cobra.Command {
	var output string
	var active bool
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List runs, newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return e.withDoor(c.Context(), func(ctx context.Context, _ string, d *door) error {
				return e.listRuns(ctx, d, active, limit, output)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&active, "active", false, "only runs that have not ended")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many; 0 for all")
	return cmd
}

func (e *env) listRuns(ctx context.Context, d *door, active bool, limit int, output string) error {
	var runs []shownRun
	raws := []json.RawMessage{}
	for token := ""; ; {
		var page struct {
			Runs []json.RawMessage `json:"runs"`
			Next string            `json:"next_page_token"`
		}
		path := fmt.Sprintf("/api/2.2/jobs/runs/list?limit=25&active_only=%t", active)
		if token != "" {
			path += "&page_token=" + token
		}
		if err := d.call(ctx, path, nil, &page); err != nil {
			return refusedOr(err)
		}
		for _, raw := range page.Runs {
			var r shownRun
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("read run: %w", err)
			}
			runs, raws = append(runs, r), append(raws, raw)
		}
		if token = page.Next; token == "" || limit > 0 && len(runs) >= limit {
			break
		}
	}
	if limit > 0 && len(runs) > limit {
		runs, raws = runs[:limit], raws[:limit]
	}
	if output == "json" {
		return e.printJSON(raws)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tNAME\tSTATE\tSTARTED\tTIME")
	for _, r := range runs {
		took := millis(r.RunDuration)
		if r.EndTime == 0 {
			took = short(time.Since(time.UnixMilli(r.StartTime)))
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", r.RunID, r.RunName, r.State.outcome(), time.UnixMilli(r.StartTime).Format(time.DateTime), took)
	}
	return w.Flush()
}

func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func newRunsGetCmd(e *env) *cobra.Command {
	var output string
	cmd := e.runVerb("get RUN", "Show a run and its tasks", func(ctx context.Context, home string, d *door, id int64) error {
		r, err := d.getRun(ctx, id)
		if err != nil {
			return err
		}
		f := &following{env: e, home: home, door: d}
		if output == "json" {
			if err := f.withOutputs(ctx, r); err != nil {
				return err
			}
			if d.workspace == nil {
				if err := d.withFacts(ctx, r); err != nil {
					return err
				}
			}
			return e.printJSON(r.raw)
		}
		return f.printResult(ctx, r)
	})
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func newRunsOutputCmd(e *env) *cobra.Command {
	var task string
	cmd := e.runVerb("output RUN", "Print what a task returned, as JSON", func(ctx context.Context, _ string, d *door, id int64) error {
		attempt, err := d.attemptOf(ctx, id, task)
		if err != nil {
			return err
		}
		var out map[string]any
		if err := d.getOutput(ctx, attempt, &out); err != nil {
			return err
		}
		return e.printJSON(out)
	})
	cmd.Flags().StringVar(&task, "task", "", "which task of a run with several; each[2] is an iteration of each")
	return cmd
}

func newRunsLogsCmd(e *env) *cobra.Command {
	var task string
	cmd := e.runVerb("logs RUN", "Print what a task has written", func(ctx context.Context, home string, d *door, id int64) error {
		attempt, err := d.attemptOf(ctx, id, task)
		if err != nil {
			return err
		}
		if d.workspace != nil {
			var out shownOutput
			if err := d.getOutput(ctx, attempt, &out); err != nil {
				return err
			}
			_, err := io.WriteString(e.stdout, out.Logs)
			return err
		}
		var where struct {
			Path string `json:"path"`
		}
		if err := d.call(ctx, fmt.Sprintf("/flowctl/v1/log?run_id=%d", attempt), nil, &where); err != nil {
			return err
		}
		f, err := os.Open(where.Path)
		if errors.Is(err, os.ErrNotExist) {
			return nil // it wrote nothing
		}
		if err != nil {
			return unable(err)
		}
		_, err = io.Copy(e.stdout, f)
		return errors.Join(err, f.Close())
	})
	cmd.Flags().StringVar(&task, "task", "", "which task of a run with several; each[2] is an iteration of each")
	return cmd
}

func newRunsWatchCmd(e *env) *cobra.Command {
	return e.followVerb("watch RUN", "Follow a run to its end", false)
}

func newRunsResumeCmd(e *env) *cobra.Command {
	return e.followVerb("resume RUN", "Take up a run whose flowctl is gone, and follow it", true)
}

// followVerb follows a run, taking it up first if asked to. Ctrl-C leaves a
// run that is only watched or that a workspace carries, and cancels one that
// this process carries on.
func (e *env) followVerb(use, short string, resume bool) *cobra.Command {
	var output string
	var parallel int
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			return e.withFollowing(c.Context(), parallel, output, func(ctx context.Context, f *following) error {
				return f.takeUp(ctx, id, resume)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().IntVar(&parallel, "max-parallel-tasks", 0, "tasks that run at once (default: the number of cores)")
	return cmd
}

// takeUp follows a run that exists, taking it up first if asked to, or if
// nobody else would carry it on.
func (f *following) takeUp(ctx context.Context, id int64, resume bool) error {
	d := f.door
	if d.workspace != nil {
		if resume {
			return usage("resume is for runs on this machine; leave --profile and --host away")
		}
		return f.poll(ctx, id)
	}
	if resume || d.app != nil {
		var taken struct {
			Mirror bool `json:"mirror"`
		}
		if err := d.call(ctx, "/flowctl/v1/resume", map[string]int64{"run_id": id}, &taken); err != nil {
			return refusedOr(err)
		}
		if taken.Mirror { // it goes on without us
			f.onInterrupt = detachIt
		}
	} else {
		f.onInterrupt = detachIt
	}
	if r, err := d.getRun(ctx, id); err != nil {
		return refusedOr(err)
	} else if r.Status.State == "TERMINATED" {
		return f.result(id, false)
	}
	return f.follow(ctx, id, 0)
}

func newRunsCancelCmd(e *env) *cobra.Command {
	return e.runVerb("cancel RUN", "Cancel a run", func(ctx context.Context, _ string, d *door, id int64) error {
		if err := d.call(ctx, "/api/2.2/jobs/runs/cancel", map[string]int64{"run_id": id}, nil); err != nil {
			return err
		}
		return d.waitEnded(ctx, id)
	})
}

// waitEnded waits for the end of a run, where this process carries it on.
func (d *door) waitEnded(ctx context.Context, id int64) error {
	if d.app == nil {
		return nil
	}
	_, err := d.app.engine.Wait(ctx, id)
	return err
}

func newRunsDeleteCmd(e *env) *cobra.Command {
	return e.runVerb("delete RUN", "Delete an ended run and its files", func(ctx context.Context, _ string, d *door, id int64) error {
		return d.call(ctx, "/api/2.2/jobs/runs/delete", map[string]int64{"run_id": id}, nil)
	})
}

func newRunsRepairCmd(e *env) *cobra.Command {
	var tasks, params []string
	var all, dependents bool
	var output string
	cmd := &cobra.Command{
		Use: "repair RUN", Short: "Run tasks of an ended run again", Args: cobra.ExactArgs(1),
		Long: "Run tasks of an ended run again, by default all that failed. The others keep their\nresults and values.",
		RunE: func(c *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			given, err := parseParams(params)
			if err != nil {
				return err
			}
			req := map[string]any{
				"run_id": id, "rerun_tasks": tasks, "rerun_all_failed_tasks": all || len(tasks) == 0,
				"rerun_dependent_tasks": dependents, "job_parameters": given,
			}
			return e.withFollowing(c.Context(), 0, output, func(ctx context.Context, f *following) error { return f.repair(ctx, id, req) })
		},
	}
	cmd.Flags().StringSliceVar(&tasks, "tasks", nil, "tasks to run again")
	cmd.Flags().BoolVar(&all, "all-failed", false, "all tasks that did not succeed (the default)")
	cmd.Flags().BoolVar(&dependents, "dependents", false, "with --tasks: all that depends on them too")
	cmd.Flags().StringArrayVarP(&params, "param", "p", nil, "job parameter for the tasks that run again, name=value")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (f *following) repair(ctx context.Context, id int64, req map[string]any) error {
	var before struct {
		Repairs []struct {
			ID int64 `json:"id"`
		} `json:"repair_history"`
	}
	if err := f.door.call(ctx, fmt.Sprintf("/api/2.2/jobs/runs/get?include_history=true&run_id=%d", id), nil, &before); err != nil {
		return refusedOr(err)
	}
	if n := len(before.Repairs); n > 0 {
		req["latest_repair_id"] = before.Repairs[n-1].ID
	}
	seq, err := f.seq(ctx)
	if err != nil {
		return err
	}
	if err := f.door.call(ctx, "/api/2.2/jobs/runs/repair", req, nil); err != nil {
		return refusedOr(err)
	}
	return f.toEnd(ctx, id, seq)
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flowctl/jobspec"
	"flowctl/jobspec/quartz"
)

func newJobsCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "jobs", Short: "Keep jobs, change them, and start their runs",
		Long: "Jobs are kept in the data directory, or with --profile or --host in a Databricks\nworkspace; the verbs are the same. A daemon runs the jobs of the data directory by\ntheir schedules and triggers.",
	}
	e.workspaceFlags(cmd)
	cmd.AddCommand(
		newJobsCreateCmd(e), newJobsGetCmd(e), newJobsListCmd(e), newJobsUpdateCmd(e), newJobsResetCmd(e), newJobsDeleteCmd(e),
		newJobsHistoryCmd(e), newJobsDiffCmd(e), newJobsRollbackCmd(e), newJobsExportCmd(e), newJobsImportCmd(e),
		newJobsRunNowCmd(e), newJobsPauseCmd(e, "pause", "PAUSED"), newJobsPauseCmd(e, "resume", "UNPAUSED"),
		newJobsBackfillCmd(e), newJobsBackfillsCmd(e),
	)
	return cmd
}

// shownJob is what the command line reads of a job; raw is all of it.
type shownJob struct {
	JobID    int64           `json:"job_id"`
	Creator  string          `json:"creator_user_name"`
	Settings json.RawMessage `json:"settings"`
	Next     string          `json:"next_page_token"`
}

// jobVerb is a verb that acts on one job, named by its id or its name.
func (e *env) jobVerb(use, short string, fn func(ctx context.Context, d *door, id int64, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.withDoor(c.Context(), func(ctx context.Context, _ string, d *door) error {
				id, err := d.jobID(ctx, args[0])
				if err != nil {
					return err
				}
				return refusedOr(fn(ctx, d, id, args[1:]))
			})
		},
	}
}

// jobID reads an argument that names a job by its id or its name.
func (d *door) jobID(ctx context.Context, arg string) (int64, error) {
	if id, err := strconv.ParseInt(arg, 10, 64); err == nil && id > 0 {
		return id, nil
	}
	id, err := d.jobNamed(ctx, arg)
	if err == nil && id == 0 {
		err = usage("there is no job named %q; flowctl jobs list shows them", arg)
	}
	return id, err
}

// jobNamed finds the job of a name; 0: there is none.
func (d *door) jobNamed(ctx context.Context, name string) (int64, error) {
	var page struct {
		Jobs []shownJob `json:"jobs"`
	}
	if err := d.call(ctx, "/api/2.2/jobs/list?limit=2&name="+url.QueryEscape(name), nil, &page); err != nil {
		return 0, refusedOr(err)
	}
	switch len(page.Jobs) {
	case 0:
		return 0, nil
	case 1:
		return page.Jobs[0].JobID, nil
	}
	return 0, usage("several jobs are named %q; name one by its id: %d, %d, …", name, page.Jobs[0].JobID, page.Jobs[1].JobID)
}

func newJobsGetCmd(e *env) *cobra.Command {
	var output string
	cmd := e.jobVerb("get JOB", "Show a job's settings", func(ctx context.Context, d *door, id int64, _ []string) error {
		raw, settings, err := d.getJob(ctx, id)
		if err != nil {
			return err
		}
		if output == "json" {
			return e.printJSON(raw)
		}
		return e.printJSON(settings)
	})
	cmd.Args = cobra.ExactArgs(1)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text: the settings, as a job file has them; json: the whole answer")
	return cmd
}

// getJob reads a job with all pages of its tasks: the whole answer, and the
// settings in it.
func (d *door) getJob(ctx context.Context, id int64) (raw map[string]json.RawMessage, settings map[string]json.RawMessage, err error) {
	var tasks []json.RawMessage
	for token := ""; ; {
		path := fmt.Sprintf("/api/2.2/jobs/get?job_id=%d", id)
		if token != "" {
			path += "&page_token=" + url.QueryEscape(token)
		}
		var page map[string]json.RawMessage
		if err := d.call(ctx, path, nil, &page); err != nil {
			return nil, nil, err
		}
		var part map[string]json.RawMessage
		if err := json.Unmarshal(page["settings"], &part); err != nil {
			return nil, nil, fmt.Errorf("read job %d: %w", id, err)
		}
		var more []json.RawMessage
		if list, ok := part["tasks"]; ok {
			if err := json.Unmarshal(list, &more); err != nil {
				return nil, nil, fmt.Errorf("read job %d: %w", id, err)
			}
		}
		tasks = append(tasks, more...)
		if raw == nil {
			raw, settings = page, part
		}
		token = ""
		_ = json.Unmarshal(page["next_page_token"], &token) // without one this was the last page
		if token == "" {
			break
		}
	}
	if len(tasks) > 0 {
		list, err := json.Marshal(tasks)
		if err != nil {
			return nil, nil, err
		}
		settings["tasks"] = list
	}
	delete(raw, "has_more")
	delete(raw, "next_page_token")
	raw["settings"], err = json.Marshal(settings)
	return raw, settings, err
}

func newJobsListCmd(e *env) *cobra.Command {
	var output, name string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs, newest first, with their next fire and last result", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return e.withDoor(c.Context(), func(ctx context.Context, _ string, d *door) error {
				return refusedOr(e.listJobs(ctx, d, name, limit, output))
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&name, "name", "", "only jobs of this name")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many; 0 for all")
	return cmd
}

func (e *env) listJobs(ctx context.Context, d *door, name string, limit int, output string) error {
	raws := []json.RawMessage{}
	for token := ""; ; {
		var page struct {
			Jobs []json.RawMessage `json:"jobs"`
			Next string            `json:"next_page_token"`
		}
		path := "/api/2.2/jobs/list?limit=100&name=" + url.QueryEscape(name)
		if name == "" {
			path = "/api/2.2/jobs/list?limit=100"
		}
		if token != "" {
			path += "&page_token=" + url.QueryEscape(token)
		}
		if err := d.call(ctx, path, nil, &page); err != nil {
			return err
		}
		raws = append(raws, page.Jobs...)
		if token = page.Next; token == "" || limit > 0 && len(raws) >= limit {
			break
		}
	}
	if limit > 0 && len(raws) > limit {
		raws = raws[:limit]
	}
	if output == "json" {
		return e.printJSON(raws)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tNAME\tNEXT\tLAST")
	for _, raw := range raws {
		var j shownJob
		if err := json.Unmarshal(raw, &j); err != nil {
			return fmt.Errorf("read job: %w", err)
		}
		def, err := jobspec.Parse(j.Settings)
		if err != nil {
			return fmt.Errorf("read job %d: %w", j.JobID, err)
		}
		last, err := d.lastRun(ctx, j.JobID)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", j.JobID, def.Name, nextFire(def, time.Now()), last)
	}
	return w.Flush()
}

// lastRun says how a job's latest run ended, or where it stands.
func (d *door) lastRun(ctx context.Context, job int64) (string, error) {
	var page struct {
		Runs []shownRun `json:"runs"`
	}
	if err := d.call(ctx, fmt.Sprintf("/api/2.2/jobs/runs/list?limit=1&job_id=%d", job), nil, &page); err != nil {
		return "", err
	}
	if len(page.Runs) == 0 {
		return "-", nil
	}
	r := page.Runs[0]
	return r.State.outcome() + " " + time.UnixMilli(r.StartTime).Format(time.DateTime), nil
}

// nextFire says when a job starts by itself: at a time, or by what.
func nextFire(def *jobspec.Job, now time.Time) string {
	list := def.Triggers
	if def.Schedule != nil {
		list = append(list, jobspec.Trigger{Schedule: def.Schedule, Paused: def.Schedule.Paused})
	}
	if def.Continuous != nil {
		list = append(list, jobspec.Trigger{Continuous: def.Continuous, Paused: def.Continuous.Paused})
	}
	if def.Trigger != nil {
		list = append(list, *def.Trigger)
	}
	if len(list) == 0 {
		return "-"
	}
	words := "paused"
	var first time.Time
	for _, t := range list {
		switch {
		case t.Paused || t.Schedule != nil && t.Schedule.Paused || t.Continuous != nil && t.Continuous.Paused:
		case t.Schedule != nil:
			s, err := quartz.Parse(t.Schedule.Expression, t.Schedule.TimezoneID)
			if err != nil {
				continue // the job is a workspace's, and the expression not ours to judge
			}
			if at := s.Next(now); !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		case t.Continuous != nil:
			words = "continuous"
		case t.Periodic != nil:
			words = fmt.Sprintf("every %d %s", t.Periodic.Interval, t.Periodic.Unit)
		case t.FileArrival != nil:
			words = "on file arrival"
		case t.TableUpdate != nil:
			words = "on table update"
		}
	}
	if !first.IsZero() {
		return first.Local().Format(time.DateTime)
	}
	return words
}

func newJobsDeleteCmd(e *env) *cobra.Command {
	cmd := e.jobVerb("delete JOB", "Delete a job and cancel its active runs; its ended runs stay", func(ctx context.Context, d *door, id int64, _ []string) error {
		return d.call(ctx, "/api/2.2/jobs/delete", map[string]int64{"job_id": id}, nil)
	})
	cmd.Args = cobra.ExactArgs(1)
	return cmd
}

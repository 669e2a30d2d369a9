package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine/api"
	"flowctl/engine/deploy"
	"flowctl/jobspec"
)

// versions reads the history of a job's definition, oldest first: of a job of
// the data directory every change, of one on a workspace what was deployed from
// here.
func (e *env) versions(ctx context.Context, d *door, id int64) ([]api.JobVersion, error) {
	if d.workspace == nil {
		var list []api.JobVersion
		err := d.call(ctx, fmt.Sprintf("/flowctl/v1/job/versions?job_id=%d", id), nil, &list)
		return list, err
	}
	home, err := e.dataDir()
	if err != nil {
		return nil, err
	}
	host := strings.TrimSuffix(d.workspace.Config.Host, "/")
	rec, err := deploy.Records{Dir: filepath.Join(home, "deployed")}.OfJob(host, id)
	if err != nil {
		return nil, unable(err)
	}
	if rec == nil {
		return nil, usage("job %d was not deployed from this data directory, and a workspace keeps no history", id)
	}
	var list []api.JobVersion
	for i, v := range rec.Versions {
		list = append(list, api.JobVersion{Number: i + 1, At: v.At, By: v.By, Note: v.Commit, Settings: v.Settings})
	}
	return list, nil
}

func newJobsHistoryCmd(e *env) *cobra.Command {
	var output string
	cmd := e.jobVerb("history JOB", "List the versions of a job's definition: when, by whom, from which commit", func(ctx context.Context, d *door, id int64, _ []string) error {
		list, err := e.versions(ctx, d, id)
		if err != nil {
			return err
		}
		if output == "json" {
			return e.printJSON(list)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "VERSION\tWHEN\tWHO\tCOMMIT\tCHANGES")
		var before json.RawMessage
		for _, v := range list {
			what := "made"
			if before != nil {
				changes, err := deploy.Diff(before, v.Settings)
				if err != nil {
					return err
				}
				what = changesText(changes)
			}
			before = v.Settings
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", v.Number, v.At.Local().Format(time.DateTime), v.By, shortCommit(v.Note), what)
		}
		return w.Flush()
	})
	cmd.Args = cobra.ExactArgs(1)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// changesText is what changed, in a line.
func changesText(changes []deploy.Change) string {
	if len(changes) == 0 {
		return "nothing that means anything"
	}
	text := changes[0].String()
	if len(text) > 60 {
		text = text[:57] + "..."
	}
	if n := len(changes) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

func shortCommit(note string) string {
	commit, rest, _ := strings.Cut(note, " ")
	if len(commit) > 12 {
		commit = commit[:12]
	}
	return strings.TrimSpace(commit + " " + rest)
}

// pick finds a version by its number; 0 counts from the end: the one before
// the latest.
func pick(list []api.JobVersion, arg string) (api.JobVersion, error) {
	if arg == "" {
		if len(list) < 2 {
			return api.JobVersion{}, usage("the job has no version before the present one")
		}
		return list[len(list)-2], nil
	}
	n, err := strconv.Atoi(arg)
	for _, v := range list {
		if err == nil && v.Number == n {
			return v, nil
		}
	}
	return api.JobVersion{}, usage("%q is no version of the job; flowctl jobs history shows them", arg)
}

func newJobsDiffCmd(e *env) *cobra.Command {
	var output string
	cmd := e.jobVerb("diff JOB [VERSION [VERSION]]", "Show what changed between two versions of a job, by default the last two", func(ctx context.Context, d *door, id int64, args []string) error {
		list, err := e.versions(ctx, d, id)
		if err != nil {
			return err
		}
		from := ""
		if len(args) > 0 {
			from = args[0]
		}
		old, err := pick(list, from)
		if err != nil {
			return err
		}
		latest := list[len(list)-1]
		if len(args) > 1 {
			if latest, err = pick(list, args[1]); err != nil {
				return err
			}
		}
		changes, err := deploy.Diff(old.Settings, latest.Settings)
		if err != nil {
			return err
		}
		if output == "json" {
			return e.printJSON(changes)
		}
		for _, c := range changes {
			fmt.Fprintln(e.stdout, c)
		}
		return nil
	})
	cmd.Args = cobra.RangeArgs(1, 3)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// newJobsExportCmd prints a job as a file that create, import and run take.
func newJobsExportCmd(e *env) *cobra.Command {
	cmd := e.jobVerb("export JOB", "Print a job as a job file", func(ctx context.Context, d *door, id int64, _ []string) error {
		_, settings, err := d.getJob(ctx, id)
		if err != nil {
			return err
		}
		return e.printJSON(settings)
	})
	cmd.Args = cobra.ExactArgs(1)
	return cmd
}

// newJobsImportCmd makes a job of a file, or resets the only one of its name.
func newJobsImportCmd(e *env) *cobra.Command {
	var f jobFileFlags
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Make a job of a job file, or reset the job that has its name", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			entry, err := e.goodJob(args[0], f.job, jobspec.CheckOptions{Draft: true})
			if err != nil {
				return err
			}
			return e.writeJob(c.Context(), args[0], f, func(ctx context.Context, d *door) (int64, error) {
				return d.jobNamed(ctx, entry.Job.Name)
			})
		},
	}
	f.add(cmd)
	return cmd
}

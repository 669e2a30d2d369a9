package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/engine/api"
	"flowctl/jobspec"
)

// jobFileFlags are the flags of the verbs that read a job file.
type jobFileFlags struct {
	job    string
	roots  []string
	output string
}

func (f *jobFileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.job, "job", "", "which job of a file that holds several")
	cmd.Flags().StringArrayVar(&f.roots, "workspace-root", nil, "where workspace paths lead on this machine, PREFIX=DIR; repeatable")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
}

func newJobsCreateCmd(e *env) *cobra.Command {
	var f jobFileFlags
	cmd := &cobra.Command{
		Use: "create FILE", Short: "Make a job of a job file, and print its id", Args: cobra.ExactArgs(1),
		Long: "Make a job of a job file. Its relative paths lead to the folder of the file, as\nwith flowctl run; on a workspace the file is sent as it is, and flowctl deploy is\nwhat takes the code along.",
		RunE: func(c *cobra.Command, args []string) error {
			return e.writeJob(c.Context(), args[0], f, func(context.Context, *door) (int64, error) { return 0, nil })
		},
	}
	f.add(cmd)
	return cmd
}

func newJobsResetCmd(e *env) *cobra.Command {
	var f jobFileFlags
	cmd := &cobra.Command{
		Use: "reset JOB FILE", Short: "Replace all of a job's settings by those of a job file", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return e.writeJob(c.Context(), args[1], f, func(ctx context.Context, d *door) (int64, error) { return d.jobID(ctx, args[0]) })
		},
	}
	f.add(cmd)
	return cmd
}

// writeJob makes a job of a file, or resets the one that find names.
func (e *env) writeJob(ctx context.Context, file string, f jobFileFlags, find func(ctx context.Context, d *door) (int64, error)) error {
	entry, err := e.goodJob(file, f.job, jobspec.CheckOptions{Draft: true})
	if err != nil {
		return err
	}
	code, err := e.code(file, f.roots)
	if err != nil {
		return err
	}
	code.Pipelines = entry.Pipelines
	return e.withDoor(ctx, func(ctx context.Context, _ string, d *door) error {
		id, err := find(ctx, d)
		if err != nil {
			return err
		}
		ans := shownJob{JobID: id}
		switch {
		case d.workspace == nil:
			err = d.call(ctx, "/flowctl/v1/job", api.KeepJob{JobID: id, Settings: entry.Job.Source, Code: code, Note: commitOf(ctx, code.Dir)}, &ans)
		case id == 0:
			err = d.call(ctx, "/api/2.2/jobs/create", entry.Job.Source, &ans)
		default:
			err = d.call(ctx, "/api/2.2/jobs/reset", map[string]any{"job_id": id, "new_settings": entry.Job.Source}, nil)
		}
		if err != nil {
			return refusedOr(err)
		}
		if f.output == "json" {
			return e.printJSON(map[string]int64{"job_id": ans.JobID})
		}
		_, err = fmt.Fprintln(e.stdout, ans.JobID)
		return err
	})
}

func newJobsUpdateCmd(e *env) *cobra.Command {
	var remove []string
	var file string
	cmd := e.jobVerb("update JOB", "Change some of a job's settings", func(ctx context.Context, d *door, id int64, _ []string) error {
		req := map[string]any{"job_id": id}
		if file != "" {
			doc, err := e.readJobFile(file)
			if err != nil {
				return err
			}
			if len(doc.Jobs) != 1 {
				return usage("%s holds %d jobs; the changes are the settings of one", file, len(doc.Jobs))
			}
			req["new_settings"] = doc.Jobs[0].Job.Source
		}
		if len(remove) > 0 {
			req["fields_to_remove"] = remove
		}
		if len(req) == 1 {
			return usage("nothing to change: give --settings or --remove")
		}
		return d.call(ctx, "/api/2.2/jobs/update", req, nil)
	})
	cmd.Args = cobra.ExactArgs(1)
	cmd.Long = "Change some of a job's settings: the fields of the file replace the job's, tasks,\njob clusters, environments and parameters one by one, by their keys."
	cmd.Flags().StringVar(&file, "settings", "", "file with the fields to change, JSON or YAML; - is standard input")
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "fields to remove: a field's name, or tasks/KEY for one task")
	return cmd
}

// newJobsPauseCmd pauses or resumes whatever starts a job by itself.
func newJobsPauseCmd(e *env, verb, status string) *cobra.Command {
	short := map[string]string{"pause": "Pause a job's schedule and triggers", "resume": "Let a job's schedule and triggers start it again"}[verb]
	cmd := e.jobVerb(verb+" JOB", short, func(ctx context.Context, d *door, id int64, _ []string) error {
		_, settings, err := d.getJob(ctx, id)
		if err != nil {
			return err
		}
		changes := map[string]any{}
		for _, field := range []string{"schedule", "trigger", "continuous"} {
			var o map[string]any
			if raw, ok := settings[field]; ok && json.Unmarshal(raw, &o) == nil && o != nil {
				o["pause_status"] = status
				changes[field] = o
			}
		}
		var list []map[string]any
		if raw, ok := settings["triggers"]; ok && json.Unmarshal(raw, &list) == nil && len(list) > 0 {
			for _, o := range list {
				o["pause_status"] = status
			}
			changes["triggers"] = list
		}
		if len(changes) == 0 {
			return usage("job %d has no schedule and no trigger to %s", id, verb)
		}
		return d.call(ctx, "/api/2.2/jobs/update", map[string]any{"job_id": id, "new_settings": changes}, nil)
	})
	cmd.Args = cobra.ExactArgs(1)
	return cmd
}

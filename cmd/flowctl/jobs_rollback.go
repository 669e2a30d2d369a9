package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"flowctl/engine/api"
	"flowctl/engine/deploy"
	"flowctl/tasks/databricks/rest"
)

func newJobsRollbackCmd(e *env) *cobra.Command {
	var to string
	var force bool
	cmd := e.jobVerb("rollback JOB", "Give a job the settings that it had before", func(ctx context.Context, d *door, id int64, _ []string) error {
		list, err := e.versions(ctx, d, id)
		if err != nil {
			return err
		}
		v, err := pick(list, to)
		if err != nil {
			return err
		}
		if d.workspace != nil {
			err = e.rollbackThere(ctx, id, v, force)
		} else {
			err = d.call(ctx, "/api/2.2/jobs/reset", map[string]any{"job_id": id, "new_settings": v.Settings}, nil)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "Job %d has the settings of version %d again.\n", id, v.Number)
		return err
	})
	cmd.Args = cobra.ExactArgs(1)
	cmd.Flags().StringVar(&to, "to", "", "which version (default: the one before the latest)")
	cmd.Flags().BoolVar(&force, "force", false, "on a workspace: overwrite what others have changed there")
	return cmd
}

// rollbackThere gives a job that was deployed from here what an earlier
// deployment gave it, and remembers that as a deployment.
func (e *env) rollbackThere(ctx context.Context, id int64, to api.JobVersion, force bool) error {
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	c, err := rest.Open(e.profile, e.host)
	if err != nil {
		return unable(err)
	}
	c = e.patient(c)
	by, err := c.User(ctx)
	if err != nil {
		return workspaceError(ctx, err)
	}
	records := deploy.Records{Dir: filepath.Join(home, "deployed")}
	rec, err := records.OfJob(c.Host(), id)
	if err != nil {
		return unable(err)
	}
	if rec == nil || to.Number > len(rec.Versions) {
		return usage("job %d has no version %d any more; flowctl jobs history shows those it has", id, to.Number)
	}
	release, err := records.Lock(ctx, rec.Host, rec.Key, func() {
		fmt.Fprintln(e.stderr, "A deployment of this job is under way; waiting for its end.")
	})
	if err != nil {
		return workspaceError(ctx, err)
	}
	defer release()
	if rec, err = records.Get(rec.Host, rec.Key); err != nil {
		return unable(err)
	}
	w := deployTarget{c}
	plan, err := deploy.Rollback(ctx, w, rec, rec.Versions[to.Number-1], by)
	if errors.Is(err, deploy.ErrCodeGone) {
		return usage("%w", err)
	}
	if err != nil {
		return deployError(ctx, err)
	}
	e.showChanges(e.stderr, plan)
	_, err = plan.Apply(ctx, w, deploy.Options{Records: records, Force: force})
	if errors.Is(err, deploy.ErrDrift) {
		return &exitError{exitFailed, fmt.Errorf("%w; see above what; overwrite it with --force", err)}
	}
	return deployError(ctx, err)
}

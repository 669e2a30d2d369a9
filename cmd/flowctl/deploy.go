package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine/deploy"
	"flowctl/jobspec"
	"flowctl/tasks/databricks/rest"
	uploads "flowctl/tasks/databricks/upload"
)

// deployFlags are the flags of flowctl deploy.
type deployFlags struct {
	jobFileFlags
	plan, force, prune bool
}

func newDeployCmd(e *env) *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy FILE",
		Short: "Make or change a job on a Databricks workspace, with its code",
		Long: "Bring a job file and its code to a Databricks workspace: make the job, or change it\n" +
			"to what the file says. A second deployment of the same file writes nothing. What\n" +
			"others have changed there since is shown, and overwritten only with --force. A\n" +
			"deployment that was cut off goes on where it was.",
		Example: "  flowctl deploy job.json --profile prod --plan\n  flowctl deploy job.json --profile prod",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return e.deploy(c.Context(), args[0], f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.plan, "plan", false, "show what would change, and change nothing")
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite what others have changed on the workspace")
	cmd.Flags().BoolVar(&f.prune, "prune", false, "delete the folders of earlier code")
	e.workspaceFlags(cmd)
	return cmd
}

// deployment is one job on its way to a workspace.
type deployment struct {
	*env
	flags   deployFlags
	client  *rest.Client
	records deploy.Records
	key     string // what the file calls the job
	origin  string // which job of which file that is, on any machine
	code    *uploads.Plan
	want    deploy.Wanted
}

func (e *env) deploy(ctx context.Context, file string, f deployFlags) error {
	home, err := e.dataDir()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &deployment{env: e, flags: f, records: deploy.Records{Dir: filepath.Join(home, "deployed")}}
	if err := d.prepare(ctx, file); err != nil {
		return err
	}
	// A creation that was not answered is looked for before it is asked for again.
	for try := 1; ; try++ {
		err := d.once(ctx)
		if err == nil || !errors.Is(err, errUnanswered) || try == 5 || ctx.Err() != nil {
			return deployError(ctx, err)
		}
		fmt.Fprintln(e.stderr, "Still trying:", err)
		if err := rest.Sleep(ctx, rest.Jitter(time.Duration(try)*time.Second)); err != nil {
			return deployError(ctx, err)
		}
	}
}

// deployError is the exit status of a deployment.
func deployError(ctx context.Context, err error) error {
	var exit *exitError
	refused := new(rest.Error)
	switch {
	case err == nil, errors.As(err, &exit):
		return err
	case errors.As(err, &refused) && refused.Status/100 == 4 && !rest.Denied(err):
		return usage("%w", err)
	}
	return workspaceError(ctx, err)
}

// prepare reads the file, finds its code and says what shall be there.
func (d *deployment) prepare(ctx context.Context, file string) error {
	entry, err := d.goodJob(file, d.flags.job, jobspec.CheckOptions{})
	if err != nil {
		return err
	}
	code, err := d.env.code(file, d.flags.roots)
	if err != nil {
		return err
	}
	settings, err := d.official(entry.Job)
	if err != nil {
		return err
	}
	src, err := d.source(file, code)
	if err != nil {
		return err
	}
	if d.client, err = rest.Open(d.profile, d.host); err != nil {
		return unable(err)
	}
	d.client = d.patient(d.client)
	if d.want.By, err = d.client.User(ctx); err != nil {
		return err
	}
	if d.code, err = uploads.Find(ctx, src, settings); err != nil {
		return usage("%w", err)
	}
	d.key = entry.Label()
	d.origin = originOf(ctx, file, code.Dir) + "\x00" + d.key
	if !d.code.Empty() {
		d.want.Folder = d.code.Folder(d.want.By, d.key)
	}
	if settings, err = d.code.Map(d.want.Folder).Job(settings); err != nil {
		return usage("%w", err)
	}
	if settings, d.want.Permissions, err = withoutPermissions(settings); err != nil {
		return usage("%w", err)
	}
	tags := gitTags(ctx, code.Dir)
	d.want.Commit = commitText(tags)
	d.want.Settings, err = deploy.Tagged(settings, tags)
	return err
}

// withoutPermissions takes a bundle's permissions, or an access_control_list,
// out of the settings: a workspace has them beside the job.
func withoutPermissions(settings json.RawMessage) (rest, list json.RawMessage, err error) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(settings, &o); err != nil {
		return nil, nil, fmt.Errorf("read job settings: %w", err)
	}
	if raw, ok := o["access_control_list"]; ok {
		list = raw
		delete(o, "access_control_list")
	}
	if raw, ok := o["permissions"]; ok {
		var grants []map[string]string
		if err := json.Unmarshal(raw, &grants); err != nil {
			return nil, nil, fmt.Errorf("permissions: a list of objects is expected")
		}
		for _, g := range grants {
			g["permission_level"] = g["level"]
			delete(g, "level")
		}
		if list, err = json.Marshal(grants); err != nil {
			return nil, nil, err
		}
		delete(o, "permissions")
	}
	rest, err = json.Marshal(o)
	return rest, list, err
}

// originOf names a job file: by its place in its git repository, which is the
// same on every machine, else by its place on this one. Two files are never
// taken for one.
func originOf(ctx context.Context, file, dir string) string {
	name := filepath.Base(file)
	if remote := gitSays(ctx, dir, "remote", "get-url", "origin"); remote != "" {
		return remote + "\x00" + gitSays(ctx, dir, "rev-parse", "--show-prefix") + name
	}
	return filepath.Join(dir, name)
}

// gitSays is git's answer about a folder; "" if it has none.
func gitSays(ctx context.Context, dir string, args ...string) string {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// gitTags say which commit the code is, if it is in a git checkout. A tree
// with changes that are not committed is no commit, and says so.
func gitTags(ctx context.Context, dir string) map[string]string {
	git := func(args ...string) string { return gitSays(ctx, dir, args...) }
	commit := git("rev-parse", "HEAD")
	if commit == "" {
		return nil
	}
	tags := map[string]string{"git_commit": commit, "git_branch": git("branch", "--show-current")}
	if git("status", "--porcelain", "--", ".") != "" {
		tags["git_dirty"] = "true"
	}
	return tags
}

// commitOf is the commit that a folder's code is, "" if it is none.
func commitOf(ctx context.Context, dir string) string { return commitText(gitTags(ctx, dir)) }

func commitText(tags map[string]string) string {
	if tags["git_dirty"] != "" {
		return tags["git_commit"] + " and changes"
	}
	return tags["git_commit"]
}

// once plans, and carries the plan out unless only the plan is wanted.
func (d *deployment) once(ctx context.Context) error {
	if !d.flags.plan {
		release, err := d.records.Lock(ctx, d.client.Host(), d.origin, func() {
			fmt.Fprintln(d.stderr, "Another deployment of this job is under way; waiting for its end.")
		})
		if err != nil {
			return workspaceError(ctx, err)
		}
		defer release()
	}
	rec, err := d.records.Get(d.client.Host(), d.origin)
	if err != nil {
		return unable(err)
	}
	w := deployTarget{d.client}
	plan, err := deploy.Make(ctx, w, rec, d.want)
	if err != nil {
		return err
	}
	d.show(plan)
	if d.flags.plan {
		return d.answer(plan, plan.JobID)
	}
	if plan.Nothing() {
		fmt.Fprintln(d.stderr, "Nothing to do: the workspace has what the file says.")
	}
	opt := deploy.Options{Records: d.records, Force: d.flags.force, Upload: d.upload}
	id, err := plan.Apply(ctx, w, opt)
	if errors.Is(err, deploy.ErrDrift) {
		return &exitError{exitFailed, fmt.Errorf("%w; see above what; overwrite it with --force, or take it over into the file", err)}
	}
	if err != nil {
		return err
	}
	if d.flags.prune {
		err := plan.Prune(ctx, w, opt, func(folder string) error { return d.remove(ctx, folder) })
		if errors.Is(err, deploy.ErrActive) {
			fmt.Fprintf(d.stderr, "Kept the folders of earlier code: %v. Prune again when they have ended.\n", err)
		} else if err != nil {
			return err
		}
	}
	return d.answer(plan, id)
}

func (d *deployment) upload(ctx context.Context) error {
	stats, err := d.code.Put(ctx, d.client, d.want.Folder, uploads.Options{})
	if err == nil && !stats.Unchanged {
		fmt.Fprintf(d.stderr, "Uploaded %d files to %s\n", stats.Files, d.want.Folder)
	}
	return err
}

// show prints a plan for people, on the way.
func (d *deployment) show(p *deploy.Plan) {
	if d.flags.output == "json" {
		return
	}
	out := d.stderr
	if d.flags.plan {
		out = d.stdout
	}
	if p.Gone {
		fmt.Fprintln(out, "Somebody has deleted the job on the workspace.")
	}
	if p.Create {
		fmt.Fprintf(out, "The job %q will be made.\n", d.key)
	}
	d.showChanges(out, p)
	if p.Upload {
		fmt.Fprintf(out, "The code goes to %s.\n", d.want.Folder)
	}
	if p.Grant {
		fmt.Fprintln(out, "Permissions will be set.")
	}
	if d.flags.plan && p.Nothing() {
		fmt.Fprintln(out, "Nothing to do: the workspace has what the file says.")
	}
}

// showChanges prints what others have changed, and what would change.
func (e *env) showChanges(out io.Writer, p *deploy.Plan) {
	if len(p.Drift) > 0 {
		fmt.Fprintf(out, "Changed on the workspace by others:\n")
		for _, c := range p.Drift {
			fmt.Fprintf(out, "  %s\n", c)
		}
	}
	if !p.Create && len(p.Changes) > 0 {
		fmt.Fprintf(out, "Job %d will be changed:\n", p.JobID)
		for _, c := range p.Changes {
			fmt.Fprintf(out, "  %s\n", c)
		}
	}
}

// answer prints the result.
func (d *deployment) answer(p *deploy.Plan, id int64) error {
	if d.flags.output == "json" {
		p.JobID = id
		return d.printJSON(p)
	}
	if d.flags.plan {
		return nil
	}
	_, err := fmt.Fprintln(d.stdout, id)
	return err
}

// remove deletes a folder of earlier code.
func (d *deployment) remove(ctx context.Context, folder string) error {
	err := d.client.Post(ctx, "/api/2.0/workspace/delete", map[string]any{"path": folder, "recursive": true}, nil)
	if err != nil && !rest.Missing(err) {
		return fmt.Errorf("delete earlier code: %w", err)
	}
	fmt.Fprintln(d.stderr, "Deleted", folder)
	return nil
}

// errUnanswered says that nobody knows whether a request arrived.
var errUnanswered = errors.New("the workspace did not answer")

// deployTarget is a workspace as engine/deploy sees it.
type deployTarget struct{ *rest.Client }

func (t deployTarget) PostOnce(ctx context.Context, path string, request, answer any) error {
	err := t.Client.Lasting(time.Nanosecond, nil).Post(ctx, path, request, answer)
	refused := new(rest.Error)
	if err == nil || ctx.Err() != nil || errors.As(err, &refused) && refused.Status/100 == 4 {
		return err
	}
	return fmt.Errorf("%w: %w", errUnanswered, err)
}

func (t deployTarget) Put(ctx context.Context, path string, request, answer any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return t.Do(ctx, http.MethodPut, path, nil, &rest.Body{Type: "application/json", Data: data}, answer)
}

func (deployTarget) Missing(err error) bool { return rest.Missing(err) }

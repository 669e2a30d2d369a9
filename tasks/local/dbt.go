package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// kindDbt is what the runtime calls a task that runs dbt.
const kindDbt = "dbt"

// dbtRunner runs dbt_task: the real dbt, in an environment of its own, on the
// run's own Spark or on what the project's profile names.
type dbtRunner struct{ o *Options }

func (r *dbtRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.DbtTask](a)
		if err != nil {
			return launch{}, err
		}
		if err := checkDbt(t); err != nil {
			return launch{}, err
		}
		d, root, err := r.project(ctx, a, out, t)
		if err != nil {
			return launch{}, err
		}
		return r.o.python(ctx, a, out, python.Context{
			Kind: kindDbt, Path: filepath.Join(d.Project, dbtProjectFile), Argv: t.Commands, Dbt: d, Bindings: a.Parameters, CodeDir: root,
		})
	})
}

// dbtProjectFile is the file that makes a folder a project.
const dbtProjectFile = "dbt_project.yml"

// checkDbt refuses what a workspace refuses. The commands of a run are checked
// here too: run-now may bring others than the job has.
//
// Source: the fields' descriptions in the SDK.
func checkDbt(t jobs.DbtTask) error {
	if len(t.Commands) == 0 {
		return invalid("dbt_task.commands: there are none")
	}
	for i, c := range t.Commands {
		if c = strings.TrimSpace(c); c != "dbt" && !strings.HasPrefix(c, "dbt ") {
			return invalid("dbt_task.commands[%d]: %q is no dbt command; each begins with dbt", i, c)
		}
	}
	if t.Catalog != "" && t.WarehouseId == "" {
		return invalid("dbt_task.catalog: it has a meaning only beside warehouse_id; without, the catalog is the profile's")
	}
	if t.ProfilesDirectory != "" && t.WarehouseId != "" {
		return invalid("dbt_task.profiles_directory: it excludes warehouse_id, whose profile is generated")
	}
	return nil
}

// project finds the folders that the task names.
func (r *dbtRunner) project(ctx context.Context, a tasks.Attempt, out tasks.Sink, t jobs.DbtTask) (*python.Dbt, string, error) {
	const field = "dbt_task.project_directory"
	path := t.ProjectDirectory
	if path == "" && a.Job != nil && a.Job.Git != nil && t.Source != jobs.SourceWorkspace {
		path = "." // the root of the checkout
	}
	p, err := r.o.locate(ctx, a, out, field, path, string(t.Source))
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(filepath.Join(p.path, dbtProjectFile)); err != nil {
		return nil, "", notFound("%s: there is no %s in %s%s", field, dbtProjectFile, p.path, p.hint)
	}
	d := &python.Dbt{Project: p.path, Catalog: t.Catalog, Schema: t.Schema, Warehouse: t.WarehouseId}
	if t.ProfilesDirectory != "" {
		d.Profiles, err = r.profiles(ctx, a, out, t, p)
	}
	return d, p.root, err
}

// profiles finds the folder with the user's profiles. A relative path is one
// from the project; in a checkout, one from its root is taken too.
//
// Source: the Databricks CLI, which leaves the path as it is, and its template
// dbt-sql ("../" and "dbt_profiles/").
func (r *dbtRunner) profiles(ctx context.Context, a tasks.Attempt, out tasks.Sink, t jobs.DbtTask, project place) (string, error) {
	const field, file = "dbt_task.profiles_directory", "profiles.yml"
	dir := t.ProfilesDirectory
	inGit := a.Job != nil && a.Job.Git != nil && t.Source != jobs.SourceWorkspace
	var tried []string
	if !strings.HasPrefix(dir, "/") && !strings.Contains(dir, ":/") {
		tried = append(tried, filepath.Join(project.path, filepath.FromSlash(dir)))
	}
	hint := ""
	if inGit || len(tried) == 0 {
		p, err := r.o.locate(ctx, a, out, field, dir, string(t.Source))
		if err == nil {
			tried, hint = append(tried, p.path), p.hint
		} else if len(tried) == 0 {
			return "", err
		}
	}
	for _, dir := range tried {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return dir, nil
		}
	}
	if hint == "" && !strings.HasPrefix(dir, "/") {
		hint = "; a relative path begins at the project"
	}
	return "", notFound("%s: there is no %s in %s%s", field, file, strings.Join(tried, " or "), hint)
}

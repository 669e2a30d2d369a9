package local

import (
	"context"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/notebook"
	"flowctl/tasks/python"
)

// notebookRunner runs notebook_task.
type notebookRunner struct{ o *Options }

func (r *notebookRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.NotebookTask](a)
		if err != nil {
			return launch{}, err
		}
		p, err := r.o.locate(ctx, a, out, "notebook_task.notebook_path", t.NotebookPath, string(t.Source))
		if err != nil {
			return launch{}, err
		}
		file, err := notebook.Resolve(p.path)
		if err != nil {
			return launch{}, notFound("notebook_task.notebook_path: %v%s", err, p.hint)
		}
		// A job parameter beats the task's own of the same name.
		bindings := maps.Clone(t.BaseParameters)
		if bindings == nil {
			bindings = map[string]string{}
		}
		maps.Copy(bindings, a.Parameters)
		name, root := workspaceName(a, t.NotebookPath, file, p.root)
		return r.o.python(ctx, a, out, python.Context{
			Kind: "notebook", Path: file, Bindings: bindings, NotebookPath: name, CodeRoot: root, CodeDir: p.root,
		})
	})
}

// workspaceName is the path that a notebook's code sees as its own: absolute,
// without /Workspace, as a workspace tells it, so that "/Workspace" before it
// leads to the notebook. Code of a folder of this machine is given a place
// below its user's home, root; it is empty for what is on the workspace anyway.
//
// Source: code that puts "/Workspace" before notebookPath(), as the published
// MLOps template does.
func workspaceName(a tasks.Attempt, asked, file, dir string) (name, root string) {
	if path.IsAbs(asked) {
		return strings.TrimPrefix(asked, "/Workspace"), ""
	}
	rel, err := filepath.Rel(dir, file)
	if dir == "" || err != nil || !filepath.IsLocal(rel) {
		return asked, ""
	}
	root = path.Join("/Users", a.User, filepath.Base(dir))
	rel = filepath.ToSlash(rel)
	return path.Join(root, strings.TrimSuffix(rel, path.Ext(rel))), root
}

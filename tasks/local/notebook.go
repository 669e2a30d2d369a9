package local

import (
	"context"
	"maps"

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
		return r.o.python(ctx, a, out, python.Context{
			Kind: "notebook", Path: file, Bindings: bindings, NotebookPath: t.NotebookPath, CodeDir: p.root,
		})
	})
}

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
			return launch{}, notFound("notebook_task.notebook_path: %v", err)
		}
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

// scriptRunner runs spark_python_task.
type scriptRunner struct{ o *Options }

func (r *scriptRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.SparkPythonTask](a)
		if err != nil {
			return launch{}, err
		}
		p, err := r.o.locate(ctx, a, out, "spark_python_task.python_file", t.PythonFile, string(t.Source))
		if err != nil {
			return launch{}, err
		}
		if err := regular("spark_python_task.python_file", p.path); err != nil {
			return launch{}, err
		}
		return r.o.python(ctx, a, out, python.Context{Kind: "script", Path: p.path, Argv: t.Parameters, Bindings: a.Parameters, CodeDir: p.root})
	})
}

// wheelRunner runs python_wheel_task.
type wheelRunner struct{ o *Options }

func (r *wheelRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.PythonWheelTask](a)
		if err != nil {
			return launch{}, err
		}
		if t.PackageName == "" || t.EntryPoint == "" {
			return launch{}, invalid("python_wheel_task: package_name and entry_point are both needed")
		}
		if len(t.Parameters) > 0 && len(t.NamedParameters) > 0 {
			return launch{}, invalid("python_wheel_task: parameters and named_parameters exclude each other")
		}
		argv := t.Parameters
		if len(t.NamedParameters) > 0 {
			if argv, err = namedArgv(a.Task.Payload); err != nil {
				return launch{}, err
			}
		}
		return r.o.python(ctx, a, out, python.Context{
			Kind: "wheel", PackageName: t.PackageName, EntryPoint: t.EntryPoint, Argv: argv, Bindings: a.Parameters, CodeDir: a.Code.Dir,
		})
	})
}

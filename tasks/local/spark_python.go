package local

import (
	"context"
	"os"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// scriptRunner runs spark_python_task.
type scriptRunner struct{ o *Options }

func (r *scriptRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.SparkPythonTask](a)
		if err != nil {
			return launch{}, err
		}
		const field = "spark_python_task.python_file"
		p, err := r.o.locate(ctx, a, out, field, t.PythonFile, string(t.Source))
		if err != nil {
			return launch{}, err
		}
		st, err := os.Stat(p.path)
		switch {
		case err != nil:
			return launch{}, notFound("%s: no file %s%s%s", field, p.path, beside(p.path, ".py"), p.hint)
		case !st.Mode().IsRegular():
			return launch{}, notFound("%s: %s is a folder, not a file", field, p.path)
		case strings.HasSuffix(p.path, ".ipynb"):
			return launch{}, invalid("%s: %s is a notebook, not a file: run it with notebook_task", field, p.path)
		}
		return r.o.python(ctx, a, out, python.Context{Kind: "script", Path: p.path, Argv: t.Parameters, Bindings: a.Parameters, CodeDir: p.root})
	})
}

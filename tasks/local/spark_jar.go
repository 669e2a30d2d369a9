package local

import (
	"context"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// kindJar is what the runtime calls a task that is a main class.
const kindJar = "jar"

// jarRunner runs spark_jar_task: its main class, in a Spark of its own that
// spark-submit starts.
type jarRunner struct{ o *Options }

func (r *jarRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.SparkJarTask](a)
		if err != nil {
			return launch{}, err
		}
		if t.MainClassName == "" {
			return launch{}, invalid("spark_jar_task.main_class_name: no class is given")
		}
		if t.JarUri != "" {
			return launch{}, invalid("spark_jar_task.jar_uri: it is gone since 2016; put the jar among the task's libraries")
		}
		return r.o.python(ctx, a, out, python.Context{Kind: kindJar, EntryPoint: t.MainClassName, Argv: t.Parameters, Bindings: a.Parameters, CodeDir: a.Code.Dir})
	})
}

// submitRunner runs spark_submit_task: the parameters of a spark-submit, but
// for where it runs.
type submitRunner struct{ o *Options }

func (r *submitRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := payload[jobs.SparkSubmitTask](a)
		if err != nil {
			return launch{}, err
		}
		if len(t.Parameters) == 0 {
			return launch{}, invalid("spark_submit_task.parameters: there are none; spark-submit needs at least the application")
		}
		return r.o.python(ctx, a, out, python.Context{Kind: "submit", Argv: t.Parameters, Bindings: a.Parameters, CodeDir: a.Code.Dir})
	})
}

package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

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

// namedArgv turns named_parameters into --key=value, in the order written.
func namedArgv(payload json.RawMessage) ([]string, error) {
	var p struct {
		Named json.RawMessage `json:"named_parameters"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, invalid("python_wheel_task: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(p.Named))
	if _, err := dec.Token(); err != nil {
		return nil, invalid("python_wheel_task.named_parameters: %v", err)
	}
	var argv []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, invalid("python_wheel_task.named_parameters: %v", err)
		}
		var value string
		if err := dec.Decode(&value); err != nil {
			return nil, invalid("python_wheel_task.named_parameters.%v: %v", key, err)
		}
		argv = append(argv, fmt.Sprintf("--%v=%s", key, value))
	}
	return argv, nil
}

package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

// program is an interpreter for a model, and what keeps its environment.
type program struct {
	path    string
	runtime string
	hold    func()
}

// environment finds an interpreter with what a model asks for: the user's own
// if that has it all, else an environment, made if need be.
func (r *Runner) environment(ctx context.Context, dir string, say func(string)) (program, error) {
	runtime, err := python.Extract(filepath.Join(r.Home, "runtime"))
	if err != nil {
		return program{}, err
	}
	found, err := python.Locate(ctx, r.Python, filepath.Join(r.Home, "python.json"))
	if err != nil {
		return program{}, err
	}
	file := filepath.Join(dir, "requirements.txt")
	check := exec.CommandContext(ctx, found.Path, filepath.Join(runtime, "flowctl_rt", "model_check.py"), file)
	out, err := check.Output()
	if err == nil {
		return program{path: found.Path, runtime: runtime, hold: func() {}}, nil
	}
	if ctx.Err() != nil {
		return program{}, context.Cause(ctx)
	}
	say(fmt.Sprintf("%s does not have what the model asks for (%s); it runs in an environment of its own", found.Path, strings.TrimSpace(string(out))))
	want, err := r.requirements(dir, file)
	if err != nil {
		return program{}, err
	}
	env, err := venv.Store{Dir: filepath.Join(r.Home, "envs")}.Ensure(ctx, venv.Spec{Interpreter: found.Path, Requirements: want}, say)
	if err != nil {
		var refused *venv.Error
		if errors.As(err, &refused) {
			say(strings.TrimSpace(refused.Output))
		}
		return program{}, err
	}
	return program{path: env.Program(), runtime: runtime, hold: sync.OnceFunc(func() { _ = env.Close() })}, nil
}

// requirements are the lines of a model's requirements file. A file of the
// model's own that a line names is taken from its folder.
func (r *Runner) requirements(dir, file string) ([]venv.Requirement, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the model's requirements: %w", err)
	}
	var want []venv.Requirement
	mlflow := false
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		req := venv.Requirement{Line: line, Field: fmt.Sprintf("requirements.txt of the model, line %d", i+1)}
		if path := filepath.Join(dir, line); filepath.IsLocal(line) && strings.ContainsAny(line, "/.") {
			if _, err := os.Stat(path); err == nil {
				req.Line, req.Path = path, path
			}
		}
		mlflow = mlflow || isMLflow(line)
		want = append(want, req)
	}
	if !mlflow {
		want = append(want, venv.Requirement{Line: r.MLflow, Field: "the server of models"})
	}
	return want, nil
}

// isMLflow tells whether a requirement brings what loads a model.
func isMLflow(line string) bool {
	name := strings.ToLower(line)
	if i := strings.IndexAny(name, "[=<>!~; @"); i >= 0 {
		name = name[:i]
	}
	return name == "mlflow" || name == "mlflow-skinny"
}

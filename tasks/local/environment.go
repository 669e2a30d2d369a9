package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/notebook"
	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

// environment is the Python that an attempt runs in.
type environment struct {
	Interpreter string       // what to start
	SitePaths   []string     // folders of packages that come before the interpreter's own; it knows them itself, other interpreters of its version need them
	Bin         string       // folder of its programs; empty: that of the interpreter
	Jars        []jarLibrary // what the task asks for that is not Python's
	hold        *os.File     // lock of the environment, for the process to inherit; nil without one
}

// release lets go of the environment; the process that inherited its lock
// goes on to hold it.
func (e environment) release() {
	if e.hold != nil {
		_ = e.hold.Close() // nothing was written to it
	}
}

// activate adds to a process's variables what leads it and its children to
// the environment's programs.
func (e environment) activate(env []string) []string {
	if e.Bin == "" {
		return env
	}
	path := ""
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
		}
	}
	return append(env, "VIRTUAL_ENV="+filepath.Dir(e.Bin), "PATH="+e.Bin+string(os.PathListSeparator)+path)
}

// environment finds the Python of an attempt, and builds its environment if
// the task or, where the task names none, its notebook (inline) asks for
// packages, or for what the runtime of its compute brings (c is what it runs).
// The caller releases it.
func (o *Options) environment(ctx context.Context, a tasks.Attempt, out tasks.Sink, inline *notebook.Environment, compute cluster, c python.Context) (environment, error) {
	interpreter, err := o.interpreter(a.Home)
	if err != nil {
		return environment{}, err
	}
	want, err := o.collect(ctx, a, out, interpreter.Version, inline)
	if err != nil {
		return environment{}, err
	}
	for _, text := range want.notes {
		note(a, out, text)
	}
	connect := o.connects(a)
	brought := runtimePackages(compute, c, connect, interpreter.Path, want.python)
	if connect && names(brought, "pyspark") {
		if err := connectFits(compute); err != nil {
			return environment{}, err
		}
	}
	if err := reportLibraries(a, out, want.python, want.jars); err != nil {
		return environment{}, err
	}
	want.python = append(brought, want.python...)
	e := environment{Interpreter: interpreter.Path, Jars: want.jars}
	if len(want.python) == 0 {
		return e, nil
	}
	built, err := venv.Store{Dir: filepath.Join(a.Home, "envs")}.Ensure(ctx,
		venv.Spec{Interpreter: interpreter.Path, Requirements: want.python}, progress(a, out, want.brief))
	if err != nil {
		return environment{}, unbuildable(a, err)
	}
	e.Interpreter, e.SitePaths, e.Bin, e.hold = built.Program(), []string{built.SitePath()}, built.Bin(), built.Lock
	if err := reportEnvironment(out, built); err != nil {
		e.release()
		return environment{}, err
	}
	return e, nil
}

// progress passes on what is said while an environment is built, and with the
// first of it what people should know of a new one.
func progress(a tasks.Attempt, out tasks.Sink, brief []string) func(string) {
	return func(text string) {
		for _, b := range brief {
			note(a, out, b)
		}
		brief = nil
		note(a, out, text)
	}
}

// unbuildable says in the job's words why there is no environment, and puts
// the installer's into the attempt's log.
func unbuildable(a tasks.Attempt, err error) error {
	var refused *venv.Error
	if !errors.As(err, &refused) {
		return err
	}
	if log, err := openLog(a.Dir); err == nil {
		_, _ = fmt.Fprintln(log, strings.TrimSpace(refused.Output)) // what does not fit is in the error, in short
		_ = log.Close()
	}
	return uninstallable("%s", refused.Error())
}

// reportEnvironment tells what the attempt's code could import.
func reportEnvironment(out tasks.Sink, e *venv.Env) error {
	sum, _ := sumLines(e.Packages)
	data, err := json.Marshal(struct {
		Key          string   `json:"key"`
		Sum          string   `json:"packages_sha256"`
		Python       string   `json:"python"`
		Interpreter  string   `json:"interpreter"`
		MadeBy       string   `json:"made_by"`
		Requirements []string `json:"requirements"`
		Packages     []string `json:"packages"`
		Base         []string `json:"base,omitempty"`
	}{e.Key, sum, e.Python, e.Interpreter, e.MadeBy, e.Requirements, e.Packages, e.Base})
	if err != nil {
		return fmt.Errorf("report environment: %w", err)
	}
	return out.Report(tasks.Fact{Kind: "environment", Data: data})
}

// note tells people what the attempt is waiting for, in its log too.
func note(a tasks.Attempt, out tasks.Sink, text string) {
	out.Note(text)
	f, err := openLog(a.Dir)
	if err != nil {
		return // a note that cannot be written is only a note
	}
	_, _ = fmt.Fprintln(f, "flowctl: "+text)
	_ = f.Close()
}

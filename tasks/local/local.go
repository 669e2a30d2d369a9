// Package local runs attempts on this machine: one file for each task kind,
// and in process.go the supervision of a process group that outlives the
// engine. It knows no engine and no workspace.
//
// Each attempt is a directory; tasks/python describes what is in it. Start
// reading at supervise in attempt.go.
package local

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/python"
)

// Options are the settings of the local runners.
type Options struct {
	// Python is the interpreter for tasks: a path or a name; empty: see python.Find.
	Python string
	// Grace is how long a process may take to end when it is told to; 0: 30 s.
	Grace time.Duration
	// Env are extra variables for every task's process.
	Env []string
	// Secrets gives the secrets that an attempt may read, by scope and key.
	// They lie in its directory, for its user alone, while it runs. Nil: there
	// are none but those in environment variables.
	Secrets func(ctx context.Context, a tasks.Attempt) (map[string]map[string]string, error)
	// Access tells where an attempt finds the Databricks API, and the token
	// that it says there. Nil, or an empty host: what the engine's own
	// environment says.
	Access func(ctx context.Context, a tasks.Attempt) (host, token string, err error)
	// Pipeline gives the settings of a pipeline that was made through the API,
	// as its maker sent them; nil bytes: there is none of that id. Nil: there
	// are none but those of the job's file.
	Pipeline func(ctx context.Context, a tasks.Attempt, id string) (json.RawMessage, error)
	// Cluster gives the settings of a cluster that was made through the API, as
	// its maker sent them; nil bytes: there is none of that id, and its tasks
	// run here as those without compute do. Nil: there are none.
	Cluster func(ctx context.Context, a tasks.Attempt, id string) (json.RawMessage, error)
	// WorkspaceID is what tasks see as the workspace's id.
	WorkspaceID string

	packages packageLists

	once    sync.Once
	found   python.Interpreter
	findErr error
}

// Kinds are the task kinds that have a local runner.
func Kinds() []jobspec.Type {
	return []jobspec.Type{jobspec.NotebookTask, jobspec.SparkPythonTask, jobspec.PythonWheelTask, jobspec.SQLTask, jobspec.SparkJarTask, jobspec.SparkSubmitTask, jobspec.DbtTask, jobspec.PipelineTask}
}

// Runners is the table of local runners.
func Runners(o *Options) tasks.Runners {
	return tasks.Runners{
		jobspec.NotebookTask:    &notebookRunner{o},
		jobspec.SparkPythonTask: &scriptRunner{o},
		jobspec.PythonWheelTask: &wheelRunner{o},
		jobspec.SQLTask:         &sqlRunner{o},
		jobspec.SparkJarTask:    &jarRunner{o},
		jobspec.SparkSubmitTask: &submitRunner{o},
		jobspec.DbtTask:         &dbtRunner{o},
		jobspec.PipelineTask:    &pipelineRunner{o},
	}
}

func (o *Options) grace() time.Duration {
	if o.Grace > 0 {
		return o.Grace
	}
	return 30 * time.Second
}

// interpreter finds the interpreter, once. What stands behind a version
// manager's shim is remembered in the data directory.
func (o *Options) interpreter(home string) (python.Interpreter, error) {
	o.once.Do(func() {
		o.found, o.findErr = python.Locate(context.Background(), o.Python, filepath.Join(home, "python.json"))
	})
	return o.found, o.findErr
}

// python makes the launch of a Python attempt. c holds what its kind needs.
func (o *Options) python(ctx context.Context, a tasks.Attempt, out tasks.Sink, c python.Context) (_ launch, err error) {
	runtime, err := python.Extract(filepath.Join(a.Home, "runtime"))
	if err != nil {
		return launch{}, err
	}
	inline, err := inlineOf(c)
	if err != nil {
		return launch{}, err
	}
	compute, err := o.cluster(ctx, a)
	if err != nil {
		return launch{}, err
	}
	py, err := o.environment(ctx, a, out, inline, compute, c)
	if err != nil {
		return launch{}, err
	}
	defer func() {
		if err != nil {
			py.release()
		}
	}()
	if c.Kind == kindJar && len(py.Jars) == 0 {
		return launch{}, invalid("spark_jar_task: no jar is among the task's libraries; add {\"jar\": \"path/to/app.jar\"}")
	}
	c.EnvsDir = filepath.Join(a.Home, "envs")
	c.TaskKey, c.RunID, c.JobRunID, c.JobID, c.JobName = a.Key, a.RunID, a.JobRunID, a.JobID, a.JobName
	c.Attempt, c.User, c.WorkspaceID, c.ValuesDir = a.Number, a.User, o.WorkspaceID, a.ValuesDir
	c.FS = &python.FS{
		DBFS: filepath.Join(a.Tree(), "dbfs"), Volumes: filepath.Join(a.Tree(), "volumes"),
		Workspace: filepath.Join(a.Tree(), "workspace"), Map: a.Code.Roots,
	}
	if c.CodeRoot != "" {
		c.FS.Map = map[string]string{}
		maps.Copy(c.FS.Map, a.Code.Roots)
		c.FS.Map[c.CodeRoot] = c.CodeDir
	}
	for _, root := range []string{c.FS.DBFS, c.FS.Volumes, c.FS.Workspace} {
		if err := os.MkdirAll(root, 0o700); err != nil {
			return launch{}, fmt.Errorf("make file tree: %w", err)
		}
	}
	spark, clusterEnv, err := o.spark(a, compute, sparkJars(py.Jars))
	if err != nil {
		return launch{}, err
	}
	c.Spark, c.Blobs = spark, blobDir(a.Home)
	c.MLflow, c.MLflowMaker = filepath.Join(a.Home, "mlflow"), strings.TrimPrefix(MLflow, "mlflow==")
	env := os.Environ()
	if o.Access != nil {
		host, token, err := o.Access(ctx, a)
		if err != nil {
			return launch{}, err
		}
		if host != "" {
			env = append(env, "DATABRICKS_HOST="+host, "DATABRICKS_TOKEN="+token)
			c.API = true
		}
	}
	if err := c.Write(a.Dir); err != nil {
		return launch{}, err
	}
	env = append(env, o.Env...)
	env = append(env, clusterEnv...)
	env = append(env, a.Code.Env...)
	env = append(env, mlflowEnv(a.Home, env)...)
	env = append(py.activate(env), python.Env(runtime, a.Dir, a.ValuesDir, nil)...)
	workdir := filepath.Dir(c.Path)
	if c.Path == "" {
		workdir = a.Dir
	}
	return launch{workdir: workdir, argv: python.Argv(py.Interpreter, runtime, a.Dir), env: env, hold: py.hold}, nil
}

// payload reads an attempt's payload into the fields that its kind needs.
func payload[T any](a tasks.Attempt) (T, error) {
	var v T
	if err := json.Unmarshal(a.Task.Payload, &v); err != nil {
		return v, &tasks.Invalid{Code: "INVALID_RUN_CONFIGURATION", Message: fmt.Sprintf("%s: %v", a.Task.Type, err)}
	}
	return v, nil
}

func invalid(format string, args ...any) error {
	return &tasks.Invalid{Code: "INVALID_RUN_CONFIGURATION", Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &tasks.Invalid{Code: "RESOURCE_NOT_FOUND", Message: fmt.Sprintf(format, args...)}
}

// Package tasks is the contract between the engine and what runs an attempt:
// a Runner gets one Attempt, tells a Sink what happens on the way, and
// returns a Result. It holds no runner itself and knows no engine.
package tasks

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"

	"flowctl/jobspec"
)

// A Runner runs one attempt to its end. The Result says what the user's code
// did; an error says that the runner could not run it (the engine records
// INTERNAL_ERROR and applies the task's retry rule).
//
// When ctx is cancelled, the runner stops the attempt (politely first: the
// cause tells whether it was a cancel or a timeout) and returns a Result with
// Canceled. When the cause is ErrDetach, the runner leaves the attempt
// running, lets go of it and returns ErrDetach: another engine will attach.
type Runner interface {
	Run(ctx context.Context, a Attempt, out Sink) (Result, error)
}

// Runners maps each task kind to what runs it.
type Runners map[jobspec.Type]Runner

// Attempt is one try of one task, ready to run: every reference in Task is
// expanded.
type Attempt struct {
	RunID     int64 // of this attempt; unique, what the wire calls the task's run_id
	JobRunID  int64
	JobID     int64
	JobName   string
	Key       string // the task's key; of an iteration, "<nested key>_<index>"
	Number    int    // attempt_number: 0 first, counts on across repairs
	Repair    int    // 0 = original
	StartTime int64  // of the job run, ms since the epoch
	Trigger   string // PERIODIC, ONE_TIME, ...

	Task jobspec.Task // payload with every {{…}} expanded

	// Parameters are the job parameters pushed down to tasks that take
	// key-values. They beat the task's own of the same name.
	Parameters map[string]string

	Job  *jobspec.Job // for job clusters, environments, git source
	Code Code
	User string // run_as
	// Namespace is the workspace that the run belongs to; "" is the one for all.
	Namespace string

	Dir       string // the attempt's own directory, absolute
	ValuesDir string // <task key>.json of each task that has set values; see tasks/python
	Home      string // the data directory

	// Resumed says that an earlier engine may have begun this attempt
	// already: attach to it, or pick up its end, rather than start it.
	// Handle is what that attempt stored by SetHandle.
	Resumed bool
	Handle  string
}

// Tree is the folder with the workspace's trees: workspace, dbfs and volumes.
func (a Attempt) Tree() string {
	if a.Code.Tree != "" {
		return a.Code.Tree
	}
	return filepath.Join(a.Home, "fs")
}

// Code says where a job's relative and workspace paths lead on this machine.
type Code struct {
	// Dir is the folder of the job file; relative paths start here. Empty for
	// jobs made through the API.
	Dir string `json:"dir,omitempty"`
	// File is the job file itself; empty where it came through a pipe or the API.
	File string `json:"file,omitempty"`
	// Roots maps workspace path prefixes ("/Repos/ML") to local folders. The
	// longest prefix wins; without a match a path is looked up in the local
	// workspace tree.
	Roots map[string]string `json:"roots,omitempty"`
	// Tree is the folder of the workspace that the job belongs to, with its
	// trees workspace, dbfs and volumes; empty: fs in the data directory.
	Tree string `json:"tree,omitempty"`
	// Env holds extra environment variables for task processes.
	Env []string `json:"env,omitempty"`
	// Pipelines are the pipelines of the job's file by their resource keys, as
	// they are written there: what ${resources.pipelines.KEY.id} means.
	Pipelines map[string]json.RawMessage `json:"pipelines,omitempty"`
	// Remote says which tasks run on a workspace; nil: none.
	Remote *Remote `json:"remote,omitempty"`
}

// Remote are the tasks of a run that run on a workspace, and where their code
// was put there. It holds no login: that is found anew by the SDK's rules.
type Remote struct {
	Tasks   []string `json:"tasks"`
	Profile string   `json:"profile,omitempty"`
	Host    string   `json:"host,omitempty"`
	Base    string   `json:"base,omitempty"`   // local folder that Folder mirrors; empty: no code was put there
	Folder  string   `json:"folder,omitempty"` // on the workspace
}

// Keys are the keys of the tasks; of nil, none.
func (r *Remote) Keys() []string {
	if r == nil {
		return nil
	}
	return r.Tasks
}

// Has tells whether a task, or the for_each that it belongs to, runs there.
func (r *Remote) Has(key string) bool { return slices.Contains(r.Keys(), key) }

// Sink takes what an attempt has to say while it runs. It is safe for use by
// several goroutines.
type Sink interface {
	// Started says that the user's code has begun (PENDING becomes RUNNING).
	Started()
	// Log takes the attempt's output as it appears, or is nil if nobody looks
	// at it. The log file itself is the runner's (Attempt.Dir/output.log).
	Log() io.Writer
	// SetValue publishes a task value.
	SetValue(key string, v json.RawMessage) error
	// SetHandle stores what a later engine needs to attach. Durable when it returns.
	SetHandle(h string) error
	// Report takes a fact for lineage: what was read, written, logged, locked.
	Report(f Fact) error
	// Note takes one line of progress or warning about the attempt itself
	// ("building environment …").
	Note(text string)
}

// Fact is one statement about an attempt, kept with it: a number, a name or a
// digest, never data. The kinds of the local runners, by what is in them:
//
//	source       files of code that ran: path from the code's root, sha256, size, via; blob: its bytes are kept
//	runtime      Python, platform, time zone; versions of Spark, Delta, Java, MLflow
//	environment  the packages that could be imported
//	read         a Delta table (table id, version, what was asked for), files, a model
//	wrote        a commit to a Delta table (before, after, operation, rows), files
//	mlflow_run   a run that began or ended, with its declared inputs
//	model        a version that was made, an alias, a stage
//	git_snapshot the commit of a git_source
//	warning      what people should know
//	gap          what is known not to be known: what, detail
//
// how says where a fact comes from: the table's log, the query's plan, a hook;
// sure is false where it may be otherwise.
type Fact struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Outcome is how the user's code ended.
type Outcome string

const (
	Success  Outcome = "SUCCESS"
	Failed   Outcome = "FAILED"
	Canceled Outcome = "CANCELED" // stopped because ctx ended
)

// Result is what the user's code did.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Code is the Databricks termination code; empty means the usual one of
	// the outcome (SUCCESS, RUN_EXECUTION_ERROR).
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"` // one line: "ValueError: bad rating"
	Trace   string `json:"trace,omitempty"`   // the user's frames
	// Output is the kind's part of the get-output answer, under the wire's
	// own names: {"notebook_output":{"result":…}}, {"sql_output":…}. Logs are not in it.
	Output json.RawMessage `json:"output,omitempty"`
}

package jobrun

import (
	"time"

	"flowctl/jobspec"
)

// Command is something the world must do now that the state says so. It is
// carried out after the state is on disk, never before.
type Command interface{ command() }

// StartAttempt gives an attempt to its runner.
type StartAttempt struct {
	TaskKey string // the task of the job; of an iteration, the for_each's
	Item    int    // iteration index; -1: not an iteration
	Key     string // task_key on the wire: TaskKey, or "<nested key>_<index>"
	RunID   int64
	Number  int
	Repair  int
	Task    jobspec.Task // payload with every reference expanded
	Params  map[string]string
	Handle  string
	Resumed bool // an engine that is gone may have begun it already
}

// StopAttempt ends an attempt that a runner has. Its end still comes as AttemptFinished.
type StopAttempt struct {
	RunID int64
	Cause StopCause
}

// StartRun starts the child of a run_job task.
type StartRun struct {
	RunID     int64             // the waiting attempt
	Child     int64             // the id that the child gets
	RunJob    jobspec.RunJob    // references expanded
	Inherited map[string]string // this run's job parameters; the child takes those that it declares
	Resumed   bool
}

// StopRun cancels a child run.
type StopRun struct{ Child int64 }

// Publish makes a task's values readable by tasks that start from now on.
type Publish struct{ TaskKey string }

// Notify tells people and programs. It says all that there is to tell, for it
// is delivered when the run may have gone on.
type Notify struct {
	Event   Notice
	Email   []string `json:",omitempty"` // addresses
	Webhook []string `json:",omitempty"` // ids of notification destinations

	JobID       int64
	JobName     string
	Namespace   string `json:",omitempty"`
	RunID       int64  // of the run, or the attempt
	ParentRunID int64  `json:",omitempty"` // of an attempt: its run
	TaskKey     string `json:",omitempty"` // empty: the run itself
	Number      int    `json:",omitempty"` // of an attempt
	Status      Status
	Error       string        `json:",omitempty"` // what the user's code said
	Limit       time.Duration `json:",omitempty"` // of a duration warning: the limit
	At          time.Time
}

// Notice is a kind of notification.
type Notice string

// The notifications of the Jobs API that a run can cause. A streaming backlog
// (on_streaming_backlog_exceeded) is never measured here, so never told.
const (
	OnStart           Notice = "on_start"
	OnSuccess         Notice = "on_success"
	OnFailure         Notice = "on_failure"
	OnDurationWarning Notice = "on_duration_warning_threshold_exceeded"
)

// Ended says that the run is over: nothing of it needs to stay in memory.
type Ended struct{}

func (StartAttempt) command() {}
func (StopAttempt) command()  {}
func (StartRun) command()     {}
func (StopRun) command()      {}
func (Publish) command()      {}
func (Notify) command()       {}
func (Ended) command()        {}

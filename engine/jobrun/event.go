package jobrun

import (
	"encoding/json"
	"time"

	"flowctl/jobspec"
)

// Event is something that happened to a run. The set is closed: these types
// and no others. Time enters the heart only here.
type Event interface{ at() time.Time }

// Requested makes the run's task rows and admits, queues or skips it.
type Requested struct {
	At      time.Time
	Verdict Verdict
	Reason  string `json:",omitempty"` // of a queued or skipped run: which limit
}

// Verdict is what admission decided about a new run.
type Verdict string

// The verdicts of admission.
const (
	Admit Verdict = "admit"
	Queue Verdict = "queue"
	Skip  Verdict = "skip"
)

// Admitted lets a queued run start.
type Admitted struct{ At time.Time }

// AttemptStarted says that an attempt's user code has begun.
type AttemptStarted struct {
	At    time.Time
	RunID int64
}

// HandleSet stores what a later engine needs to attach to an attempt.
type HandleSet struct {
	At     time.Time
	RunID  int64
	Handle string
}

// ValueSet is a task value published by an attempt.
type ValueSet struct {
	At    time.Time
	RunID int64
	Key   string
	Value json.RawMessage
}

// GitResolved pins the commit that this run's code comes from.
type GitResolved struct {
	At     time.Time
	Commit string
}

// AttemptFinished is the end of an attempt as its runner saw it.
type AttemptFinished struct {
	At     time.Time
	RunID  int64
	Result Result // Success, Failed or Canceled
	Code   Code   `json:",omitempty"` // empty: the usual one of the result
	Error  string `json:",omitempty"` // one line
	Rows   *Rows  `json:",omitempty"`
}

// ChildFinished is the end of the run that a run_job task started.
type ChildFinished struct {
	At     time.Time
	RunID  int64 // the waiting attempt
	Child  int64 // the child run; 0 if it could not be made
	Status Status
}

// Tick lets timers that are due act: retries, timeouts, warnings, the queue's limit.
type Tick struct{ At time.Time }

// CancelRequested stops the run, or with Task set that task alone.
type CancelRequested struct {
	At   time.Time
	Task string `json:",omitempty"`
}

// RepairRequested reopens tasks of an ended run.
type RepairRequested struct {
	At         time.Time
	ID         int64
	Tasks      []string // the tasks to rerun, dependents included; nil with AllFailed
	AllFailed  bool
	Parameters map[string]string `json:",omitempty"`
	Overrides  *Overrides        `json:",omitempty"`
	Spec       string            `json:",omitempty"` // the job definition to use from now on; empty: as before
	Job        *jobspec.Job      `json:"-"`
}

// TimeoutChanged is an update of the job's timeout_seconds, which also
// touches active runs.
type TimeoutChanged struct {
	At      time.Time
	Timeout time.Duration
}

// Resumed hands out again what an engine that is gone had in its hands.
type Resumed struct{ At time.Time }

func (e Requested) at() time.Time       { return e.At }
func (e Admitted) at() time.Time        { return e.At }
func (e AttemptStarted) at() time.Time  { return e.At }
func (e HandleSet) at() time.Time       { return e.At }
func (e ValueSet) at() time.Time        { return e.At }
func (e GitResolved) at() time.Time     { return e.At }
func (e AttemptFinished) at() time.Time { return e.At }
func (e ChildFinished) at() time.Time   { return e.At }
func (e Tick) at() time.Time            { return e.At }
func (e CancelRequested) at() time.Time { return e.At }
func (e RepairRequested) at() time.Time { return e.At }
func (e TimeoutChanged) at() time.Time  { return e.At }
func (e Resumed) at() time.Time         { return e.At }

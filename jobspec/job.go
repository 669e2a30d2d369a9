package jobspec

import (
	"encoding/json"
	"time"
)

// Job is the settings of a job, as much of them as scheduling needs. What it
// does not name lives on in Source, untouched.
type Job struct {
	Name              string
	Tasks             []Task // in written order
	Parameters        []Parameter
	JobClusters       []JobCluster
	Environments      []Environment
	Schedule          *Schedule
	Trigger           *Trigger  // the "trigger" object, nil if absent
	Triggers          []Trigger // the "triggers" list; each element fires by itself
	Continuous        *Continuous
	Git               *GitSource
	Health            []HealthRule
	Notify            *Notifications // nil: nobody is told anything
	Tags              map[string]string
	Queue             bool          // queue.enabled
	MaxConcurrentRuns int           // 1 when absent; 0 skips every run
	Timeout           time.Duration // 0: none
	Graph             *Graph        // built by Parse

	Source json.RawMessage // the settings exactly as received; what jobs/get returns
}

// Task is one node of the job's graph.
type Task struct {
	Key       string
	DependsOn []Dependency
	RunIf     RunIf // AllSuccess when absent
	Disabled  bool
	Retry     Retry
	Timeout   time.Duration // of one attempt; 0: none
	Compute   Compute
	Libraries json.RawMessage // the "libraries" list, untouched; nil if absent
	Health    []HealthRule
	Notify    *Notifications // nil: nobody is told anything

	// Type is the key of the task's kind ("notebook_task", ...) and Payload
	// the object under that key, untouched.
	Type    Type
	Payload json.RawMessage

	// Exactly one of these is set for a control kind, none for the others.
	Condition *Condition
	ForEach   *ForEach
	RunJob    *RunJob

	Source json.RawMessage // the whole task object as received
}

// Dependency is one edge: this task waits for TaskKey, and if Outcome is not
// empty ("true" or "false") for that condition's outcome.
type Dependency struct {
	TaskKey string
	Outcome string
}

// Retry says when a failed attempt is followed by another.
type Retry struct {
	Max         int           // attempts after the first; -1: without end
	MinInterval time.Duration // from the start of the failed attempt to the start of the next
	OnTimeout   bool          // a timed-out attempt is retried too
}

// Compute names what a task runs on. At most one field is set.
type Compute struct {
	JobClusterKey     string
	EnvironmentKey    string
	ExistingClusterID string
	NewCluster        json.RawMessage
}

// Condition is a condition_task: Left Op Right. The operands may hold references.
type Condition struct {
	Op    string // EQUAL_TO, NOT_EQUAL, GREATER_THAN, ...
	Left  string
	Right string
}

// ForEach is a for_each_task: Task once for every element of Inputs.
type ForEach struct {
	Inputs      string // a JSON array as text, or a reference to one
	Concurrency int    // 1 when absent
	Task        *Task
}

// RunJob is a run_job_task.
type RunJob struct {
	JobID         int64  // 0 if JobRef is set
	JobRef        string // "${resources.jobs.KEY.id}" or a job's name, as written in place of the id; resolved among the jobs of the same file set
	JobParameters map[string]string
	Payload       json.RawMessage // the whole object: notebook_params and the other old maps
}

// Parameter is a job parameter. Default may hold references.
type Parameter struct{ Name, Default string }

// JobCluster is an element of job_clusters.
type JobCluster struct {
	Key        string
	NewCluster json.RawMessage
}

// Environment is an element of environments.
type Environment struct {
	Key  string
	Spec json.RawMessage
}

// HealthRule is one of health.rules.
type HealthRule struct {
	Metric string // RUN_DURATION_SECONDS and the streaming ones
	Op     string // GREATER_THAN
	Value  int64
}

// GitSource says where a job's code is checked out from. Exactly one of
// Branch, Tag and Commit is set.
type GitSource struct {
	URL, Provider       string
	Branch, Tag, Commit string
	SparseCheckout      json.RawMessage // sparse_checkout, untouched
}

// Schedule is a Quartz expression in a zone.
type Schedule struct {
	Expression string // quartz_cron_expression
	TimezoneID string // a Java zone id
	Paused     bool

	SQLCondition json.RawMessage // kept; cannot be asked here
}

// Continuous keeps one run of the job active.
type Continuous struct {
	Paused      bool
	RetryOnFail bool // task_retry_mode ON_FAILURE
}

// Trigger is the "trigger" object, or an element of "triggers". Exactly one
// of the kinds is set, except that SQLCondition may stand beside one.
type Trigger struct {
	Paused       bool
	Schedule     *Schedule   // in "triggers" only
	Continuous   *Continuous // in "triggers" only
	Periodic     *Periodic
	FileArrival  *FileArrival
	TableUpdate  *TableUpdate
	Model        json.RawMessage // kept; cannot fire here
	SQLCondition json.RawMessage // kept; cannot fire here
}

// Periodic fires every Interval Units.
type Periodic struct {
	Interval int
	Unit     string // MINUTES, HOURS, DAYS, WEEKS
}

// FileArrival fires when a new file name appears under URL.
type FileArrival struct {
	URL                 string
	MinBetween          time.Duration // min_time_between_triggers_seconds
	WaitAfterLastChange time.Duration // wait_after_last_change_seconds
}

// TableUpdate fires when Delta tables get new versions.
type TableUpdate struct {
	TableNames                      []string
	All                             bool // condition ALL_UPDATED
	MinBetween, WaitAfterLastChange time.Duration
}

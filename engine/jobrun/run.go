package jobrun

import (
	"encoding/json"
	"time"

	"flowctl/jobspec"
)

// Run is one run of a job: what happened so far. All times are UTC.
type Run struct {
	ID          int64
	JobID       int64 // of a one-time run: an id of its own, as the Jobs API gives it
	NumberInJob int64
	Namespace   string `json:",omitempty"` // the workspace that the run belongs to; opaque here
	Name        string // run_name: the job's name, or the submit's
	Type        Type
	Trigger     Trigger
	Creator     string // who asked for the run
	RunAs       string // whose identity the tasks carry
	// Spec names the stored job definition that this run obeys; Job is that
	// definition, parsed. Only the name is stored with the run.
	Spec string
	Job  *jobspec.Job `json:"-"`

	Parameters map[string]string `json:",omitempty"` // job parameters, defaults included, references expanded
	Overridden map[string]string `json:",omitempty"` // the job parameters that the caller gave
	Overrides  *Overrides        `json:",omitempty"` // the older maps of run-now
	Only       []string          `json:",omitempty"` // task keys of a partial run, in written order; nil: all
	Code       json.RawMessage   `json:",omitempty"` // where the job's paths lead; for the runners, opaque here
	Siblings   map[string]string `json:",omitempty"` // jobs of the same file: key, name or id → their definition
	Mirror     bool              `json:",omitempty"` // a workspace carries the run; see Observed
	Handle     string            `json:",omitempty"` // of a mirrored run: what a later engine needs to go on
	Page       string            `json:",omitempty"` // of a mirrored run: where people look at it there
	Queue      bool              // a run over the limit waits
	Token      string            `json:",omitempty"` // idempotency token

	Status  Status
	Parent  *Parent   `json:",omitempty"`
	Depth   int       // run_job levels above this run
	Repairs []Repair  `json:",omitempty"`
	Stop    StopCause // why the run is being stopped, or was

	Created  time.Time // when the run was made: start_time
	Admitted time.Time // when it left the queue, or was never in it
	Ended    time.Time
	Timeout  time.Duration `json:",omitempty"` // the job's, as it was last set
	Deadline time.Time     // when it is over; zero: none
	WarnAt   time.Time     // RUN_DURATION_SECONDS rule; zero: none, or warned
	QueueEnd time.Time     // when a queued run is given up
	Git      string        `json:",omitempty"` // git_snapshot.used_commit, once a task checked it out

	Tasks []*TaskRun `json:"-"` // in written order; stored one by one

	live // what is derived: counters, timers, what a commit must write
}

// Type is the wire's run_type.
type Type string

// The run types of the Jobs API.
const (
	JobRun      Type = "JOB_RUN"      // run-now, schedules, triggers
	SubmitRun   Type = "SUBMIT_RUN"   // runs/submit
	WorkflowRun Type = "WORKFLOW_RUN" // dbutils.notebook.run
)

// Trigger says what made the run start.
type Trigger struct {
	Type TriggerType
	// Time is the scheduled time of a fire; zero for runs without a schedule.
	Time time.Time `json:",omitzero"`
	// Location is the directory of a file arrival.
	Location string `json:",omitempty"`
	// Tables are the tables of a table update that changed.
	Tables []TableVersion `json:",omitempty"`
	// Backfill is the time that a backfill run stands for.
	Backfill time.Time `json:",omitzero"`
	// Note is a line for people: a misfire and how late it was.
	Note string `json:",omitempty"`
}

// TableVersion is one updated table of a table_update trigger.
type TableVersion struct {
	Table     string
	Version   int64
	Timestamp time.Time
}

// TriggerType is the wire's trigger enum of a run.
type TriggerType string

// The trigger types of the Jobs API.
const (
	Periodic          TriggerType = "PERIODIC"
	OneTime           TriggerType = "ONE_TIME"
	RetryTrigger      TriggerType = "RETRY"
	RunJobTask        TriggerType = "RUN_JOB_TASK"
	FileArrival       TriggerType = "FILE_ARRIVAL"
	Continuous        TriggerType = "CONTINUOUS"
	ContinuousRestart TriggerType = "CONTINUOUS_RESTART"
	Table             TriggerType = "TABLE"
)

// Parent is the run_job task that started this run.
type Parent struct {
	RunID     int64 // the job run
	TaskRunID int64 // the attempt that waits for us
}

// Overrides are the task parameters that run-now and repair take for jobs
// without job parameters.
type Overrides struct {
	NotebookParams    map[string]string `json:"notebook_params,omitempty"`
	PythonParams      []string          `json:"python_params,omitempty"`
	PythonNamedParams map[string]string `json:"python_named_params,omitempty"`
	JarParams         []string          `json:"jar_params,omitempty"`
	SparkSubmitParams []string          `json:"spark_submit_params,omitempty"`
	SQLParams         map[string]string `json:"sql_params,omitempty"`
	DbtCommands       []string          `json:"dbt_commands,omitempty"`
	PipelineParams    json.RawMessage   `json:"pipeline_params,omitempty"`
}

// Repair is one repair of a run.
type Repair struct {
	ID         int64
	Started    time.Time
	Ended      time.Time
	Status     Status
	TaskRunIDs []int64           // first attempts of the tasks that it reran
	Parameters map[string]string `json:",omitempty"` // job parameters of the rerun tasks
	Overrides  *Overrides        `json:",omitempty"`
}

// TaskRun is one task of a run, or one iteration of a for_each task.
type TaskRun struct {
	Key      string
	Index    int // place among the run's tasks; of an iteration, among the inputs
	Attempts []Attempt
	Values   map[string]json.RawMessage `json:",omitempty"` // task values of the latest attempt
	Outcome  string                     `json:",omitempty"` // of a condition: "true" or "false"
	Rows     *Rows                      `json:",omitempty"` // of a sql task: what references can read
	ForEach  *Iterations                `json:",omitempty"`
	// Repair is the repair that last reopened the task; 0: none. The retry
	// budget counts within it.
	Repair int `json:",omitempty"`

	Items []*TaskRun `json:"-"` // iterations that were started, by index; stored one by one

	parent  *TaskRun // of an iteration
	waiting int      // upstream tasks that have not ended
	dirty   bool
}

// Rows is what {{tasks.T.output.…}} reads of a sql task.
type Rows struct {
	Rows       json.RawMessage `json:"rows,omitempty"`
	AlertState string          `json:"alert_state,omitempty"`
}

// Attempt is one try of a task. The last attempt's status is the task's.
type Attempt struct {
	RunID   int64 // the task's run_id on the wire
	Number  int   // attempt_number
	Repair  int   `json:",omitempty"`
	Status  Status
	Created time.Time // when the attempt was made: start_time
	Pending time.Time `json:",omitzero"` // when it was given to a runner
	Started time.Time `json:",omitzero"` // when the user's code began
	Ended   time.Time `json:",omitzero"`

	NextTry  time.Time `json:",omitzero"` // WAITING: when this attempt starts
	Deadline time.Time `json:",omitzero"` // when it times out
	WarnAt   time.Time `json:",omitzero"` // its RUN_DURATION_SECONDS rule
	Stop     StopCause `json:",omitempty"`

	Error    string          `json:",omitempty"` // one line: what the user's code said
	Handle   string          `json:",omitempty"` // what a later engine needs to attach
	ChildRun int64           `json:",omitempty"` // of a run_job task
	Resolved json.RawMessage `json:",omitempty"` // the payload with references expanded, where it had any
	Operands *Operands       `json:",omitempty"` // of a condition
}

// Operands are a condition's operands with references expanded.
type Operands struct{ Left, Right string }

// StopCause says why something is being stopped.
type StopCause string

// The causes of a stop.
const (
	ByUser       StopCause = "user"        // runs/cancel
	ByTimeout    StopCause = "timeout"     // of the task for an attempt, of the job for a run
	ByJobTimeout StopCause = "job timeout" // an attempt stopped because its run timed out
	ByParent     StopCause = "parent"      // an iteration stopped with its for_each
)

// Last is the latest attempt. A TaskRun always has one.
func (t *TaskRun) Last() *Attempt { return &t.Attempts[len(t.Attempts)-1] }

// Status is the latest attempt's.
func (t *TaskRun) Status() Status { return t.Last().Status }

// Parent is the for_each task that this iteration belongs to, nil for a task.
func (t *TaskRun) Parent() *TaskRun { return t.parent }

// Task finds a task of the run by key, nil if it has none.
func (r *Run) Task(key string) *TaskRun { return r.byKey[key] }

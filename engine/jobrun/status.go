package jobrun

// State is the wire's status.state.
type State string

// The life of a run and of a task; see doc.go for who moves which to which.
const (
	Blocked     State = "BLOCKED"     // waiting for upstream tasks
	Queued      State = "QUEUED"      // over a limit, waiting for a slot
	Pending     State = "PENDING"     // may start; being prepared
	Running     State = "RUNNING"     // the user's code runs
	Waiting     State = "WAITING"     // for the time of its next attempt
	Terminating State = "TERMINATING" // being stopped
	Terminated  State = "TERMINATED"  // ended; only a repair leaves it
)

// Result is the wire's result_state; empty until the end.
type Result string

// How runs and tasks end.
const (
	Success             Result = "SUCCESS"
	SuccessWithFailures Result = "SUCCESS_WITH_FAILURES"
	Failed              Result = "FAILED"
	TimedOut            Result = "TIMEDOUT"
	Canceled            Result = "CANCELED"
	MaxConcurrentRuns   Result = "MAXIMUM_CONCURRENT_RUNS_REACHED"
	Excluded            Result = "EXCLUDED"
	UpstreamFailed      Result = "UPSTREAM_FAILED"
	UpstreamCanceled    Result = "UPSTREAM_CANCELED"
	Disabled            Result = "DISABLED"
)

// Code is the wire's termination code; empty until the end.
type Code string

// The termination codes that this engine gives by itself. Others come from a
// workspace and pass through.
const (
	CodeSuccess             Code = "SUCCESS"
	CodeSuccessWithFailures Code = "SUCCESS_WITH_FAILURES"
	CodeUserCanceled        Code = "USER_CANCELED"
	CodeCanceled            Code = "CANCELED" // a timeout ends this way
	CodeSkipped             Code = "SKIPPED"
	CodeDisabled            Code = "DISABLED"
	CodeInternalError       Code = "INTERNAL_ERROR"
	CodeRunExecutionError   Code = "RUN_EXECUTION_ERROR"
	CodeInvalidConfig       Code = "INVALID_RUN_CONFIGURATION"
	CodeResourceNotFound    Code = "RESOURCE_NOT_FOUND"
	CodeMaxConcurrent       Code = "MAX_CONCURRENT_RUNS_EXCEEDED"
	CodeQueueFull           Code = "MAX_JOB_QUEUE_SIZE_EXCEEDED"
)

// Status is where a run or an attempt stands. It is decided in one place and
// stored; nobody computes it anew for display.
type Status struct {
	State   State
	Result  Result `json:",omitempty"`
	Code    Code   `json:",omitempty"`
	Message string `json:",omitempty"` // one line for people
}

// Ended tells whether nothing more will happen without a repair.
func (s Status) Ended() bool { return s.State == Terminated }

// Succeeded tells whether the end counts as success.
func (s Status) Succeeded() bool {
	return s.Result == Success || s.Result == SuccessWithFailures
}

// failed tells whether the end is a failure of its own or handed down.
func (s Status) failed() bool {
	switch s.Result {
	case Failed, TimedOut, UpstreamFailed, MaxConcurrentRuns:
		return true
	}
	return false
}

// canceled tells whether the end came from a cancel, directly or handed down.
func (s Status) canceled() bool { return s.Result == Canceled || s.Result == UpstreamCanceled }

// Type is the wire's termination_details.type for the status's code and result.
func (s Status) Type() string {
	switch s.Result {
	case Failed:
		if s.Code == CodeInternalError || s.Code == "DRIVER_ERROR" {
			return "INTERNAL_ERROR"
		}
		return "CLIENT_ERROR"
	case TimedOut, UpstreamFailed, MaxConcurrentRuns:
		return "CLIENT_ERROR"
	}
	if s.Code == CodeQueueFull {
		return "CLIENT_ERROR"
	}
	return "SUCCESS"
}

func terminated(res Result, code Code, msg string) Status {
	return Status{State: Terminated, Result: res, Code: code, Message: msg}
}

package tasks

import (
	"context"
	"encoding/json"
	"time"

	"flowctl/jobspec"
)

// A Follower carries a whole run that a workspace runs: it hands the job in
// there, if Handle does not say that this was done, and tells what it sees
// until the run has ended. When ctx is cancelled it has the workspace cancel
// the run, and goes on until that has happened; when the cause is ErrDetach,
// it lets go and returns ErrDetach.
type Follower interface {
	Follow(ctx context.Context, w WholeRun, see func(Seen) error) error
}

// WholeRun is a run that a workspace runs.
type WholeRun struct {
	Job        *jobspec.Job // its paths lead to the workspace
	Parameters map[string]string
	Only       []string
	Token      string // idempotency token; the same for every engine that carries the run
	Handle     string // what an earlier engine was told
}

// Seen is what has changed since the last look at a run.
type Seen struct {
	Handle string // what a later engine needs to go on
	Page   string // where people look at the run; empty: nothing new
	Status SeenStatus
	Tasks  []SeenTask
}

// SeenStatus is a status in the words of the wire.
type SeenStatus struct{ State, Result, Code, Message string }

// SeenTask is an attempt of a task, or of an iteration of a for_each task.
// What it left behind comes with its end.
type SeenTask struct {
	Key            string
	Item           int // 1 + iteration index; 0: the task itself
	Total          int // of a for_each: how many iterations it has, as far as that is known
	Number         int // attempt_number
	Handle         string
	Status         SeenStatus
	Started, Ended time.Time
	Error, Trace   string
	Output         json.RawMessage
	Log            string
	Condition      *SeenCondition // of a condition task that was decided
}

// SeenCondition is how a condition came out, its operands resolved.
type SeenCondition struct{ Left, Right, Outcome string }

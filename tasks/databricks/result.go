package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/databricks/rest"
)

// result fetches what an ended run has left behind, and is its end.
func (r *Runner) result(ctx context.Context, run *jobs.Run, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	task := taskOf(run, a.Key)
	if task == nil || task.State == nil {
		return tasks.Result{}, fmt.Errorf("run %d on the workspace has no task %s", run.RunId, a.Key)
	}
	free, stop := untilDetached(ctx)
	defer stop()
	o, err := output(free, r.lasting(out), task.RunId)
	var refused *rest.Error
	if err != nil && !errors.As(err, &refused) {
		return tasks.Result{}, err
	}
	if err != nil { // the end of the run is known all the same
		out.Note(fmt.Sprintf("the output of the task is not to be had: %v", refused))
	}
	if err := keepLog(a.Dir, o, out); err != nil {
		return tasks.Result{}, err
	}
	res := tasks.Result{Outcome: tasks.Failed, Message: text(o["error"]), Trace: text(o["error_trace"]), Output: kept(o)}
	if res.Message == "" && task.State.ResultState != jobs.RunResultStateSuccess {
		res.Message = task.State.StateMessage
	}
	if task.Status != nil && task.Status.TerminationDetails != nil {
		res.Code = string(task.Status.TerminationDetails.Code)
	}
	switch {
	case task.State.ResultState == jobs.RunResultStateSuccess:
		res.Outcome, res.Code, res.Message = tasks.Success, "", ""
	case task.State.ResultState == jobs.RunResultStateCanceled, ctx.Err() != nil && task.State.ResultState != jobs.RunResultStateFailed:
		res.Outcome, res.Code, res.Message = tasks.Canceled, "", ""
	case task.State.ResultState == jobs.RunResultStateFailed && task.State.LifeCycleState != jobs.RunLifeCycleStateInternalError:
	default: // timed out there, skipped, or the workspace's own fault
		if res.Message == "" {
			res.Message = fmt.Sprintf("the run ended %s %s on the workspace", task.State.LifeCycleState, task.State.ResultState)
		}
	}
	return res, r.values(run, a, o, out)
}

// values tells the sink of the task's values: those that conditions showed
// beat those of the exit value, which may be an older habit.
func (r *Runner) values(run *jobs.Run, a tasks.Attempt, o map[string]json.RawMessage, out tasks.Sink) error {
	var nb struct{ Result string }
	if raw, ok := o["notebook_output"]; ok && json.Unmarshal(raw, &nb) != nil {
		nb.Result = ""
	}
	values := exitValues(nb.Result)
	if values == nil {
		values = map[string]json.RawMessage{}
	}
	for k, v := range shownValues(run, a) {
		if old, ok := values[k]; !ok || text(old) != text(v) {
			values[k] = v
		}
	}
	return publish(values, out)
}

// taskOf finds our task among those of the run; the others are conditions.
func taskOf(run *jobs.Run, key string) *jobs.RunTask {
	for i := range run.Tasks {
		if run.Tasks[i].TaskKey == key {
			return &run.Tasks[i]
		}
	}
	return nil
}

// kept are the members of a get-output answer that belong to the task's kind.
func kept(o map[string]json.RawMessage) json.RawMessage {
	parts := map[string]json.RawMessage{}
	for k, v := range o {
		if strings.HasSuffix(k, "_output") || k == "info" {
			parts[k] = v
		}
	}
	if len(parts) == 0 {
		return nil
	}
	raw, err := json.Marshal(parts)
	if err != nil {
		return nil // it came as JSON
	}
	return raw
}

// keepLog writes the task's output where that of a local attempt is.
func keepLog(dir string, o map[string]json.RawMessage, out tasks.Sink) error {
	logs := text(o["logs"])
	if logs == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the task's log: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "output.log"), []byte(logs), 0o600); err != nil {
		return fmt.Errorf("keep the task's log: %w", err)
	}
	if w := out.Log(); w != nil {
		if _, err := fmt.Fprint(w, logs); err != nil {
			return fmt.Errorf("show the task's log: %w", err)
		}
	}
	return nil
}

// text is a JSON string's text, and anything else as it is written.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

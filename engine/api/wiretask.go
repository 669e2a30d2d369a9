package api

import (
	"encoding/json"

	"flowctl/engine/jobrun"
	"flowctl/jobspec"
)

// tasksOf are a task's attempts: the latest, or all.
func tasksOf(r *jobrun.Run, t *jobrun.TaskRun, v runView) []wireTask {
	first := len(t.Attempts) - 1
	if v.history {
		first = 0
	}
	var list []wireTask
	for i := first; i < len(t.Attempts); i++ {
		list = append(list, taskOf(r, t, &t.Attempts[i], v))
	}
	return list
}

// taskOf is one attempt of a task or an iteration.
func taskOf(r *jobrun.Run, t *jobrun.TaskRun, a *jobrun.Attempt, v runView) wireTask {
	w := wireTask{
		fields: taskFields(r, t), TaskKey: t.Key, RunID: a.RunID, State: stateOf(a.Status, false), Status: statusOf(a.Status),
		StartTime: ms(a.Created), EndTime: ms(a.Ended), AttemptNumber: a.Number, RunPageURL: v.page(r.JobID, a.RunID),
	}
	if a.Stop != "" && a.Status.Ended() {
		w.State.UserCancelledOrTimedout = true
	}
	switch {
	case a.Started.IsZero():
	case a.Ended.IsZero():
		w.SetupDuration = a.Started.Sub(a.Pending).Milliseconds()
	default:
		w.SetupDuration = a.Started.Sub(a.Pending).Milliseconds()
		w.ExecutionDuration = a.Ended.Sub(a.Started).Milliseconds()
	}
	if !a.Ended.IsZero() && !a.Pending.IsZero() {
		w.RunDuration = a.Ended.Sub(a.Pending).Milliseconds()
	}
	if v.resolved {
		w.ResolvedValues = resolvedValues(r, t, a)
	}
	control(&w, t, a)
	return w
}

// taskFields are the task's fields as the job writes them.
func taskFields(r *jobrun.Run, t *jobrun.TaskRun) map[string]json.RawMessage {
	var source json.RawMessage
	if p := t.Parent(); p != nil {
		source = r.Job.Tasks[p.Index].ForEach.Task.Source
	} else {
		source = r.Job.Tasks[t.Index].Source
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(source, &fields) != nil {
		return map[string]json.RawMessage{}
	}
	if n, ok := fields[string(jobspec.NotebookTask)]; ok {
		source := "WORKSPACE"
		if r.Job.Git != nil {
			source = "GIT"
		}
		fields[string(jobspec.NotebookTask)] = withDefault(n, "source", source)
	}
	if _, ok := fields["run_if"]; !ok {
		fields["run_if"] = json.RawMessage(`"ALL_SUCCESS"`)
	}
	return fields
}

// control adds what control kinds show: a condition's outcome, a for_each's
// counts, a run_job's child.
func control(w *wireTask, t *jobrun.TaskRun, a *jobrun.Attempt) {
	switch {
	case t.Outcome != "" && a == t.Last():
		w.fields["condition_task"] = with(w.fields["condition_task"], map[string]any{"outcome": t.Outcome})
	case t.ForEach != nil:
		n := t.ForEach.Counts()
		stats := map[string]any{"task_run_stats": map[string]int{
			"total_iterations": n.Total, "scheduled_iterations": n.Active + n.Succeeded + n.Failed + n.Canceled, "active_iterations": n.Active,
			"completed_iterations": n.Succeeded + n.Failed + n.Canceled, "succeeded_iterations": n.Succeeded, "failed_iterations": n.Failed + n.Canceled,
		}}
		if messages := errorStats(t); len(messages) > 0 {
			stats["error_message_stats"] = messages
		}
		w.fields["for_each_task"] = with(w.fields["for_each_task"], map[string]any{"stats": stats})
	}
}

// errorStats counts the iterations' errors by their text.
func errorStats(t *jobrun.TaskRun) []map[string]any {
	count := map[string]int{}
	var order []string
	for _, it := range t.Items {
		if a := it.Last(); a.Status.Ended() && !a.Status.Succeeded() {
			msg := a.Error
			if msg == "" {
				msg = a.Status.Message
			}
			if count[msg]++; count[msg] == 1 {
				order = append(order, msg)
			}
		}
	}
	var list []map[string]any
	for _, msg := range order[:min(len(order), 10)] {
		list = append(list, map[string]any{"count": count[msg], "error_message": msg, "termination_category": "RUN_EXECUTION_ERROR"})
	}
	return list
}

// withDefault gives an object a field that it does not have.
func withDefault(raw json.RawMessage, name, value string) json.RawMessage {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil || o == nil || o[name] != nil {
		return raw
	}
	return with(raw, map[string]any{name: value})
}

func with(raw json.RawMessage, more map[string]any) json.RawMessage {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil || o == nil {
		o = map[string]json.RawMessage{}
	}
	for k, v := range more {
		value, err := json.Marshal(v)
		if err != nil {
			return raw
		}
		o[k] = value
	}
	out, err := json.Marshal(o)
	if err != nil {
		return raw
	}
	return out
}

// resolvedValues shows what the references of an attempt came out as.
func resolvedValues(r *jobrun.Run, t *jobrun.TaskRun, a *jobrun.Attempt) any {
	if a.Operands != nil {
		return map[string]any{"condition_task": map[string]string{"left": a.Operands.Left, "right": a.Operands.Right}}
	}
	if len(a.Resolved) == 0 {
		return nil
	}
	var def *jobspec.Task
	if p := t.Parent(); p != nil {
		def = r.Job.Tasks[p.Index].ForEach.Task // the index of an iteration counts among its inputs
	} else {
		def = &r.Job.Tasks[t.Index]
	}
	var payload map[string]json.RawMessage
	if json.Unmarshal(a.Resolved, &payload) != nil {
		return nil
	}
	keep := map[jobspec.Type][]string{
		jobspec.NotebookTask: {"base_parameters"}, jobspec.PythonWheelTask: {"named_parameters", "parameters"},
		jobspec.RunJobTask: {"job_parameters", "parameters"}, jobspec.DbtTask: {"commands"}, jobspec.SQLTask: {"parameters"},
	}[def.Type]
	if keep == nil {
		keep = []string{"parameters"}
	}
	shown := map[string]json.RawMessage{}
	for _, k := range keep {
		if raw, ok := payload[k]; ok {
			shown[k] = raw
		}
	}
	return map[string]any{string(def.Type): shown}
}

// Package databricks runs attempts on a Databricks workspace: each is a
// one-time run of one task there, made with a token of the attempt, so that
// a lost answer never makes a second one, and followed to its end however
// long the workspace cannot be reached. It also submits whole jobs.
//
// The attempt's directory keeps the token; whoever attaches later asks with
// the same token and is told of the same run. What decides about retries,
// timeouts and order stays with the engine, which this package does not know.
// Start reading at Run in runner.go.
package databricks

import (
	"encoding/json"
	"fmt"
	"time"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/databricks/rest"
	"flowctl/tasks/databricks/upload"
)

// Runner runs attempts on a workspace.
type Runner struct {
	Client *rest.Client
	// Code says where the job's local code is on the workspace.
	Code upload.Map
	// First and Max bound the wait between two looks at a run; 0: one second
	// and fifteen.
	First, Max time.Duration
}

// kinds are the task kinds that a one-time run takes. Those that the engine
// carries out by itself are not sent anywhere.
func sendable(k jobspec.Type) bool {
	switch k {
	case "", jobspec.ConditionTask, jobspec.ForEachTask, jobspec.RunJobTask:
		return false
	}
	return true
}

// sent lists the members of a task that a one-time run of it keeps. Order,
// retries and notifications are the engine's affair here.
var sent = []string{"environment_key", "existing_cluster_id", "new_cluster", "libraries", "description", "compute", "disable_auto_optimization"}

// request writes an attempt as the body of runs/submit.
func (r *Runner) request(a tasks.Attempt, token string) (*submit, error) {
	if !sendable(a.Task.Type) {
		return nil, invalid("task %s: a %q cannot be sent to a workspace by itself", a.Key, a.Task.Type)
	}
	var own map[string]json.RawMessage
	if len(a.Task.Source) > 0 {
		if err := json.Unmarshal(a.Task.Source, &own); err != nil {
			return nil, invalid("task %s: %v", a.Key, err)
		}
	}
	task := map[string]any{"task_key": a.Key, string(a.Task.Type): a.Task.Payload}
	for _, key := range sent {
		if v, ok := own[key]; ok {
			task[key] = v
		}
	}
	if a.Task.Timeout > 0 { // the engine's own comes first; this one is for when nobody is left to give it
		task["timeout_seconds"] = int((a.Task.Timeout + slack).Seconds())
	}
	s := &submit{Name: fmt.Sprintf("%s: %s", a.JobName, a.Key), Token: token}
	if err := r.surroundings(a, task, s); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(task)
	if err != nil {
		return nil, invalid("task %s: %v", a.Key, err)
	}
	if raw, err = r.Code.Task(raw, s.Git != nil); err != nil {
		return nil, &tasks.Invalid{Code: "RESOURCE_NOT_FOUND", Message: err.Error()}
	}
	s.Tasks = []json.RawMessage{raw}
	return s, s.askFor(a)
}

// slack is how much longer than the engine a workspace waits for a task.
const slack = 10 * time.Minute

// surroundings adds what the task needs of its job: its cluster, its
// environment, its git source, its identity.
func (r *Runner) surroundings(a tasks.Attempt, task map[string]any, s *submit) error {
	if a.Job == nil {
		return nil
	}
	var job map[string]json.RawMessage
	if err := json.Unmarshal(a.Job.Source, &job); err != nil {
		return invalid("read the job: %v", err)
	}
	s.Git, s.RunAs, s.BudgetPolicy = job["git_source"], job["run_as"], job["budget_policy_id"]
	s.UsagePolicy, s.Performance = job["usage_policy_id"], job["performance_target"]
	if key := a.Task.Compute.JobClusterKey; key != "" {
		for _, c := range a.Job.JobClusters {
			if c.Key == key {
				task["new_cluster"] = c.NewCluster
			}
		}
		if task["new_cluster"] == nil {
			return invalid("task %s: the job has no job cluster %q", a.Key, key)
		}
	}
	if key := a.Task.Compute.EnvironmentKey; key != "" {
		for _, e := range a.Job.Environments {
			if e.Key != key {
				continue
			}
			raw, err := json.Marshal(map[string]any{"environment_key": e.Key, "spec": e.Spec})
			if err != nil {
				return invalid("environment %s: %v", key, err)
			}
			if raw, err = r.Code.Environment(raw); err != nil {
				return &tasks.Invalid{Code: "RESOURCE_NOT_FOUND", Message: err.Error()}
			}
			s.Environments = []json.RawMessage{raw}
		}
	}
	return nil
}

// submit is the body of runs/submit: the SDK's SubmitRun, with what the job
// says untouched.
type submit struct {
	Name         string            `json:"run_name"`
	Token        string            `json:"idempotency_token"`
	Tasks        []json.RawMessage `json:"tasks"`
	Environments []json.RawMessage `json:"environments,omitempty"`
	Git          json.RawMessage   `json:"git_source,omitempty"`
	RunAs        json.RawMessage   `json:"run_as,omitempty"`
	BudgetPolicy json.RawMessage   `json:"budget_policy_id,omitempty"`
	UsagePolicy  json.RawMessage   `json:"usage_policy_id,omitempty"`
	Performance  json.RawMessage   `json:"performance_target,omitempty"`
}

func invalid(format string, args ...any) error {
	return &tasks.Invalid{Code: "INVALID_RUN_CONFIGURATION", Message: fmt.Sprintf(format, args...)}
}

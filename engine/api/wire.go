package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"flowctl/engine/jobrun"
)

// The shapes of runs as the Jobs API 2.2 answers them. Times are milliseconds
// since the epoch, durations milliseconds. Both the legacy state and the
// status are always there: clients read either.

type wireRun struct {
	JobID                int64             `json:"job_id"`
	RunID                int64             `json:"run_id"`
	NumberInJob          int64             `json:"number_in_job"`
	OriginalAttemptRunID int64             `json:"original_attempt_run_id"`
	CreatorUserName      string            `json:"creator_user_name,omitempty"`
	State                wireState         `json:"state"`
	Status               wireStatus        `json:"status"`
	StartTime            int64             `json:"start_time"`
	EndTime              int64             `json:"end_time"`
	SetupDuration        int64             `json:"setup_duration"`
	ExecutionDuration    int64             `json:"execution_duration"`
	CleanupDuration      int64             `json:"cleanup_duration"`
	RunDuration          int64             `json:"run_duration"`
	QueueDuration        int64             `json:"queue_duration,omitempty"`
	Trigger              string            `json:"trigger"`
	TriggerInfo          *wireTriggerInfo  `json:"trigger_info,omitempty"`
	RunName              string            `json:"run_name"`
	RunPageURL           string            `json:"run_page_url,omitempty"`
	RunType              string            `json:"run_type"`
	Format               string            `json:"format"`
	Tasks                []wireTask        `json:"tasks,omitempty"`
	JobParameters        []wireParameter   `json:"job_parameters,omitempty"`
	Overriding           *jobrun.Overrides `json:"overriding_parameters,omitempty"`
	RepairHistory        []wireRepair      `json:"repair_history,omitempty"`
	JobClusters          json.RawMessage   `json:"job_clusters,omitempty"`
	GitSource            json.RawMessage   `json:"git_source,omitempty"`
	Schedule             json.RawMessage   `json:"schedule,omitempty"`
	HasMore              bool              `json:"has_more,omitempty"`
	NextPageToken        string            `json:"next_page_token,omitempty"`
	Iterations           []wireTask        `json:"iterations,omitempty"`
	AttemptNumber        int               `json:"attempt_number"`
}

type wireTriggerInfo struct {
	RunID int64 `json:"run_id,omitempty"`
}

type wireParameter struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Value   string `json:"value"`
}

type wireState struct {
	LifeCycleState          string `json:"life_cycle_state"`
	ResultState             string `json:"result_state,omitempty"`
	StateMessage            string `json:"state_message"`
	UserCancelledOrTimedout bool   `json:"user_cancelled_or_timedout"`
	QueueReason             string `json:"queue_reason,omitempty"`
}

type wireStatus struct {
	State       string           `json:"state"`
	Termination *wireTermination `json:"termination_details,omitempty"`
	Queue       *wireQueue       `json:"queue_details,omitempty"`
}

type wireTermination struct {
	Code    string `json:"code"`
	Type    string `json:"type"`
	Message string `json:"message,omitempty"`
}

type wireQueue struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

type wireRepair struct {
	Type       string     `json:"type"`
	ID         int64      `json:"id,omitempty"`
	StartTime  int64      `json:"start_time"`
	EndTime    int64      `json:"end_time"`
	State      wireState  `json:"state"`
	Status     wireStatus `json:"status"`
	TaskRunIDs []int64    `json:"task_run_ids"`
}

// wireTask is a task's attempt. The task's own fields, as the job writes
// them, stand beside these.
type wireTask struct {
	fields            map[string]json.RawMessage
	TaskKey           string     `json:"task_key"`
	RunID             int64      `json:"run_id"`
	State             wireState  `json:"state"`
	Status            wireStatus `json:"status"`
	StartTime         int64      `json:"start_time"`
	EndTime           int64      `json:"end_time"`
	SetupDuration     int64      `json:"setup_duration"`
	ExecutionDuration int64      `json:"execution_duration"`
	CleanupDuration   int64      `json:"cleanup_duration"`
	RunDuration       int64      `json:"run_duration"`
	AttemptNumber     int        `json:"attempt_number"`
	RunPageURL        string     `json:"run_page_url,omitempty"`
	ResolvedValues    any        `json:"resolved_values,omitempty"`
	Output            any        `json:"output,omitempty"` // flowctl run -o json alone
}

// MarshalJSON joins the task's own fields with those of the attempt, which win.
func (t wireTask) MarshalJSON() ([]byte, error) {
	type plain wireTask
	own, err := json.Marshal(plain(t))
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	for k, v := range t.fields {
		all[k] = v
	}
	if err := json.Unmarshal(own, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// runView says how much of a run an answer shows.
type runView struct {
	history  bool // all attempts, not only the latest
	resolved bool // the values that references resolved to
	base     string
	org      string // the workspace's id, in addresses
}

// view is how the server shows runs to whoever asks.
func (s *Server) view(ctx context.Context) runView {
	v := runView{base: s.baseOf(ctx)}
	if ws, err := s.Workspaces.Workspace(""); err == nil {
		v.org = ws.ID // namespaces share it
	}
	return v
}

// page is the address of a run's page, in the form that the Databricks CLI
// knows how to shorten.
func (v runView) page(job, run int64) string {
	if v.base == "" {
		return ""
	}
	return fmt.Sprintf("%s/?o=%s#job/%d/run/%d", v.base, v.org, job, run)
}

// runOf is a run as runs/get answers it, without paging.
func runOf(r *jobrun.Run, v runView) wireRun {
	w := runHeader(r, v)
	for _, t := range r.Tasks {
		w.Tasks = append(w.Tasks, tasksOf(r, t, v)...)
	}
	return w
}

// runHeader is a run as runs/list answers it.
func runHeader(r *jobrun.Run, v runView) wireRun {
	w := wireRun{
		JobID: r.JobID, RunID: r.ID, NumberInJob: r.NumberInJob, OriginalAttemptRunID: r.ID,
		CreatorUserName: r.Creator, State: runState(r), Status: statusOf(r.Status),
		StartTime: ms(r.Created), EndTime: ms(r.Ended),
		Trigger: string(r.Trigger.Type), RunName: r.Name, RunType: string(r.Type), Format: "MULTI_TASK",
		Overriding: r.Overrides, RunPageURL: cmp.Or(r.Page, v.page(r.JobID, r.ID)),
	}
	if !r.Ended.IsZero() {
		w.RunDuration = r.Ended.Sub(r.Created).Milliseconds()
	}
	if !r.Admitted.IsZero() {
		w.QueueDuration = r.Admitted.Sub(r.Created).Milliseconds()
	}
	if r.Parent != nil {
		w.TriggerInfo = &wireTriggerInfo{RunID: r.Parent.RunID}
	}
	if r.Job != nil {
		jobParts(&w, r)
	}
	for i, rep := range r.Repairs {
		kind := "REPAIR"
		if i == 0 {
			kind = "ORIGINAL"
		}
		st := rep.Status
		if st.State == "" {
			st = r.Status
		}
		w.RepairHistory = append(w.RepairHistory, wireRepair{
			Type: kind, ID: rep.ID, StartTime: ms(rep.Started), EndTime: ms(rep.Ended),
			State: stateOf(st, true), Status: statusOf(st), TaskRunIDs: rep.TaskRunIDs,
		})
	}
	return w
}

// jobParts are what a run shows of its job's definition.
func jobParts(w *wireRun, r *jobrun.Run) {
	for _, p := range r.Job.Parameters {
		value, ok := r.Parameters[p.Name]
		if !ok {
			value = p.Default
		}
		w.JobParameters = append(w.JobParameters, wireParameter{p.Name, p.Default, value})
	}
	var own map[string]json.RawMessage
	if json.Unmarshal(r.Job.Source, &own) == nil {
		w.JobClusters, w.Schedule = own["job_clusters"], own["schedule"]
		w.GitSource = gitSource(own["git_source"], r.Git)
	}
}

// gitSource adds the commit that the run used.
func gitSource(raw json.RawMessage, commit string) json.RawMessage {
	var g map[string]json.RawMessage
	if commit == "" || json.Unmarshal(raw, &g) != nil {
		return raw
	}
	g["git_snapshot"] = json.RawMessage(`{"used_commit":` + strconv.Quote(commit) + `}`)
	out, err := json.Marshal(g)
	if err != nil {
		return raw
	}
	return out
}

// runState is a run's legacy state. A run that failed is INTERNAL_ERROR there:
// only then do clients read the failed tasks' errors (measured on the wire).
func runState(r *jobrun.Run) wireState {
	st := stateOf(r.Status, true)
	st.UserCancelledOrTimedout = r.Stop != "" && r.Status.Ended()
	if r.Status.State == jobrun.Queued {
		st.QueueReason = r.Status.Message
	}
	return st
}

func stateOf(s jobrun.Status, ofRun bool) wireState {
	w := wireState{LifeCycleState: lifeCycle(s, ofRun), ResultState: string(s.Result), StateMessage: s.Message}
	return w
}

func lifeCycle(s jobrun.Status, ofRun bool) string {
	switch {
	case s.State == jobrun.Waiting:
		return "WAITING_FOR_RETRY"
	case s.State != jobrun.Terminated:
		return string(s.State)
	}
	switch s.Result {
	case jobrun.Excluded, jobrun.UpstreamFailed, jobrun.UpstreamCanceled, jobrun.Disabled, jobrun.MaxConcurrentRuns, "":
		return "SKIPPED"
	case jobrun.Failed:
		if ofRun || s.Code == jobrun.CodeInternalError {
			return "INTERNAL_ERROR"
		}
	}
	return "TERMINATED"
}

func statusOf(s jobrun.Status) wireStatus {
	w := wireStatus{State: string(s.State)}
	if s.State == jobrun.Queued {
		w.Queue = &wireQueue{Code: "MAX_CONCURRENT_RUNS_REACHED", Message: s.Message}
	}
	if s.Ended() {
		w.Termination = &wireTermination{Code: string(s.Code), Type: s.Type(), Message: s.Message}
	}
	return w
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

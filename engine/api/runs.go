package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/workspace"
	"flowctl/jobspec"
)

type empty struct{}

type runsGetRequest struct {
	RunID                 int64  `json:"run_id"`
	IncludeHistory        bool   `json:"include_history"`
	IncludeResolvedValues bool   `json:"include_resolved_values"`
	PageToken             tokens `json:"page_token"`
}

// tokens is a page token: a number, sent as text or bare.
type tokens int

func (t *tokens) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(trimQuotes(b))
	if err != nil || n < 0 {
		return fmt.Errorf("page_token %s is none of this API's", b)
	}
	*t = tokens(n)
	return nil
}

func trimQuotes(b []byte) string {
	if s, err := strconv.Unquote(string(b)); err == nil {
		return s
	}
	return string(b)
}

// pageSize is how many tasks or iterations an answer holds.
//
// Source: the SDK's documentation of GetRun.
const pageSize = 100

// runsGet answers a job run, or one attempt of a task as if it were a run.
func (s *Server) runsGet(ctx context.Context, q runsGetRequest, whole bool) (wireRun, error) {
	if err := s.onRun(ctx, q.RunID, workspace.CanView); err != nil {
		return wireRun{}, err
	}
	v := s.view(ctx)
	v.history, v.resolved = q.IncludeHistory, q.IncludeResolvedValues
	r, err := s.Engine.Run(ctx, q.RunID)
	if err != nil {
		if a, aerr := s.Engine.Attempt(ctx, q.RunID); aerr == nil {
			return attemptRun(a, v, int(q.PageToken)), nil
		}
		return wireRun{}, err
	}
	w := runOf(r, v)
	if !v.history {
		w.RepairHistory = nil
	}
	if whole {
		return w, nil
	}
	w.Tasks, w.NextPageToken = page(w.Tasks, int(q.PageToken))
	w.HasMore = w.NextPageToken != ""
	return w, nil
}

func page(list []wireTask, from int) ([]wireTask, string) {
	from = min(from, len(list))
	if len(list)-from > pageSize {
		return list[from : from+pageSize], strconv.Itoa(from + pageSize)
	}
	return list[from:], ""
}

// attemptRun is an attempt in the form of a run.
func attemptRun(a engine.AttemptRef, v runView, from int) wireRun {
	w := runHeader(a.Run, v)
	t := taskOf(a.Run, a.Task, a.Attempt, v)
	w.RunID, w.OriginalAttemptRunID, w.AttemptNumber = a.Attempt.RunID, a.Task.Attempts[0].RunID, a.Attempt.Number
	w.State, w.Status = t.State, t.Status
	w.StartTime, w.EndTime = t.StartTime, t.EndTime
	w.SetupDuration, w.ExecutionDuration, w.RunDuration = t.SetupDuration, t.ExecutionDuration, t.RunDuration
	w.RunName, w.QueueDuration, w.RepairHistory = a.Task.Key, 0, nil
	w.Tasks = []wireTask{t}
	for _, it := range a.Task.Items {
		w.Iterations = append(w.Iterations, taskOf(a.Run, it, it.Last(), v))
	}
	w.Iterations, w.NextPageToken = page(w.Iterations, from)
	w.HasMore = w.NextPageToken != ""
	return w
}

type runsListRequest struct {
	JobID         int64  `json:"job_id"`
	ActiveOnly    bool   `json:"active_only"`
	CompletedOnly bool   `json:"completed_only"`
	ExpandTasks   bool   `json:"expand_tasks"`
	RunType       string `json:"run_type"`
	StartFrom     int64  `json:"start_time_from"`
	StartTo       int64  `json:"start_time_to"`
	Limit         int    `json:"limit"`
	Offset        int    `json:"offset"`
	PageToken     int64x `json:"page_token"`
}

// int64x is an id that may come as text.
type int64x int64

func (t *int64x) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(trimQuotes(b), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is no page token of this API", b)
	}
	*t = int64x(n)
	return nil
}

type runsListAnswer struct {
	Runs          []wireRun `json:"runs,omitempty"`
	HasMore       bool      `json:"has_more"`
	NextPageToken string    `json:"next_page_token,omitempty"`
}

// Limits of runs/list.
//
// Source: the SDK's documentation of ListRuns.
const (
	runsLimit   = 20
	runsMaximum = 25
)

// runsLook bounds how many runs one answer looks at. Whoever may view few of
// them, or filters many out, gets short pages, each as quickly as any other.
const runsLook = 500

// runsList answers a page of runs, newest first. A page's token is the id
// that the next page stays below.
func (s *Server) runsList(ctx context.Context, q runsListRequest) (runsListAnswer, error) {
	var ans runsListAnswer
	if q.ActiveOnly && q.CompletedOnly {
		return ans, &engine.Error{Code: engine.InvalidParameter, Message: "active_only and completed_only cannot both be true."}
	}
	if q.Limit < 0 || q.Limit > runsMaximum {
		return ans, &engine.Error{Code: engine.InvalidParameter, Message: fmt.Sprintf("limit %d is not between 0 and %d.", q.Limit, runsMaximum)}
	}
	limit := q.Limit
	if limit == 0 {
		limit = runsLimit
	}
	v, err := s.visit(ctx)
	if err != nil {
		return ans, err
	}
	see, err := s.viewer(v)
	if err != nil {
		return ans, err
	}
	skip := q.Offset
	var runs []*jobrun.Run
	var looked int
	var last int64
	f := engine.RunFilter{JobID: q.JobID, Active: q.ActiveOnly}
	err = s.Engine.Runs(ctx, f, int64(q.PageToken), func(r *jobrun.Run) bool {
		start := ms(r.Created)
		if looked++; looked > runsLook {
			ans.HasMore, ans.NextPageToken = true, strconv.FormatInt(last, 10)
			return false
		}
		last = r.ID
		switch {
		case q.StartFrom > 0 && start < q.StartFrom:
			return false // all that follow are older
		case q.CompletedOnly && !r.Status.Ended(), q.RunType != "" && q.RunType != string(r.Type), q.StartTo > 0 && start > q.StartTo:
			return true
		case r.Namespace != v.Namespace || !see.job(r.JobID, func() string { return s.ownerOf(ctx, r) }):
			return true
		case skip > 0:
			skip--
			return true
		case len(runs) == limit:
			ans.HasMore, ans.NextPageToken = true, strconv.FormatInt(runs[limit-1].ID, 10)
			return false
		}
		runs = append(runs, r)
		return true
	})
	if err != nil {
		return ans, err
	}
	for _, r := range runs {
		w := runHeader(r, s.view(ctx))
		if q.ExpandTasks {
			full, err := s.Engine.Run(ctx, r.ID)
			if err != nil {
				return ans, err
			}
			w = runOf(full, s.view(ctx))
			w.Tasks, _ = page(w.Tasks, 0)
		}
		w.RepairHistory = nil
		ans.Runs = append(ans.Runs, w)
	}
	return ans, nil
}

type runRequest struct {
	RunID int64 `json:"run_id"`
}

func (s *Server) runsCancel(ctx context.Context, q runRequest) (empty, error) {
	if err := s.onRun(ctx, q.RunID, workspace.CanManageRun); err != nil {
		return empty{}, err
	}
	return empty{}, s.Engine.CancelRun(ctx, q.RunID)
}

type cancelAllRequest struct {
	JobID  int64 `json:"job_id"`
	Queued bool  `json:"all_queued_runs"`
}

// runsCancelAll cancels the runs of a job, or the queued runs of all jobs, for
// which it takes an admin.
func (s *Server) runsCancelAll(ctx context.Context, q cancelAllRequest) (empty, error) {
	v, err := s.visit(ctx)
	switch {
	case err != nil:
	case q.JobID != 0:
		_, _, _, err = s.onJob(ctx, q.JobID, workspace.CanManageRun)
	case !q.Queued:
		err = invalid("Give job_id, or all_queued_runs for the queued runs of all jobs.")
	default:
		err = v.People.RequireAdmin(v.who, "cancel the queued runs of all jobs")
	}
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.Engine.CancelAll(ctx, engine.CancelFilter{JobID: q.JobID, Queued: q.Queued, Namespace: v.Namespace})
}

func (s *Server) runsDelete(ctx context.Context, q runRequest) (empty, error) {
	if err := s.onRun(ctx, q.RunID, workspace.CanManage); err != nil {
		return empty{}, err
	}
	return empty{}, s.Engine.DeleteRun(ctx, q.RunID)
}

type repairRequest struct {
	RunID         int64             `json:"run_id"`
	Tasks         []string          `json:"rerun_tasks"`
	AllFailed     bool              `json:"rerun_all_failed_tasks"`
	Dependents    bool              `json:"rerun_dependent_tasks"`
	Latest        int64             `json:"latest_repair_id"`
	JobParameters map[string]string `json:"job_parameters"`
	jobrun.Overrides
}

type repairAnswer struct {
	RepairID int64 `json:"repair_id"`
}

func (s *Server) runsRepair(ctx context.Context, q repairRequest) (repairAnswer, error) {
	if err := s.onRun(ctx, q.RunID, workspace.CanManageRun); err != nil {
		return repairAnswer{}, err
	}
	req := engine.RepairRequest{
		RunID: q.RunID, Tasks: q.Tasks, AllFailed: q.AllFailed, Dependents: q.Dependents, Latest: q.Latest, Parameters: q.JobParameters,
		Overrides: given(&q.Overrides),
	}
	id, err := s.Engine.RepairRun(ctx, req)
	return repairAnswer{id}, err
}

// logLimit is how much of an attempt's log an answer holds.
//
// Source: the SDK's documentation of RunOutput.Logs: 5 MB.
const logLimit = 5 << 20

// runsGetOutput answers what a task's attempt left behind.
func (s *Server) runsGetOutput(ctx context.Context, q runRequest) (map[string]any, error) {
	if err := s.onRun(ctx, q.RunID, workspace.CanView); err != nil {
		return nil, err
	}
	a, err := s.attemptOf(ctx, q.RunID)
	if err != nil {
		return nil, err
	}
	out, err := s.output(ctx, a)
	if err != nil {
		return nil, err
	}
	out["metadata"] = attemptRun(a, s.view(ctx), 0)
	return out, nil
}

// attemptOf is the attempt that an id names: its own, or that of a run with
// one task.
func (s *Server) attemptOf(ctx context.Context, id int64) (engine.AttemptRef, error) {
	a, err := s.Engine.Attempt(ctx, id)
	if err == nil {
		return a, nil
	}
	r, rerr := s.Engine.Run(ctx, id)
	switch {
	case rerr != nil:
		return a, err
	case len(r.Tasks) != 1:
		return a, &engine.Error{Code: engine.InvalidParameter, Message: "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead."}
	}
	return s.Engine.Attempt(ctx, r.Tasks[0].Last().RunID)
}

// output is the get-output answer without its metadata.
func (s *Server) output(ctx context.Context, a engine.AttemptRef) (map[string]any, error) {
	out := map[string]any{}
	left, err := s.Engine.Output(ctx, a.Attempt.RunID)
	if err != nil {
		return nil, err
	}
	if len(left.Value) > 0 {
		var parts map[string]json.RawMessage
		if err := json.Unmarshal(left.Value, &parts); err != nil {
			return nil, fmt.Errorf("read output: %w", err)
		}
		for k, v := range parts {
			out[k] = v
		}
	}
	if left.Error != "" {
		out["error"] = left.Error
	}
	if left.Trace != "" {
		out["error_trace"] = left.Trace
	}
	if a.Attempt.ChildRun != 0 {
		out["run_job_output"] = map[string]int64{"run_id": a.Attempt.ChildRun}
	}
	if kindOf(a) != jobspec.NotebookTask {
		text, cut, err := s.Engine.LogTail(a.Dir, logLimit)
		if err != nil {
			return nil, err
		}
		if len(text) > 0 {
			out["logs"], out["logs_truncated"] = string(text), cut
		}
	}
	return out, nil
}

func kindOf(a engine.AttemptRef) jobspec.Type {
	if p := a.Task.Parent(); p != nil {
		return a.Run.Job.Tasks[p.Index].ForEach.Task.Type
	}
	return a.Run.Job.Tasks[a.Task.Index].Type
}

package api

import (
	"context"
	"encoding/json"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/workspace"
)

type runNowRequest struct {
	JobID         int64             `json:"job_id"`
	JobParameters map[string]string `json:"job_parameters"`
	Only          []string          `json:"only"`
	Token         string            `json:"idempotency_token"`
	Queue         *struct {
		Enabled bool `json:"enabled"`
	} `json:"queue"`
	Performance string `json:"performance_target"`
	jobrun.Overrides
}

type runNowAnswer struct {
	RunID       int64 `json:"run_id"`
	NumberInJob int64 `json:"number_in_job"`
}

// jobsRunNow starts a run of a job.
func (s *Server) jobsRunNow(ctx context.Context, q runNowRequest) (runNowAnswer, error) {
	v, job, _, err := s.onJob(ctx, q.JobID, workspace.CanManageRun)
	if err != nil {
		return runNowAnswer{}, err
	}
	switch q.Performance {
	case "", "STANDARD", "PERFORMANCE_OPTIMIZED": // one machine has one performance
	default:
		return runNowAnswer{}, invalid("performance_target %q is neither STANDARD nor PERFORMANCE_OPTIMIZED.", q.Performance)
	}
	req := engine.RunRequest{
		JobID: job.ID, Parameters: q.JobParameters, Only: q.Only, Token: q.Token, Creator: v.who.Name, Namespace: v.Namespace,
		Overrides: given(&q.Overrides),
	}
	if q.Queue != nil {
		req.Queue = &q.Queue.Enabled
	}
	id, number, err := s.Engine.RunNow(ctx, req)
	return runNowAnswer{id, number}, err
}

// given are the older parameters of a request; nil if it has none.
func given(o *jobrun.Overrides) *jobrun.Overrides {
	if raw, err := json.Marshal(o); err != nil || string(raw) == "{}" {
		return nil
	}
	return o
}

type runIDAnswer struct {
	RunID int64 `json:"run_id"`
}

// runsSubmit starts a one-time run.
func (s *Server) runsSubmit(ctx context.Context, q body) (runIDAnswer, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return runIDAnswer{}, err
	}
	source, grants, err := s.newSettings(v, q.raw)
	if err != nil {
		return runIDAnswer{}, err
	}
	var o struct {
		Name  string `json:"run_name"`
		Token string `json:"idempotency_token"`
		Queue struct {
			Enabled bool `json:"enabled"`
		} `json:"queue"`
		RunAs struct {
			User      string `json:"user_name"`
			Principal string `json:"service_principal_name"`
		} `json:"run_as"`
	}
	if err := json.Unmarshal(source, &o); err != nil {
		return runIDAnswer{}, invalid("%v", err)
	}
	req := engine.SubmitRequest{
		Source: source, Name: o.Name, Token: o.Token, Queue: o.Queue.Enabled, Code: codeOf(v),
		Creator: v.who.Name, RunAs: o.RunAs.User + o.RunAs.Principal, Namespace: v.Namespace,
	}
	if req.Name == "" {
		req.Name = "Untitled" // also for a body with the settings of a job, which has a name
	}
	id, err := s.Engine.Submit(ctx, req)
	if err != nil || len(grants) == 0 {
		return runIDAnswer{id}, err
	}
	r, err := s.Engine.RunHeader(ctx, id)
	if err == nil {
		err = s.grant(v, r.JobID, grants)
	}
	return runIDAnswer{id}, err
}

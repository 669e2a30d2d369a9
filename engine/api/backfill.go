package api

import (
	"context"
	"fmt"
	"time"

	"flowctl/engine"
	"flowctl/engine/workspace"
)

// BackfillRequest asks for a replay of a job's scheduled times.
type BackfillRequest struct {
	JobID    int64     `json:"job_id"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Parallel int       `json:"parallel,omitempty"`
	Token    string    `json:"token,omitempty"` // tells replays of the same times apart
}

// BackfillRef names a backfill.
type BackfillRef struct {
	JobID int64  `json:"job_id"`
	Key   string `json:"backfill_id"`
}

// BackfillStatus is how far a backfill is.
type BackfillStatus struct {
	BackfillRef
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Count  int       `json:"count"`       // times to replay
	Runs   []int64   `json:"runs"`        // the runs that were made, in the order of their times
	Active []int64   `json:"active_runs"` // those that have not ended
	Done   bool      `json:"done"`        // no more runs will be made
}

func (s *Server) startBackfill(ctx context.Context, q BackfillRequest) (BackfillStatus, error) {
	if _, _, _, err := s.onJob(ctx, q.JobID, workspace.CanManageRun); err != nil {
		return BackfillStatus{}, err
	}
	b, err := s.Engine.StartBackfill(ctx, engine.BackfillRequest{JobID: q.JobID, From: q.From, To: q.To, Parallel: q.Parallel, Token: q.Token})
	if err != nil {
		return BackfillStatus{}, err
	}
	return s.backfillStatus(ctx, b)
}

// backfills answers all backfills of a job, finished ones included.
func (s *Server) backfills(ctx context.Context, q jobRequest) ([]BackfillStatus, error) {
	if _, _, _, err := s.onJob(ctx, q.JobID, workspace.CanView); err != nil {
		return nil, err
	}
	list, err := s.Engine.Backfills(ctx, q.JobID)
	if err != nil {
		return nil, err
	}
	out := make([]BackfillStatus, len(list))
	for i, b := range list {
		if out[i], err = s.backfillStatus(ctx, b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) backfill(ctx context.Context, q BackfillRef) (BackfillStatus, error) {
	if _, _, _, err := s.onJob(ctx, q.JobID, workspace.CanView); err != nil {
		return BackfillStatus{}, err
	}
	list, err := s.Engine.Backfills(ctx, q.JobID)
	if err != nil {
		return BackfillStatus{}, err
	}
	for _, b := range list {
		if b.Key == q.Key {
			return s.backfillStatus(ctx, b)
		}
	}
	return BackfillStatus{}, &engine.Error{Code: engine.InvalidParameter, Message: fmt.Sprintf("Job %d has no backfill %s.", q.JobID, q.Key)}
}

func (s *Server) backfillStatus(ctx context.Context, b engine.Backfill) (BackfillStatus, error) {
	st := BackfillStatus{BackfillRef: BackfillRef{b.JobID, b.Key}, From: b.From, To: b.To, Count: b.Count, Done: b.Done, Runs: []int64{}, Active: []int64{}}
	err := s.Engine.Fires(ctx, b.JobID, b.Key, func(f engine.Fired) bool {
		st.Runs = append(st.Runs, f.Run)
		return true
	})
	if err != nil {
		return st, err
	}
	if open, err := s.Engine.Open(ctx, st.Runs); err != nil {
		return st, err
	} else if open != nil {
		st.Active = open
	}
	return st, nil
}

func (s *Server) endBackfill(ctx context.Context, q BackfillRef) (empty, error) {
	if _, _, _, err := s.onJob(ctx, q.JobID, workspace.CanManageRun); err != nil {
		return empty{}, err
	}
	return empty{}, s.Engine.EndBackfill(ctx, q.JobID, q.Key)
}

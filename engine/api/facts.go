package api

import (
	"context"
	"encoding/json"

	"flowctl/engine/jobrun"
)

// Facts are what is known of how a run came about: of the run itself, and of
// each attempt what it read, wrote, ran and lacked.
type Facts struct {
	RunID    int64             `json:"run_id"`
	Facts    []json.RawMessage `json:"facts,omitempty"`
	Attempts []AttemptFacts    `json:"attempts"`
}

// AttemptFacts are the facts of one attempt.
type AttemptFacts struct {
	RunID   int64             `json:"run_id"`
	TaskKey string            `json:"task_key"`
	Item    *int              `json:"item,omitempty"` // of a for_each: which iteration
	Attempt int               `json:"attempt_number"`
	Facts   []json.RawMessage `json:"facts"`
}

// facts answers the facts of a whole run, its earlier attempts included, or of
// one attempt.
func (s *Server) facts(ctx context.Context, q runRequest) (Facts, error) {
	r, err := s.Engine.Run(ctx, q.RunID)
	if err != nil {
		if a, aerr := s.Engine.Attempt(ctx, q.RunID); aerr == nil {
			list, err := s.Engine.Facts(ctx, q.RunID)
			return Facts{RunID: a.Run.ID, Attempts: []AttemptFacts{{RunID: q.RunID, TaskKey: a.Task.Key, Attempt: a.Attempt.Number, Facts: list}}}, err
		}
		return Facts{}, err
	}
	f := Facts{RunID: r.ID, Attempts: []AttemptFacts{}}
	if f.Facts, err = s.Engine.Facts(ctx, r.ID); err != nil {
		return f, err
	}
	add := func(t *jobrun.TaskRun, key string, item *int) error {
		for _, a := range t.Attempts {
			list, err := s.Engine.Facts(ctx, a.RunID)
			if err != nil {
				return err
			}
			if len(list) > 0 {
				f.Attempts = append(f.Attempts, AttemptFacts{RunID: a.RunID, TaskKey: key, Item: item, Attempt: a.Number, Facts: list})
			}
		}
		return nil
	}
	for _, t := range r.Tasks {
		if err := add(t, t.Key, nil); err != nil {
			return f, err
		}
		for i, item := range t.Items {
			if err := add(item, t.Key, &i); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

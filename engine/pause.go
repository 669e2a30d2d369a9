package engine

import (
	"context"
	"encoding/json"

	"flowctl/jobspec"
)

// PauseJob sets the pause_status of everything that makes a job start by
// itself. Of the change only By and Origin count.
func (e *Engine) PauseJob(ctx context.Context, id int64, status jobspec.PauseStatus, q JobChange) error {
	return e.changeJob(ctx, id, q, func(old json.RawMessage) (json.RawMessage, error) {
		settings, err := jobspec.SetPause(old, status)
		if err != nil {
			return nil, &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
		}
		return settings, nil
	})
}

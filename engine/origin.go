package engine

import (
	"context"
	"encoding/json"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/tasks"
)

// originLimit is how long it may take to find out where code comes from: git
// can be slow on a network's file system, and no run waits for it.
const originLimit = 2 * time.Second

// findOrigin tells, as facts of the run, where its code comes from. The run
// goes on meanwhile.
func (e *Engine) findOrigin(r *jobrun.Run) {
	if e.opt.Origin == nil || len(r.Code) == 0 {
		return
	}
	var code tasks.Code
	if json.Unmarshal(r.Code, &code) != nil || code.Dir == "" {
		return // of a job that was made through the API: its definition is all there is
	}
	id, job := r.ID, r.Job
	e.origins.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), originLimit)
		defer cancel()
		for _, f := range e.opt.Origin(ctx, code, job) {
			if raw, err := json.Marshal(f); err == nil {
				e.send(report{run: id, fact: raw})
			}
		}
	})
}

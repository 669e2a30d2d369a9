package engine

import (
	"fmt"

	"flowctl/engine/jobrun"
)

// jobState is what admission knows of a job: how many of its runs are active,
// and which wait, oldest first.
type jobState struct {
	active int
	queued []int64
}

func (e *Engine) jobOf(r *jobrun.Run) *jobState {
	j := e.jobs[r.JobID]
	if j == nil {
		j = &jobState{}
		e.jobs[r.JobID] = j
	}
	return j
}

// admission decides about a new run.
//
// Source: the SDK's documentation of max_concurrent_runs and queue.
func admission(r *jobrun.Run, j *jobState) (jobrun.Verdict, string) {
	limit := r.Job.MaxConcurrentRuns
	switch {
	case j.active < limit && len(j.queued) == 0:
		return jobrun.Admit, ""
	case r.Queue && limit > 0:
		return jobrun.Queue, fmt.Sprintf("Queued due to reaching the maximum of %d concurrent runs of the job.", limit)
	}
	return jobrun.Skip, fmt.Sprintf("Skipped to prevent exceeding the maximum number of concurrent runs: at most %d may be active.", limit)
}

// enter counts a run that is live, new or resumed.
func (e *Engine) enter(r *jobrun.Run) {
	e.live[r.ID] = r
	j := e.jobOf(r)
	switch {
	case r.Status.Ended():
	case r.Status.State == jobrun.Queued:
		j.queued = append(j.queued, r.ID)
	default:
		j.active++
	}
}

// leave counts a run out and admits the next in the queue.
func (e *Engine) leave(r *jobrun.Run) {
	j := e.jobs[r.JobID]
	if j == nil {
		return
	}
	switch {
	case r.Admitted.IsZero(): // it never was active
		for i, id := range j.queued {
			if id == r.ID {
				j.queued = append(j.queued[:i:i], j.queued[i+1:]...)
				break
			}
		}
	default:
		j.active--
	}
	e.admitNext(j)
	if j.active == 0 && len(j.queued) == 0 {
		delete(e.jobs, r.JobID)
	}
}

// admitNext starts queued runs as far as their job's limit allows.
func (e *Engine) admitNext(j *jobState) {
	for len(j.queued) > 0 {
		r := e.live[j.queued[0]]
		if r != nil && j.active >= r.Job.MaxConcurrentRuns {
			return
		}
		j.queued = j.queued[1:]
		if r == nil || r.Status.State != jobrun.Queued {
			continue
		}
		if err := e.apply(r, jobrun.Admitted{At: e.now()}); err != nil {
			e.log.Error("admit", "run", r.ID, "error", err)
			continue
		}
		j.active++
	}
}

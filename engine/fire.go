package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// Step is one step of a trigger: the runs that it starts and what it
// remembers from now on, all in one commit.
type Step struct {
	JobID   int64
	Trigger string    // jobspec.When's Key
	Since   time.Time // TriggerState's, on which the step was decided
	Fires   []Fire
	State   json.RawMessage // nil: as before
	Learn   []string        // names to add to the seen-set
	Forget  []string        // names to remove from it
}

// Fire is a run that a trigger starts.
type Fire struct {
	// At is the scheduled time. Of a job's trigger there is one run for each,
	// whatever happens: a second fire answers with the first one's run.
	At      time.Time
	Trigger jobrun.Trigger
	// Free asks for a run only if it can start at once; else the step
	// does nothing and answers Busy.
	Free bool
	// Queue has the run wait for its turn even if the job has no queue.
	Queue bool
}

// Stepped is what became of a Step.
type Stepped struct {
	Outcome Outcome
	Runs    []int64 // one for each fire; 0 where the job cannot run
	Err     error   // why it cannot; the trigger's memory was written all the same
}

// Outcome says whether a step was taken.
type Outcome string

// The outcomes of a step.
const (
	Taken Outcome = "taken"
	// Stale: the trigger is not what the step was decided on: paused, edited or gone.
	Stale Outcome = "stale"
	// Busy: a fire that needs room found none.
	Busy Outcome = "busy"
)

// keepFires is how long the record of a fire is kept. Triggers do not go back
// beyond what they remember; the record guards against a clock that does.
const keepFires = 7 * 24 * time.Hour

// Fire takes steps of triggers, many in one commit, and answers each.
func (e *Engine) Fire(ctx context.Context, steps ...Step) ([]Stepped, error) {
	var done []Stepped
	err := e.call(ctx, func(tx *store.Tx) error {
		done = make([]Stepped, len(steps))
		for i, s := range steps {
			var err error
			if done[i], err = e.step(tx, s); err != nil {
				return fmt.Errorf("fire job %d: %w", s.JobID, err)
			}
		}
		return nil
	})
	return done, err
}

// step takes one step within the commit.
func (e *Engine) step(tx *store.Tx, s Step) (Stepped, error) {
	triggers, err := tx.Bucket(bucketTriggers)
	if err != nil {
		return Stepped{}, err
	}
	raw := triggers.Get(triggerKey(s.JobID, s.Trigger))
	if raw == nil {
		return Stepped{Outcome: Stale}, nil
	}
	var a armed
	if err := json.Unmarshal(raw, &a); err != nil {
		return Stepped{}, fmt.Errorf("read trigger: %w", err)
	}
	if a.Paused || !a.Since.Equal(s.Since) {
		return Stepped{Outcome: Stale}, nil
	}
	out := Stepped{Outcome: Taken}
	for _, f := range s.Fires {
		run, busy, err := e.fire(tx, s, f)
		var no *Error
		switch {
		case busy:
			return Stepped{Outcome: Busy}, nil // the first fire of its step: nothing was changed
		case errors.As(err, &no):
			out.Err = err
		case err != nil:
			return out, err
		}
		out.Runs = append(out.Runs, run)
	}
	if s.State != nil {
		a.State = s.State
		if err := putTrigger(triggers, s.JobID, s.Trigger, a); err != nil {
			return out, err
		}
	}
	return out, learn(tx, s)
}

// fire makes the run of one fire, once.
func (e *Engine) fire(tx *store.Tx, s Step, f Fire) (run int64, busy bool, err error) {
	fires, err := tx.Bucket(bucketFires)
	if err != nil {
		return 0, false, err
	}
	at := fireKey(s.JobID, s.Trigger, f.At)
	if v := fires.Get(at); v != nil {
		return int64(binary.BigEndian.Uint64(v)), false, nil
	}
	job, def, err := jobAndSpec(tx, s.JobID)
	if err != nil {
		return 0, false, err
	}
	if j := e.jobs[s.JobID]; f.Free && j != nil && (j.active >= def.MaxConcurrentRuns || len(j.queued) > 0) {
		return 0, true, nil
	}
	q := RunRequest{JobID: s.JobID, Trigger: f.Trigger, Creator: job.Creator}
	if f.Queue {
		q.Queue = &f.Queue
	}
	if run, _, err = e.runNow(tx, q); err != nil {
		return 0, false, err
	}
	if err := fires.Put(at, binary.BigEndian.AppendUint64(nil, uint64(run))); err != nil {
		return run, false, fmt.Errorf("record fire: %w", err)
	}
	if isBackfill(s.Trigger) {
		return run, false, nil
	}
	return run, false, forgetFires(fires, s, f.At.Add(-keepFires))
}

// forgetFires removes a few of the oldest records: more than one fire adds,
// so that what is kept stays bounded.
func forgetFires(fires store.Bucket, s Step, before time.Time) error {
	end := fireKey(s.JobID, s.Trigger, before)
	var doomed [][]byte
	fires.Scan(triggerKey(s.JobID, s.Trigger), func(k, _ []byte) bool {
		if string(k) >= string(end) || len(doomed) == 2 {
			return false
		}
		doomed = append(doomed, append([]byte(nil), k...))
		return true
	})
	for _, k := range doomed {
		if err := fires.Delete(k); err != nil {
			return fmt.Errorf("forget fire: %w", err)
		}
	}
	return nil
}

// learn keeps the seen-set.
func learn(tx *store.Tx, s Step) error {
	if len(s.Learn)+len(s.Forget) == 0 {
		return nil
	}
	seen, err := tx.Bucket(bucketSeen)
	if err != nil {
		return err
	}
	for _, name := range s.Forget {
		if err := seen.Delete(triggerKey(s.JobID, s.Trigger, []byte(name)...)); err != nil {
			return fmt.Errorf("forget file: %w", err)
		}
	}
	for _, name := range s.Learn {
		if err := seen.Put(triggerKey(s.JobID, s.Trigger, []byte(name)...), nil); err != nil {
			return fmt.Errorf("remember file: %w", err)
		}
	}
	return nil
}

// Seen reads the seen-set of a trigger.
func (e *Engine) Seen(_ context.Context, job int64, trigger string) (map[string]struct{}, error) {
	set := map[string]struct{}{}
	err := e.store.View(func(tx *store.Tx) error {
		seen, err := tx.Bucket(bucketSeen)
		if err != nil {
			return err
		}
		prefix := triggerKey(job, trigger)
		seen.Scan(prefix, func(k, _ []byte) bool {
			set[string(k[len(prefix):])] = struct{}{}
			return true
		})
		return nil
	})
	return set, err
}

// Fired is a fire that made a run.
type Fired struct {
	At  time.Time
	Run int64
}

// Fires calls fn for the fires of a job's trigger that are on record, oldest
// first, until it returns false.
func (e *Engine) Fires(_ context.Context, job int64, trigger string, fn func(Fired) bool) error {
	return e.store.View(func(tx *store.Tx) error {
		fires, err := tx.Bucket(bucketFires)
		if err != nil {
			return err
		}
		prefix := triggerKey(job, trigger)
		fires.Scan(prefix, func(k, v []byte) bool {
			at := time.Unix(0, int64(binary.BigEndian.Uint64(k[len(prefix):]))).UTC()
			return fn(Fired{At: at, Run: int64(binary.BigEndian.Uint64(v))})
		})
		return nil
	})
}

// LastRun is the job's latest run that was not skipped, nil if it has had none.
func (e *Engine) LastRun(_ context.Context, job int64) (*jobrun.Run, error) {
	var last *jobrun.Run
	err := e.store.View(func(tx *store.Tx) error {
		return tx.RunsBefore(store.RunFilter{JobID: job}, 0, func(r *jobrun.Run) bool {
			if r.Status.Result == jobrun.MaxConcurrentRuns {
				return true
			}
			last = r
			return false
		})
	})
	return last, err
}

// Open tells which of some runs have not ended.
func (e *Engine) Open(_ context.Context, runs []int64) ([]int64, error) {
	var open []int64
	err := e.store.View(func(tx *store.Tx) error {
		for _, id := range runs {
			r, err := tx.RunHeader(id)
			switch {
			case errors.Is(err, store.ErrNotFound): // deleted: it had ended
			case err != nil:
				return err
			case !r.Status.Ended():
				open = append(open, id)
			}
		}
		return nil
	})
	return open, err
}

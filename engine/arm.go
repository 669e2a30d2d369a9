package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"flowctl/engine/store"
	"flowctl/jobspec"
)

// What the triggers of jobs remember has buckets of its own.
const (
	bucketTriggers = "triggers" // job, trigger → armed
	bucketFires    = "fires"    // job, trigger, scheduled time → run
	bucketSeen     = "seen"     // job, trigger, name → nothing
)

// armed is the record of one trigger of a job. It is written in the commit
// that changes the job, so no change is ever missed, whoever made it.
type armed struct {
	// Since is when the trigger came to be as it is: created, edited or
	// unpaused. Nothing before it is caught up.
	Since  time.Time
	Paused bool            `json:",omitempty"`
	State  json.RawMessage `json:",omitempty"` // the trigger's own memory
}

// TriggerState is a trigger of a job with what it remembers.
type TriggerState struct {
	jobspec.When
	Since time.Time
	State json.RawMessage // nil: it has not fired yet
}

// JobTriggers are the triggers of a job.
type JobTriggers struct {
	JobID    int64
	Name     string
	Triggers []TriggerState
	Backfill bool // it has backfills on record
}

// triggerKey is where the records of a job's trigger stand; more is appended.
func triggerKey(job int64, trigger string, more ...byte) []byte {
	k := make([]byte, 0, 8+len(trigger)+len(more))
	k = binary.BigEndian.AppendUint64(k, uint64(job))
	return append(append(k, trigger...), more...)
}

func fireKey(job int64, trigger string, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(triggerKey(job, trigger), uint64(at.UnixNano()))
}

// arm brings a job's trigger records in step with its settings, in the
// commit that writes them, and tells who listens.
func (e *Engine) arm(tx *store.Tx, id int64, def *jobspec.Job) error {
	e.jobChanged(id)
	b, err := tx.Bucket(bucketTriggers)
	if err != nil {
		return err
	}
	have := map[string]armed{}
	if err := scanTriggers(b, id, func(key string, a armed) { have[key] = a }); err != nil {
		return err
	}
	for _, w := range def.Whens() {
		old, ok := have[w.Key]
		delete(have, w.Key)
		if ok && old.Paused == w.Paused {
			continue
		}
		a := armed{Since: old.Since, Paused: w.Paused, State: old.State}
		if !ok || !w.Paused {
			a.Since = e.now().UTC()
			if w.ByTheClock() {
				a.State = nil // paused time is gone; the count starts anew
			}
		}
		if err := putTrigger(b, id, w.Key, a); err != nil {
			return err
		}
	}
	for key := range have {
		if isBackfill(key) {
			continue
		}
		if err := forgetTrigger(tx, triggerKey(id, key)); err != nil {
			return err
		}
	}
	return nil
}

// disarm removes what a deleted job's triggers remember.
func (e *Engine) disarm(tx *store.Tx, id int64) error {
	e.jobChanged(id)
	return forgetTrigger(tx, triggerKey(id, ""))
}

func forgetTrigger(tx *store.Tx, prefix []byte) error {
	for _, name := range []string{bucketTriggers, bucketFires, bucketSeen} {
		b, err := tx.Bucket(name)
		if err != nil {
			return err
		}
		var doomed [][]byte
		b.Scan(prefix, func(k, _ []byte) bool {
			doomed = append(doomed, append([]byte(nil), k...))
			return true
		})
		for _, k := range doomed {
			if err := b.Delete(k); err != nil {
				return fmt.Errorf("forget trigger: %w", err)
			}
		}
	}
	return nil
}

func scanTriggers(b store.Bucket, job int64, fn func(key string, a armed)) error {
	var err error
	b.Scan(triggerKey(job, ""), func(k, v []byte) bool {
		var a armed
		if err = json.Unmarshal(v, &a); err != nil {
			err = fmt.Errorf("read trigger of job %d: %w", job, err)
			return false
		}
		fn(string(k[8:]), a)
		return true
	})
	return err
}

func putTrigger(b store.Bucket, job int64, key string, a armed) error {
	raw, err := json.Marshal(a)
	if err == nil {
		err = b.Put(triggerKey(job, key), raw)
	}
	if err != nil {
		return fmt.Errorf("save trigger of job %d: %w", job, err)
	}
	return nil
}

// JobTriggers reads the triggers of a job. A job that is not there has none.
func (e *Engine) JobTriggers(_ context.Context, id int64) (JobTriggers, error) {
	var t JobTriggers
	err := e.store.View(func(tx *store.Tx) error {
		j, err := tx.Job(id)
		if errors.Is(err, store.ErrNotFound) {
			t.JobID = id
			return nil
		}
		if err != nil {
			return err
		}
		t, _, err = readTriggers(tx, j)
		return err
	})
	return t, err
}

// readTriggers reads a job's triggers; known is false if one has no record.
func readTriggers(tx *store.Tx, j store.Job) (t JobTriggers, known bool, err error) {
	t = JobTriggers{JobID: j.ID, Name: j.Name}
	def, err := tx.Spec(j.Spec)
	if err != nil {
		return t, true, err
	}
	whens := def.Whens()
	b, err := tx.Bucket(bucketTriggers)
	if err != nil {
		return t, true, err
	}
	b.Scan(triggerKey(j.ID, "~"), func(_, _ []byte) bool {
		t.Backfill = true
		return false
	})
	known = true
	for _, w := range whens {
		raw := b.Get(triggerKey(j.ID, w.Key))
		if raw == nil {
			known = false
			continue
		}
		var a armed
		if err := json.Unmarshal(raw, &a); err != nil {
			return t, true, fmt.Errorf("read %s of job %d: %w", w.Path, j.ID, err)
		}
		t.Triggers = append(t.Triggers, TriggerState{When: w, Since: a.Since, State: a.State})
	}
	return t, known, nil
}

// AllTriggers calls fn for each job that has triggers or backfills. Jobs of before the
// time when triggers were recorded get their records now.
func (e *Engine) AllTriggers(ctx context.Context, fn func(JobTriggers)) error {
	const page = 500
	for before := int64(0); ; {
		var list []JobTriggers
		var unknown []int64
		n := 0
		err := e.store.View(func(tx *store.Tx) error {
			var err error
			serr := tx.JobsBefore(store.JobFilter{Everyone: true}, before, func(j store.Job) bool {
				n++
				before = j.ID
				t, known, terr := readTriggers(tx, j)
				switch {
				case terr != nil:
					err = terr
				case !known:
					unknown = append(unknown, j.ID)
				case len(t.Triggers) > 0 || t.Backfill:
					list = append(list, t)
				}
				return err == nil && n < page
			})
			return errors.Join(serr, err)
		})
		if err != nil {
			return err
		}
		for _, t := range list {
			fn(t)
		}
		if err := e.record(ctx, unknown, fn); err != nil {
			return err
		}
		if n < page {
			return nil
		}
	}
}

// record arms the triggers of jobs that have none on record.
func (e *Engine) record(ctx context.Context, ids []int64, fn func(JobTriggers)) error {
	if len(ids) == 0 {
		return nil
	}
	err := e.call(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			_, def, err := jobAndSpec(tx, id)
			if err != nil {
				continue // deleted meanwhile
			}
			if err := e.arm(tx, id, def); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		t, err := e.JobTriggers(ctx, id)
		if err != nil {
			return err
		}
		fn(t)
	}
	return nil
}

// NextFire is when a job starts next by its schedule or its periodic trigger;
// the zero time if no clock starts it. It holds as long as a daemon runs.
func (e *Engine) NextFire(ctx context.Context, id int64) (time.Time, error) {
	t, err := e.JobTriggers(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return t.Next(e.now()), nil
}

// Next is the first time after now at which one of the triggers fires by the clock.
func (t JobTriggers) Next(now time.Time) time.Time {
	var first time.Time
	for _, tr := range t.Triggers {
		if tr.Paused || !tr.ByTheClock() || tr.CannotFire() != "" {
			continue
		}
		times, err := tr.Times(tr.Since)
		if err != nil {
			continue // a definition that this version would not take; the daemon's log says so
		}
		from := now
		if from.Before(tr.Since) {
			from = tr.Since
		}
		if at := times.Next(from); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"flowctl/engine/jobrun"
)

// SaveRun writes what an event changed: the run's own record if header is
// set, and the given tasks. It costs what changed, not what the run is.
func (tx *Tx) SaveRun(r *jobrun.Run, header bool, tasks []*jobrun.TaskRun) error {
	if header {
		if err := putJSON(tx.own(bucketRuns), key(r.ID), r); err != nil {
			return fmt.Errorf("save run %d: %w", r.ID, err)
		}
		if err := tx.setActive(r); err != nil {
			return fmt.Errorf("save run %d: %w", r.ID, err)
		}
	}
	b, attempts := tx.own(bucketTasks), tx.own(bucketAttempts)
	for _, t := range tasks {
		task, item := place(t)
		if err := putJSON(b, key(r.ID, task, item), t); err != nil {
			return fmt.Errorf("save task %s of run %d: %w", t.Key, r.ID, err)
		}
		for n := len(t.Attempts) - 1; n >= 0; n-- {
			k := key(t.Attempts[n].RunID)
			if attempts.Get(k) != nil {
				break // the earlier ones are there too
			}
			if err := attempts.Put(k, key(r.ID, task, item, int64(n))); err != nil {
				return fmt.Errorf("save attempt of %s of run %d: %w", t.Key, r.ID, err)
			}
		}
	}
	return nil
}

// place is where a task's record stands: the task's index, and 0 for the task
// itself or 1 + the index of an iteration.
func place(t *jobrun.TaskRun) (task, item int64) {
	if p := t.Parent(); p != nil {
		return int64(p.Index), int64(t.Index) + 1
	}
	return int64(t.Index), 0
}

// setActive keeps the indexes of runs: by job, and of those that have not ended.
func (tx *Tx) setActive(r *jobrun.Run) error {
	if err := tx.own(bucketByJob).Put(key(r.JobID, r.ID), nil); err != nil {
		return err
	}
	if r.Status.Ended() {
		return tx.own(bucketActive).Delete(key(r.ID))
	}
	return tx.own(bucketActive).Put(key(r.ID), key(r.JobID))
}

// RunHeader reads a run without its tasks and without its job's definition.
func (tx *Tx) RunHeader(id int64) (*jobrun.Run, error) {
	r := &jobrun.Run{}
	if err := getJSON(tx.own(bucketRuns), key(id), r); err != nil {
		return nil, fmt.Errorf("run %d: %w", id, err)
	}
	return r, nil
}

// Run reads a run with its tasks, their iterations and its job's definition,
// ready for Apply once it has a source of ids.
func (tx *Tx) Run(id int64, newID func() int64) (*jobrun.Run, error) {
	r, err := tx.RunHeader(id)
	if err != nil {
		return nil, err
	}
	if r.Job, err = tx.Spec(r.Spec); err != nil {
		return nil, fmt.Errorf("run %d: %w", id, err)
	}
	tx.own(bucketTasks).Scan(key(id), func(k, v []byte) bool {
		t := &jobrun.TaskRun{}
		if err = json.Unmarshal(v, t); err != nil {
			err = fmt.Errorf("run %d: read task: %w", id, err)
			return false
		}
		if num(k[16:]) == 0 {
			r.Tasks = append(r.Tasks, t)
			return true
		}
		parent := r.Tasks[len(r.Tasks)-1]
		if parent.ForEach != nil && len(parent.Items) < len(parent.ForEach.Inputs) {
			parent.Items = append(parent.Items, t)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return r, r.Load(newID)
}

// Attempt finds the run that an attempt belongs to, its task's and its
// iteration's index (-1: no iteration), and its place among the task's attempts.
func (tx *Tx) Attempt(id int64) (run int64, task, item, n int, err error) {
	v := tx.own(bucketAttempts).Get(key(id))
	if len(v) != 32 {
		return 0, 0, 0, 0, fmt.Errorf("attempt %d: %w", id, ErrNotFound)
	}
	return num(v), int(num(v[8:])), int(num(v[16:])) - 1, int(num(v[24:])), nil
}

// RunOfTask reads a run with one of its tasks alone: with all its iterations
// if item is -1, else with that iteration. What an attempt of a wide run shows
// must not cost the reading of all others.
func (tx *Tx) RunOfTask(id int64, task, item int) (*jobrun.Run, error) {
	r, err := tx.RunHeader(id)
	if err != nil {
		return nil, err
	}
	if r.Job, err = tx.Spec(r.Spec); err != nil {
		return nil, fmt.Errorf("run %d: %w", id, err)
	}
	t := &jobrun.TaskRun{}
	if err := getJSON(tx.own(bucketTasks), key(id, int64(task), 0), t); err != nil {
		return nil, fmt.Errorf("run %d: task %d: %w", id, task, err)
	}
	r.Tasks = []*jobrun.TaskRun{t}
	if item >= 0 {
		it := &jobrun.TaskRun{}
		if err := getJSON(tx.own(bucketTasks), key(id, int64(task), int64(item)+1), it); err != nil {
			return nil, fmt.Errorf("run %d: task %s: iteration %d: %w", id, t.Key, item, err)
		}
		t.Items = []*jobrun.TaskRun{it}
	} else if t.ForEach != nil {
		tx.own(bucketTasks).ScanFrom(key(id, int64(task)), key(id, int64(task), 1), func(_, v []byte) bool {
			it := &jobrun.TaskRun{}
			if err = json.Unmarshal(v, it); err != nil {
				err = fmt.Errorf("run %d: read iteration: %w", id, err)
				return false
			}
			t.Items = append(t.Items, it)
			return len(t.Items) < len(t.ForEach.Inputs)
		})
	}
	if err != nil {
		return nil, err
	}
	return r, r.Load(nil)
}

// Active lists the runs that have not ended, oldest first.
func (tx *Tx) Active() []int64 {
	var ids []int64
	tx.own(bucketActive).Scan(nil, func(k, _ []byte) bool {
		ids = append(ids, num(k))
		return true
	})
	return ids
}

// RunFilter chooses runs for RunsBefore.
type RunFilter struct {
	JobID  int64 // 0: of any job
	Active bool  // only runs that have not ended
}

// RunsBefore calls fn for the runs with ids below before, newest first, until
// fn returns false. Ids grow with time, so this is the order of start times.
// A page costs the same wherever in the history it is.
func (tx *Tx) RunsBefore(f RunFilter, before int64, fn func(*jobrun.Run) bool) error {
	if before <= 0 {
		before = math.MaxInt64
	}
	var err error
	visit := func(id int64) bool {
		r, e := tx.RunHeader(id)
		if errors.Is(e, ErrNotFound) {
			return true
		}
		if e != nil {
			err = e
			return false
		}
		return fn(r)
	}
	switch {
	case f.Active:
		tx.own(bucketActive).ScanBack(nil, key(before), func(k, v []byte) bool {
			if f.JobID != 0 && num(v) != f.JobID {
				return true
			}
			return visit(num(k))
		})
	case f.JobID != 0:
		tx.own(bucketByJob).ScanBack(key(f.JobID), key(f.JobID, before), func(k, _ []byte) bool { return visit(num(k[8:])) })
	default:
		tx.own(bucketRuns).ScanBack(nil, key(before), func(k, _ []byte) bool { return visit(num(k)) })
	}
	return err
}

// RunsOldest calls fn for the runs, oldest first, until fn returns false.
func (tx *Tx) RunsOldest(fn func(*jobrun.Run) bool) error {
	var err error
	tx.own(bucketRuns).Scan(nil, func(_, v []byte) bool {
		r := &jobrun.Run{}
		if err = json.Unmarshal(v, r); err != nil {
			err = fmt.Errorf("read run: %w", err)
			return false
		}
		return fn(r)
	})
	return err
}

// Output is what an attempt left behind beside its status.
type Output struct {
	Error string          `json:",omitempty"`
	Trace string          `json:",omitempty"`
	Value json.RawMessage `json:",omitempty"` // the kind's part of the get-output answer
}

// SetOutput stores an attempt's output.
func (tx *Tx) SetOutput(attempt int64, o Output) error {
	return putJSON(tx.own(bucketOutputs), key(attempt), o)
}

// Output reads an attempt's output; the zero Output if it left none.
func (tx *Tx) Output(attempt int64) (Output, error) {
	var o Output
	err := getJSON(tx.own(bucketOutputs), key(attempt), &o)
	if errors.Is(err, ErrNotFound) {
		return o, nil
	}
	return o, err
}

// AddFact stores one more fact of an attempt or, by its id, of a run.
func (tx *Tx) AddFact(attempt int64, fact json.RawMessage) error {
	b := tx.own(bucketFacts)
	n := int64(0)
	b.ScanBack(key(attempt), key(attempt, math.MaxInt64), func(k, _ []byte) bool {
		n = num(k[8:]) + 1
		return false
	})
	return b.Put(key(attempt, n), fact)
}

// Facts reads an attempt's or a run's facts, in the order in which they were reported.
func (tx *Tx) Facts(attempt int64) []json.RawMessage {
	var list []json.RawMessage
	tx.own(bucketFacts).Scan(key(attempt), func(_, v []byte) bool {
		list = append(list, append(json.RawMessage(nil), v...))
		return true
	})
	return list
}

// TokenRun finds the run that an idempotency token has made; 0 if none.
func (tx *Tx) TokenRun(token string) int64 {
	v := tx.own(bucketTokens).Get([]byte(token))
	if v == nil {
		return 0
	}
	return num(v)
}

// SetToken remembers the run that an idempotency token has made.
func (tx *Tx) SetToken(token string, run int64) error {
	return tx.own(bucketTokens).Put([]byte(token), key(run))
}

// DeleteRun removes a run and everything kept with it, but for its
// idempotency token, which must not make a second run. Files are the caller's.
func (tx *Tx) DeleteRun(r *jobrun.Run) error {
	var doomed []int64
	tx.own(bucketTasks).Scan(key(r.ID), func(_, v []byte) bool {
		var t jobrun.TaskRun
		if json.Unmarshal(v, &t) == nil {
			for _, a := range t.Attempts {
				doomed = append(doomed, a.RunID)
			}
		}
		return true
	})
	for _, id := range doomed {
		for _, name := range []string{bucketAttempts, bucketOutputs} {
			if err := tx.own(name).Delete(key(id)); err != nil {
				return fmt.Errorf("delete run %d: %w", r.ID, err)
			}
		}
		if err := tx.own(bucketFacts).deleteAll(key(id)); err != nil {
			return fmt.Errorf("delete run %d: %w", r.ID, err)
		}
	}
	for _, name := range []string{bucketTasks, bucketFacts} {
		if err := tx.own(name).deleteAll(key(r.ID)); err != nil {
			return fmt.Errorf("delete run %d: %w", r.ID, err)
		}
	}
	for name, k := range map[string][]byte{bucketRuns: key(r.ID), bucketActive: key(r.ID), bucketByJob: key(r.JobID, r.ID)} {
		if err := tx.own(name).Delete(k); err != nil {
			return fmt.Errorf("delete run %d: %w", r.ID, err)
		}
	}
	if err := tx.release(r); err != nil {
		return fmt.Errorf("delete run %d: %w", r.ID, err)
	}
	return nil
}

// deleteAll removes every key with the prefix.
func (b Bucket) deleteAll(prefix []byte) error {
	var keys [][]byte
	b.Scan(prefix, func(k, _ []byte) bool {
		keys = append(keys, append([]byte(nil), k...))
		return true
	})
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

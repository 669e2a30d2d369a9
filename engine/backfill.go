package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/jobspec"
)

// BackfillRequest replays the times at which a job's schedule fires.
type BackfillRequest struct {
	JobID    int64
	From, To time.Time // both included
	Parallel int       // runs at once, 1 to 100; 0: 1
	Token    string    // tells backfills of the same times apart; usually empty
}

// Backfill is a replay under way. It is a trigger of its job that nobody
// wrote into the settings: what it has started is on record in the same way.
type Backfill struct {
	Key   string // of its fires
	JobID int64
	Since time.Time // when it was asked for
	backfillState
}

// backfillState is what is stored of a Backfill.
type backfillState struct {
	From, To time.Time
	Parallel int
	Count    int          // how many times there are to replay
	When     jobspec.When // the schedule, as it was when the backfill was asked for
	Anchor   time.Time    // for When.Times
	Done     bool         `json:",omitempty"` // all runs have been made, or nobody wants the rest
}

// maxBackfill bounds how many runs one backfill makes.
const maxBackfill = 10_000

// isBackfill tells a backfill's key from a trigger's, which is hexadecimal.
func isBackfill(key string) bool { return strings.HasPrefix(key, "~") }

// StartBackfill has a backfill on record; whoever drives backfills does the
// rest. The same request again answers with the same backfill: an interrupted
// one goes on, and a finished one stays finished.
func (e *Engine) StartBackfill(ctx context.Context, q BackfillRequest) (b Backfill, err error) {
	if q.Parallel == 0 {
		q.Parallel = 1
	}
	switch {
	case q.Parallel < 1 || q.Parallel > 100:
		return b, refuse(InvalidParameter, "A backfill has 1 to 100 runs at once; this asks for %d.", q.Parallel)
	case q.To.Before(q.From):
		return b, refuse(InvalidParameter, "A backfill goes from a time to a later one; %s is before %s.", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	case q.From.Year() < 1970 || q.To.Year() > 2200:
		return b, refuse(InvalidParameter, "A backfill lies between the years 1970 and 2200; this goes from %s to %s.", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	err = e.call(ctx, func(tx *store.Tx) error {
		var cerr error
		b, cerr = e.startBackfill(tx, q)
		return cerr
	})
	return b, err
}

func (e *Engine) startBackfill(tx *store.Tx, q BackfillRequest) (b Backfill, err error) {
	j, _, err := jobAndSpec(tx, q.JobID)
	if err != nil {
		return b, err
	}
	t, _, err := readTriggers(tx, j)
	if err != nil {
		return b, err
	}
	tr, err := t.byTheClock()
	if err != nil {
		return b, err
	}
	b = Backfill{JobID: q.JobID, Since: e.now().UTC()}
	b.backfillState = backfillState{From: q.From.UTC(), To: q.To.UTC(), Parallel: q.Parallel, When: tr.When, Anchor: tr.Since}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %s", tr.Key, b.From.UnixNano(), b.To.UnixNano(), q.Token))
	b.Key = "~" + hex.EncodeToString(sum[:8])[:15]
	old, err := readBackfill(tx, b.JobID, b.Key)
	if err != nil || old != nil {
		if old != nil {
			e.jobChanged(b.JobID)
			b = *old
		}
		return b, err
	}
	if b.Count, err = b.count(); err != nil {
		return b, err
	}
	e.jobChanged(b.JobID)
	return b, saveBackfill(tx, b)
}

// count says how many times there are to replay, and refuses none and too many.
func (b Backfill) count() (n int, err error) {
	times, err := b.Times()
	if err != nil {
		return 0, &Error{Code: InvalidParameter, Message: err.Error(), Err: err}
	}
	span := "from " + b.From.Format(time.RFC3339) + " to " + b.To.Format(time.RFC3339)
	for at := times.Next(time.Time{}); !at.IsZero(); at = times.Next(at) {
		if n++; n > maxBackfill {
			return n, refuse(InvalidParameter, "The schedule fires more than %d times %s; backfill a shorter time.", maxBackfill, span)
		}
	}
	if n == 0 {
		return 0, refuse(InvalidParameter, "The schedule does not fire %s.", span)
	}
	return n, nil
}

// Times are the times that the backfill replays; after the last one there is none.
func (b Backfill) Times() (jobspec.Times, error) {
	all, err := b.When.Times(b.Anchor)
	return within{all, b.From, b.To}, err
}

// within is a stretch of some times, both ends included.
type within struct {
	all      jobspec.Times
	from, to time.Time
}

func (w within) Next(t time.Time) time.Time {
	if t.Before(w.from) {
		t = w.from.Add(-time.Nanosecond)
	}
	at := w.all.Next(t)
	if at.After(w.to) {
		return time.Time{}
	}
	return at.UTC()
}

// EndBackfill has no more runs made by a backfill: because all have been
// made, or because nobody wants the rest. Runs under way go on.
func (e *Engine) EndBackfill(ctx context.Context, job int64, key string) error {
	return e.call(ctx, func(tx *store.Tx) error {
		b, err := readBackfill(tx, job, key)
		if err != nil {
			return err
		}
		if b == nil {
			return refuse(InvalidParameter, "Job %d has no backfill %s.", job, key)
		}
		b.Done = true
		e.jobChanged(job)
		return saveBackfill(tx, *b)
	})
}

func readBackfill(tx *store.Tx, job int64, key string) (*Backfill, error) {
	triggers, err := tx.Bucket(bucketTriggers)
	if err != nil {
		return nil, err
	}
	raw := triggers.Get(triggerKey(job, key))
	if raw == nil {
		return nil, nil
	}
	return parseBackfill(job, key, raw)
}

func parseBackfill(job int64, key string, raw []byte) (*Backfill, error) {
	var a armed
	b := Backfill{Key: key, JobID: job}
	err := json.Unmarshal(raw, &a)
	if err == nil {
		err = json.Unmarshal(a.State, &b.backfillState)
	}
	if err != nil {
		return nil, fmt.Errorf("read backfill of job %d: %w", job, err)
	}
	b.Since = a.Since
	return &b, nil
}

func saveBackfill(tx *store.Tx, b Backfill) error {
	triggers, err := tx.Bucket(bucketTriggers)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(b.backfillState)
	if err != nil {
		return fmt.Errorf("save backfill of job %d: %w", b.JobID, err)
	}
	return putTrigger(triggers, b.JobID, b.Key, armed{Since: b.Since, State: raw})
}

// byTheClock is the trigger that a backfill replays, paused or not.
func (t JobTriggers) byTheClock() (TriggerState, error) {
	for _, tr := range t.Triggers {
		if tr.ByTheClock() {
			return tr, nil
		}
	}
	return TriggerState{}, refuse(InvalidParameter, "Job %d has no schedule and no periodic trigger whose times could be replayed.", t.JobID)
}

// Backfills are a job's backfills, finished ones included.
func (e *Engine) Backfills(_ context.Context, job int64) ([]Backfill, error) {
	var list []Backfill
	err := e.store.View(func(tx *store.Tx) error {
		triggers, err := tx.Bucket(bucketTriggers)
		if err != nil {
			return err
		}
		triggers.Scan(triggerKey(job, "~"), func(k, v []byte) bool {
			var b *Backfill
			if b, err = parseBackfill(job, string(k[8:]), v); err == nil {
				list = append(list, *b)
			}
			return err == nil
		})
		return err
	})
	return list, err
}

// BackfillTrigger is what a backfill's runs say of their start.
func BackfillTrigger(at time.Time) jobrun.Trigger {
	return jobrun.Trigger{Type: jobrun.OneTime, Time: at, Backfill: at}
}

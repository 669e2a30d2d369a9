package jobspec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"flowctl/jobspec/quartz"
)

// WhenKind is what kind of thing makes a job start, in the settings' own words.
type WhenKind string

// The kinds of triggers.
const (
	WhenSchedule    WhenKind = "schedule"
	WhenPeriodic    WhenKind = "periodic"
	WhenFileArrival WhenKind = "file_arrival"
	WhenTableUpdate WhenKind = "table_update"
	WhenContinuous  WhenKind = "continuous"
	WhenModel       WhenKind = "model"
)

// When is one thing that makes a job start by itself, wherever in the
// settings it stands.
type When struct {
	// Key tells it from the job's others, 16 characters. It follows from what
	// the trigger says, pause_status left out: moved within the list it keeps
	// its key, edited it has another.
	Key  string
	Path string // where it stands: "schedule", "triggers[2]"
	Kind WhenKind
	Trigger
}

// Whens lists what makes the job start by itself, in written order. Of two
// that say the same only the first is there.
func (j *Job) Whens() []When {
	var list []When
	add := func(path string, t Trigger) {
		w := newWhen(path, t)
		for i := range list {
			if list[i].Key == w.Key {
				list[i].Paused = list[i].Paused && w.Paused
				return
			}
		}
		list = append(list, w)
	}
	if j.Schedule != nil {
		add("schedule", Trigger{Schedule: j.Schedule})
	}
	if j.Trigger != nil {
		add("trigger", *j.Trigger)
	}
	if j.Continuous != nil {
		add("continuous", Trigger{Continuous: j.Continuous})
	}
	for i, t := range j.Triggers {
		add(fmt.Sprintf("triggers[%d]", i), t)
	}
	return list
}

func newWhen(path string, t Trigger) When {
	w := When{Path: path, Trigger: t}
	w.Trigger.Paused = false
	switch {
	case t.Schedule != nil:
		s := *t.Schedule
		t.Paused = t.Paused || s.Paused
		s.Paused = false
		w.Kind, w.Schedule = WhenSchedule, &s
	case t.Periodic != nil:
		w.Kind = WhenPeriodic
	case t.FileArrival != nil:
		w.Kind = WhenFileArrival
	case t.TableUpdate != nil:
		w.Kind = WhenTableUpdate
	case t.Continuous != nil:
		c := *t.Continuous
		t.Paused = t.Paused || c.Paused
		c.Paused = false
		w.Kind, w.Continuous = WhenContinuous, &c
	default:
		w.Kind = WhenModel
	}
	raw, err := json.Marshal(w.Trigger)
	if err != nil { // a raw part that is no JSON; it cannot fire anyway
		raw = []byte(path)
	}
	sum := sha256.Sum256(append([]byte(w.Kind), raw...))
	w.Key = hex.EncodeToString(sum[:8])
	w.Paused = t.Paused
	return w
}

// CannotFire says why the trigger never fires on this machine; empty if it can.
func (w *When) CannotFire() string {
	condition := w.SQLCondition
	if w.Schedule != nil && condition == nil {
		condition = w.Schedule.SQLCondition
	}
	switch {
	case len(condition) > 0 && string(condition) != "null":
		return w.Path + ": its sql_condition needs a SQL warehouse; the trigger is kept, but it fires only on a workspace"
	case w.Kind == WhenModel:
		return w.Path + ": a model trigger needs the model registry of a workspace; it is kept, but it fires only there"
	}
	return ""
}

// ByTheClock tells whether the trigger fires at times that follow from its
// settings alone.
func (w *When) ByTheClock() bool { return w.Kind == WhenSchedule || w.Kind == WhenPeriodic }

// Times are moments in order. *quartz.Schedule is one.
type Times interface {
	// Next is the first moment after t; the zero time if there is none.
	Next(t time.Time) time.Time
}

// Times are the moments at which a schedule or a periodic trigger fires.
// since is when the trigger came to be as it is; periodic ones count from it.
func (w *When) Times(since time.Time) (Times, error) {
	switch w.Kind {
	case WhenSchedule:
		s, err := quartz.Parse(w.Schedule.Expression, w.Schedule.TimezoneID)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Path, err)
		}
		return s, nil
	case WhenPeriodic:
		unit := units[w.Periodic.Unit]
		if unit == 0 || w.Periodic.Interval < 1 {
			return nil, fmt.Errorf("%s: every %d %s is no interval", w.Path, w.Periodic.Interval, w.Periodic.Unit)
		}
		if int64(w.Periodic.Interval) > int64(maxInterval/unit) {
			return nil, fmt.Errorf("%s: every %d %s is longer than two hundred years", w.Path, w.Periodic.Interval, w.Periodic.Unit)
		}
		return every{since: since, d: time.Duration(w.Periodic.Interval) * unit}, nil
	}
	return nil, fmt.Errorf("%s: a %s trigger does not fire by the clock", w.Path, w.Kind)
}

const maxInterval = 200 * 365 * 24 * time.Hour

// units are a periodic trigger's; a day has 24 hours, whatever the clocks do.
var units = map[string]time.Duration{
	"MINUTES": time.Minute, "HOURS": time.Hour, "DAYS": 24 * time.Hour, "WEEKS": 7 * 24 * time.Hour,
}

// every is a moment and all that follow it at a distance.
type every struct {
	since time.Time
	d     time.Duration
}

// Next is the first since + k·d after t. It counts back from since too, for
// those who replay the past.
func (e every) Next(t time.Time) time.Time {
	k := t.Sub(e.since) / e.d
	if t.Before(e.since) && e.since.Add(k*e.d).After(t) {
		k--
	}
	return e.since.Add((k + 1) * e.d)
}

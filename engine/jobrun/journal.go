package jobrun

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Entry is one line of the journal: an event and what it changed. Readers
// follow runs by it; the records are the truth.
type Entry struct {
	Seq     uint64
	At      time.Time
	RunID   int64
	FirstID int64           // the next unused id before the event; a replay needs it
	Kind    string          // the event's type name
	Event   json.RawMessage // the event itself
	Run     *Status         `json:",omitempty"` // the run's new status, if it changed
	Changes []Change        `json:",omitempty"`
	Page    string          `json:",omitempty"` // where a workspace shows the run, when that became known
}

// Change is a task's new state.
type Change struct {
	Key    string
	Item   int `json:",omitempty"` // 1 + iteration index; 0: the task itself
	RunID  int64
	Number int `json:",omitempty"`
	Status Status
	Error  string `json:",omitempty"`
}

// NewEntry makes the journal line of an event that has just been applied.
func NewEntry(r *Run, ev Event, firstID int64, header bool, tasks []*TaskRun) (Entry, error) {
	raw, err := json.Marshal(ev)
	if err != nil {
		return Entry{}, fmt.Errorf("write event: %w", err)
	}
	e := Entry{At: ev.at(), RunID: r.ID, FirstID: firstID, Kind: reflect.TypeOf(ev).Name(), Event: raw}
	if seen, ok := ev.(Observed); ok {
		e.Page = seen.Page
	}
	if header {
		st := r.Status
		e.Run = &st
	}
	e.Changes = make([]Change, 0, len(tasks))
	for _, t := range tasks {
		a := t.Last()
		c := Change{Key: t.Key, RunID: a.RunID, Number: a.Number, Status: a.Status, Error: a.Error}
		if t.parent != nil {
			c.Key, c.Item = t.parent.Key, t.Index+1
		}
		e.Changes = append(e.Changes, c)
	}
	return e, nil
}

// events maps the type names of the closed set to their types.
var events = func() map[string]reflect.Type {
	m := map[string]reflect.Type{}
	for _, ev := range []Event{
		Requested{}, Admitted{}, AttemptStarted{}, HandleSet{}, ValueSet{}, GitResolved{}, AttemptFinished{},
		ChildFinished{}, Tick{}, CancelRequested{}, RepairRequested{}, TimeoutChanged{}, Resumed{}, Observed{},
	} {
		t := reflect.TypeOf(ev)
		m[t.Name()] = t
	}
	return m
}()

// Decode reads the event back. A RepairRequested comes without its Job, which
// its Spec names.
func (e Entry) Decode() (Event, error) {
	t, ok := events[e.Kind]
	if !ok {
		return nil, fmt.Errorf("journal entry %d: unknown event %q", e.Seq, e.Kind)
	}
	v := reflect.New(t)
	if err := json.Unmarshal(e.Event, v.Interface()); err != nil {
		return nil, fmt.Errorf("journal entry %d: %w", e.Seq, err)
	}
	return v.Elem().Interface().(Event), nil
}

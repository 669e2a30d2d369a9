package trigger

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/jobspec"
	"flowctl/tasks/delta"
)

// tables fires when Delta tables have got new data since its last fire: any
// of them, or all.
//
// Source: the Databricks page on table update triggers.
type tables struct {
	def   *jobspec.TableUpdate
	since time.Time
	find  func(string) (string, error)
	pace  pace
	peers func() int
	log   *slog.Logger
	job   int64

	mem     tablesMemory
	then    tablesMemory // after the step under way
	fires   bool         // the step under way is a fire
	list    []*table     // in written order
	changed time.Time
	warned  string

	// What the last look found.
	looked bool
	err    error
	cost   time.Duration
}

// tablesMemory is what is on record: the versions that the last fire knew of.
type tablesMemory struct {
	Versions map[string]int64
	Fired    time.Time `json:",omitzero"`
}

// table is one of a trigger's tables.
type table struct {
	name    string
	version int64               // up to which it was read
	update  jobrun.TableVersion // the newest change of data since the last fire; no name: none
	found   *delta.Change       // by the last look
}

// maxRead is how many versions at once are asked whether they changed data;
// of more it is taken for granted.
const maxRead = 200

func (s *Service) newTables(job int64, tr engine.TriggerState) (kind, error) {
	u := tr.TableUpdate
	t := &tables{
		def: u, since: tr.Since, find: s.opt.Table, pace: pace{u.MinBetween, u.WaitAfterLastChange}, peers: s.lookers, log: s.opt.Log, job: job,
	}
	if tr.State != nil {
		if err := json.Unmarshal(tr.State, &t.mem); err != nil {
			return nil, fmt.Errorf("%s: read memory: %w", tr.Path, err)
		}
	}
	for _, name := range u.TableNames {
		x := &table{name: name, version: delta.None}
		if v, ok := t.mem.Versions[name]; ok {
			x.version = v
		}
		t.list = append(t.list, x)
	}
	return t, nil
}

// look reads the logs of the tables. It runs beside the service.
func (t *tables) look() {
	start := time.Now()
	t.looked, t.err = true, nil
	for _, x := range t.list {
		if err := t.lookAt(x); err != nil {
			t.err = fmt.Errorf("table %s: %w", x.name, err)
		}
	}
	t.cost = time.Since(start)
}

func (t *tables) lookAt(x *table) error {
	dir, err := t.find(x.name)
	if err != nil {
		return err
	}
	log := delta.Open(dir)
	if t.mem.Versions == nil && x.version == delta.None {
		if x.version, err = before(log, t.since); err != nil {
			return err
		}
	}
	newest, err := log.Latest(x.version)
	if err != nil || newest == x.version {
		return err
	}
	from := x.version + 1
	if newest < x.version { // another table in the place of the old one
		from = 0
	}
	for v := newest; v >= from; v-- {
		c := delta.Change{Data: true, At: log.WrittenAt(v).UTC()}
		if newest-v < maxRead {
			if c, err = log.Change(v); err != nil {
				return err // it is being written; the next look reads it
			}
		}
		if c.Data {
			x.update = jobrun.TableVersion{Table: x.name, Version: v, Timestamp: c.At}
			x.found = &c
			break
		}
	}
	x.version = newest
	return nil
}

// before is the newest version that a table had at a time.
func before(l delta.Log, at time.Time) (int64, error) {
	v, err := l.Latest(delta.None)
	for ; err == nil && v >= 0; v-- {
		if w := l.WrittenAt(v); !w.After(at.Add(-grain)) {
			break
		}
	}
	return v, err
}

func (t *tables) decide(now time.Time) decision {
	if !t.looked {
		return decision{look: t.look}
	}
	t.looked = false
	next := now.Add(pollEvery(t.cost, t.peers()))
	if t.err != nil && t.err.Error() != t.warned {
		t.warned = t.err.Error()
		t.log.Warn("table update", "job", t.job, "problem", t.warned)
	}
	var updated []jobrun.TableVersion
	versions := map[string]int64{}
	for _, x := range t.list {
		if x.found != nil {
			x.found, t.changed = nil, now
		}
		if x.update.Table != "" {
			updated = append(updated, x.update)
		}
		versions[x.name] = x.version
	}
	t.then = tablesMemory{Versions: versions, Fired: t.mem.Fired}
	t.fires = false
	step := &engine.Step{}
	if len(updated) > 0 && (!t.def.All || len(updated) == len(t.list)) {
		if at := t.pace.ready(now, t.mem.Fired, t.changed); at.After(now) {
			next = earlier(next, at)
		} else {
			t.then.Fired, t.fires = now.UTC(), true
			step.Fires = []engine.Fire{{At: now, Free: true, Trigger: jobrun.Trigger{Type: jobrun.Table, Tables: updated}}}
		}
	}
	begins := t.mem.Versions == nil && t.err == nil
	if len(step.Fires) == 0 && !begins {
		return decision{next: next}
	}
	if len(step.Fires) == 0 { // what the tables were at the beginning, without what has changed since
		for _, x := range t.list {
			if x.update.Table != "" {
				versions[x.name] = max(x.update.Version-1, delta.None)
			}
		}
	}
	state, err := json.Marshal(t.then)
	if err != nil {
		return decision{next: next}
	}
	step.State = state
	return decision{step: step, next: next}
}

func (t *tables) took(r engine.Stepped) {
	if r.Outcome == engine.Busy {
		return // the updates stay pending until there is room
	}
	t.mem = t.then
	if t.fires {
		for _, x := range t.list {
			x.update = jobrun.TableVersion{}
		}
	}
}

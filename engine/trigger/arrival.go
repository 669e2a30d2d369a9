package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flowctl/engine"
	"flowctl/engine/jobrun"
)

// arrival fires when there are new names under a folder. Overwriting a file
// is no arrival; a name that was gone and comes back is one.
//
// Source: the Databricks page on file arrival triggers.
type arrival struct {
	engine *engine.Engine
	ctx    context.Context
	log    *slog.Logger
	job    int64
	key    string
	since  time.Time
	url    string
	find   func(string) (string, error)
	pace   pace
	peers  func() int // how many triggers look at files and tables

	mem     arrivalMemory
	seen    map[string]struct{} // on record; nil: not read yet
	fresh   map[string]struct{} // there, and not in seen
	changed time.Time           // when fresh last grew
	warned  string
	pending pendingArrival // the step under way

	// What the last look found.
	looked bool
	found  map[string]time.Time // names, with their time if it matters
	err    error
	cost   time.Duration
}

// arrivalMemory is what is on record beside the seen-set.
type arrivalMemory struct {
	Begun bool      // what was there at the beginning is in the seen-set
	Fired time.Time `json:",omitzero"`
}

type pendingArrival struct {
	step *engine.Step
	mem  arrivalMemory
}

// manyFiles is from when on a folder is worth a warning. Source: the
// Databricks page: without file events a folder has at most so many.
const manyFiles = 10_000

func (s *Service) newArrival(ctx context.Context, job int64, tr engine.TriggerState) (kind, error) {
	f := tr.FileArrival
	a := &arrival{
		engine: s.engine, ctx: context.WithoutCancel(ctx), log: s.opt.Log, job: job, key: tr.Key, since: tr.Since, url: f.URL,
		find: s.opt.Path, pace: pace{f.MinBetween, f.WaitAfterLastChange}, peers: s.lookers, fresh: map[string]struct{}{},
	}
	if tr.State != nil {
		if err := json.Unmarshal(tr.State, &a.mem); err != nil {
			return nil, fmt.Errorf("%s: read memory: %w", tr.Path, err)
		}
	}
	return a, nil
}

// look walks the folder. It runs beside the service.
func (a *arrival) look() {
	start := time.Now()
	a.looked = true
	if a.seen == nil {
		if a.seen, a.err = a.engine.Seen(a.ctx, a.job, a.key); a.err != nil {
			a.seen = nil
			return
		}
	}
	dir, err := a.find(a.url)
	if err != nil {
		a.err = err
		return
	}
	a.found, a.err = names(dir, !a.mem.Begun)
	a.cost = time.Since(start)
}

// names lists the files below a folder by their path in it. Names that
// programs give to what they are still writing are left out. A folder
// that is not there is errNoFolder.
func names(dir string, times bool) (map[string]time.Time, error) {
	if st, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, errNoFolder
	} else if err != nil {
		return nil, fmt.Errorf("look for new files: %w", err)
	} else if !st.IsDir() {
		return nil, fmt.Errorf("look for new files: %s is a file; a file arrival trigger looks at a folder", dir)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("look for new files: %w", err)
	}
	found := map[string]time.Time{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist): // what goes while we look is gone
			return err
		case err != nil || d.IsDir() || unfinished(d.Name()):
			return nil
		}
		var at time.Time
		if times {
			if info, err := d.Info(); err == nil {
				at = info.ModTime()
			}
		}
		found[filepath.ToSlash(path[len(dir)+1:])] = at
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for new files: %w", err)
	}
	return found, nil
}

var errNoFolder = errors.New("the folder is not there yet")

// unfinished tells names of files that are being written.
func unfinished(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch filepath.Ext(name) {
	case ".tmp", ".part", ".partial", ".filepart", ".crdownload":
		return true
	}
	return false
}

func (a *arrival) decide(now time.Time) decision {
	if !a.looked {
		return decision{look: a.look}
	}
	a.looked = false
	next := now.Add(pollEvery(a.cost, a.peers()))
	if a.err != nil {
		a.warn(a.err.Error())
		if !errors.Is(a.err, errNoFolder) || a.mem.Begun {
			return decision{next: next} // a folder that is away for a while has lost nothing
		}
	} else if a.warned = ""; len(a.found) > manyFiles {
		a.warn(fmt.Sprintf("%d files: looking for new ones takes a while; let the job move away what it has read", len(a.found)))
	}
	step := &engine.Step{}
	if !a.mem.Begun {
		step.Learn = a.begin()
	}
	for name := range a.seen {
		if _, there := a.found[name]; !there {
			step.Forget = append(step.Forget, name)
		}
	}
	a.compare(now, step.Learn)
	mem := arrivalMemory{Begun: true, Fired: a.mem.Fired}
	if len(a.fresh) > 0 {
		at := a.pace.ready(now, a.mem.Fired, a.changed)
		if at.After(now) {
			next = earlier(next, at)
		} else {
			step.Fires = []engine.Fire{{At: now, Free: true, Trigger: jobrun.Trigger{Type: jobrun.FileArrival, Location: a.url}}}
			step.Learn = append(step.Learn, slices.Sorted(maps.Keys(a.fresh))...)
			mem.Fired = now.UTC()
		}
	}
	if len(step.Learn)+len(step.Forget)+len(step.Fires) == 0 && a.mem.Begun {
		return decision{next: next}
	}
	return a.commit(step, mem, next)
}

func (a *arrival) commit(step *engine.Step, mem arrivalMemory, next time.Time) decision {
	state, err := json.Marshal(mem)
	if err != nil {
		return decision{next: next}
	}
	step.State = state
	a.pending = pendingArrival{step: step, mem: mem}
	return decision{step: step, next: next}
}

// begin is what was there when the trigger was made: it is known, and fires nothing.
func (a *arrival) begin() []string {
	var known []string
	for name, at := range a.found {
		if !at.After(a.since.Add(-grain)) {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	return known
}

// compare brings fresh in step with what was found.
func (a *arrival) compare(now time.Time, known []string) {
	skip := map[string]struct{}{}
	for _, name := range known {
		skip[name] = struct{}{}
	}
	for name := range a.fresh {
		if _, there := a.found[name]; !there {
			delete(a.fresh, name)
		}
	}
	for name := range a.found {
		_, seen := a.seen[name]
		_, old := skip[name]
		_, had := a.fresh[name]
		if !seen && !old && !had {
			a.fresh[name] = struct{}{}
			a.changed = now
		}
	}
}

func (a *arrival) took(r engine.Stepped) {
	p := a.pending
	a.pending = pendingArrival{}
	if r.Outcome == engine.Busy || p.step == nil {
		return // the files stay fresh until there is room
	}
	a.mem = p.mem
	for _, name := range p.step.Forget {
		delete(a.seen, name)
	}
	for _, name := range p.step.Learn {
		a.seen[name] = struct{}{}
		delete(a.fresh, name)
	}
}

// warn says something once, until it changes.
func (a *arrival) warn(what string) {
	if a.warned != what {
		a.warned = what
		a.log.Warn("file arrival", "job", a.job, "url", a.url, "problem", what)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

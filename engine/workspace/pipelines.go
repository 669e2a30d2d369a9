package workspace

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Pipelines are the declarative pipelines that clients make, such as bundles
// beside their jobs. What runs them is the engine's: here are their
// specifications, and which runs were their updates.
type Pipelines struct {
	rec records
	now func() time.Time

	starting sync.Mutex // held while an update is being started
}

// Pipeline is one of them.
type Pipeline struct {
	ID       string                     `json:"id"`
	Fields   map[string]json.RawMessage `json:"fields"` // as its maker sent them
	Creator  string                     `json:"creator"`
	Modified time.Time                  `json:"modified"`
	// Updates are the runs that were its latest updates, newest first.
	Updates []int64 `json:"updates,omitempty"`
}

const (
	bucketPipelines = "pipelines" // id → Pipeline

	maxPipelines = 1000
	maxPipeline  = 256 << 10
	maxUpdates   = 25
)

func noPipeline(id string) error {
	return refuse(DoesNotExist, "The specified pipeline %s was not found.", id)
}

// Name is what people call it.
func (p Pipeline) Name() string {
	var name string
	_ = json.Unmarshal(p.Fields["name"], &name) // what is no text is no name
	return name
}

// Create keeps a new pipeline. Its name is its own, unless it says otherwise.
func (p *Pipelines) Create(who Identity, fields map[string]json.RawMessage) (Pipeline, error) {
	made := Pipeline{ID: uuid.NewString(), Fields: fields, Creator: who.Name, Modified: p.now()}
	return made, p.rec.update(func(t tx) error {
		if err := t.belowLimit(bucketPipelines, "", maxPipelines, "The workspace has %d pipelines, and cannot have more."); err != nil {
			return err
		}
		return t.writePipeline(made)
	})
}

// Edit gives a pipeline another specification, all of it.
func (p *Pipelines) Edit(id string, fields map[string]json.RawMessage) error {
	return p.change(id, func(t tx, old Pipeline) error {
		old.Fields, old.Modified = fields, p.now()
		return t.writePipeline(old)
	})
}

// Start has an update begun, and remembers the run that begin answers with. Of
// two at once the second begins when the first is remembered, so that begin
// sees in the pipeline whether an update is under way.
func (p *Pipelines) Start(id string, begin func(Pipeline) (run int64, err error)) error {
	p.starting.Lock()
	defer p.starting.Unlock()
	now, err := p.Get(id)
	if err != nil {
		return err
	}
	run, err := begin(now)
	if err != nil {
		return err
	}
	return p.change(id, func(t tx, old Pipeline) error {
		old.Updates = slices.Insert(old.Updates, 0, run)
		old.Updates = old.Updates[:min(len(old.Updates), maxUpdates)]
		return t.write(bucketPipelines, id, old)
	})
}

// Delete forgets a pipeline. The tables that it made stay.
func (p *Pipelines) Delete(id string) error {
	return p.change(id, func(t tx, _ Pipeline) error { return t.delete(bucketPipelines, id) })
}

func (p *Pipelines) change(id string, fn func(tx, Pipeline) error) error {
	return p.rec.update(func(t tx) error {
		var old Pipeline
		ok, err := t.read(bucketPipelines, id, &old)
		if err == nil && !ok {
			err = noPipeline(id)
		}
		if err != nil {
			return err
		}
		return fn(t, old)
	})
}

// Get reads a pipeline.
func (p *Pipelines) Get(id string) (found Pipeline, err error) {
	err = p.rec.view(func(t tx) error {
		ok, err := t.read(bucketPipelines, id, &found)
		if err == nil && !ok {
			err = noPipeline(id)
		}
		return err
	})
	return found, err
}

// List yields the pipelines, in the order of their ids.
func (p *Pipelines) List() (list []Pipeline, err error) {
	err = p.rec.view(func(t tx) error {
		list, err = all[Pipeline](t, bucketPipelines, "")
		return err
	})
	return list, err
}

// writePipeline checks what the pipeline itself must be; whoever runs it knows
// what it must hold.
//
// Source: the SDK's documentation of CreatePipeline: names are unique unless
// allow_duplicate_names is true.
func (t tx) writePipeline(p Pipeline) error {
	size := 0
	for f, v := range maps.All(p.Fields) {
		size += len(f) + len(v)
	}
	if size > maxPipeline {
		return refuse(InvalidParameter, "The pipeline has %d bytes of settings; at most %d are allowed.", size, maxPipeline)
	}
	name := p.Name()
	if name == "" {
		return refuse(InvalidParameter, "name: a pipeline needs one.")
	}
	if string(p.Fields["allow_duplicate_names"]) != "true" {
		others, err := all[Pipeline](t, bucketPipelines, "")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o Pipeline) bool { return o.ID != p.ID && strings.EqualFold(o.Name(), name) }) {
			return refuse(Taken, "The pipeline name '%s' is already used by another pipeline. This check can be skipped by setting `allow_duplicate_names = true` in the request.", name)
		}
	}
	return t.write(bucketPipelines, p.ID, p)
}

package serving

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"flowctl/engine/store"
	"flowctl/engine/workspace"
)

// Options are the settings of Open.
type Options struct {
	Runner Runner
	// Files tells where the files of a model's version are on this machine. The
	// error is a *workspace.Error if there is no such version.
	Files func(ctx context.Context, model, version string) (dir string, err error)
	// Expand replaces what stands for a secret in an entity's variable, by what
	// the endpoint's creator may read. Nil: nothing is replaced.
	Expand func(namespace, user, value string) (string, error)
	// Idle is how long a model runs on after its last answer; 0: 15 minutes.
	Idle time.Duration
	Log  *slog.Logger
}

// Endpoints are the serving endpoints of a data directory. Its methods may be
// called by any goroutine.
type Endpoints struct {
	store *store.Store
	opt   Options
	ctx   context.Context
	end   context.CancelFunc
	works sync.WaitGroup

	mu       sync.Mutex
	backends map[string]*backend // by the endpoint's id and what it runs
	splits   map[string]*split   // by the endpoint's id
	counts   map[string]*Count   // by the endpoint's id, "/", the entity's name
}

// Count is what an entity has answered since this process began.
type Count struct {
	Requests, Errors int64
	Seconds          float64 // all answers together
}

// Open takes up the endpoints of an open store, and the changes to them that
// an earlier process did not finish. Close it before the store.
func Open(s *store.Store, opt Options) (*Endpoints, error) {
	opt.Idle = cmp.Or(opt.Idle, 15*time.Minute)
	e := &Endpoints{store: s, opt: opt, backends: map[string]*backend{}, splits: map[string]*split{}, counts: map[string]*Count{}}
	e.ctx, e.end = context.WithCancel(context.Background())
	err := e.each("", func(namespace string, ep Endpoint) {
		if ep.Pending != nil {
			e.works.Go(func() { e.bringUp(namespace, ep) })
		}
	})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.works.Go(e.sweep)
	return e, nil
}

// Close ends every model that runs here. A change that has not been finished
// is begun anew by the next process.
func (e *Endpoints) Close() error {
	e.end()
	e.mu.Lock()
	all := e.backends
	e.backends = map[string]*backend{}
	e.mu.Unlock()
	for _, b := range all {
		b.kill()
	}
	e.works.Wait()
	return nil
}

// sweep stops models that nobody asks, until Close.
func (e *Endpoints) sweep() {
	tick := time.NewTicker(max(e.opt.Idle/10, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.rest(time.Now().Add(-e.opt.Idle))
		case <-e.ctx.Done():
			return
		}
	}
}

// rest stops the models that nobody has asked since a time.
func (e *Endpoints) rest(since time.Time) {
	e.mu.Lock()
	var all []*backend
	for _, b := range e.backends {
		all = append(all, b)
	}
	e.mu.Unlock()
	for _, b := range all {
		b.rest(since)
	}
}

// Create makes an endpoint and begins to bring its configuration up, if it has
// one. Its Name, Tags, Kept and config are the request's.
func (e *Endpoints) Create(ctx context.Context, namespace, user string, ep Endpoint, c *Config) (Endpoint, error) {
	if err := checkName(ep.Name); err != nil {
		return Endpoint{}, err
	}
	now := time.Now().UnixMilli()
	ep.ID, ep.Creator, ep.Created, ep.Updated = strings.ReplaceAll(uuid.NewString(), "-", ""), user, now, now
	if c != nil {
		if err := e.admit(ctx, c); err != nil {
			return Endpoint{}, err
		}
		c.Version, c.Start = 1, now
		ep.Pending = c
	}
	err := e.store.Update(func(tx *store.Tx) error {
		if _, err := readIn(tx, namespace, ep.Name); err == nil {
			return refuse(workspace.AlreadyExists, "Endpoint with name '%s' already exists.", ep.Name)
		}
		return writeIn(tx, namespace, ep)
	})
	if err == nil && c != nil {
		e.works.Go(func() { e.bringUp(namespace, ep) })
	}
	return ep, err
}

// admit refuses a configuration that cannot be served.
func (e *Endpoints) admit(ctx context.Context, c *Config) error {
	if err := c.complete(); err != nil {
		return err
	}
	for i, entity := range c.Entities {
		if _, err := e.opt.Files(ctx, entity.EntityName, entity.EntityVersion); err != nil {
			var refused *workspace.Error
			if errors.As(err, &refused) {
				return refuse(refused.Code, "config.served_entities[%d]: %s", i, refused.Message)
			}
			return fmt.Errorf("find version %s of %s: %w", entity.EntityVersion, entity.EntityName, err)
		}
	}
	return nil
}

// UpdateConfig begins to bring another configuration up. Until it can answer
// the one of before does.
func (e *Endpoints) UpdateConfig(ctx context.Context, namespace, name string, c *Config) (Endpoint, error) {
	if err := e.admit(ctx, c); err != nil {
		return Endpoint{}, err
	}
	ep, err := e.change(namespace, name, func(ep *Endpoint) error {
		if ep.Pending != nil {
			return refuse("RESOURCE_CONFLICT", "Endpoint '%s' is being updated; wait until it is not.", name)
		}
		c.Start, c.Version = time.Now().UnixMilli(), 1
		for _, old := range []*Config{ep.Config, ep.Failed} {
			if old != nil {
				c.Version = max(c.Version, old.Version+1)
			}
		}
		ep.Pending, ep.Failed, ep.Updated = c, nil, c.Start
		return nil
	})
	if err == nil {
		e.works.Go(func() { e.bringUp(namespace, ep) })
	}
	return ep, err
}

// bringUp starts what a pending configuration serves and then lets it answer,
// or says what could not be started.
func (e *Endpoints) bringUp(namespace string, ep Endpoint) {
	c := ep.Pending
	failed, stopping := e.startAll(namespace, ep, c)
	if stopping {
		return // the next process begins anew
	}
	after, err := e.change(namespace, ep.Name, func(now *Endpoint) error {
		if now.ID != ep.ID || now.Pending == nil || now.Pending.Version != c.Version {
			return errRetired // deleted meanwhile, and perhaps made anew
		}
		now.Pending, now.Updated = nil, time.Now().UnixMilli()
		if failed {
			now.Failed = c
		} else {
			now.Config = c
		}
		return nil
	})
	if err != nil {
		if e.opt.Log != nil && !errors.Is(err, errRetired) && e.ctx.Err() == nil {
			e.opt.Log.Warn("finish the update of an endpoint", "endpoint", ep.Name, "error", err)
		}
		e.keep(ep.ID, Endpoint{})
		return
	}
	e.keep(ep.ID, after)
}

// startAll starts what a configuration serves, all at once, for loading is
// slow. Entities that could not be started say why. Stopping: this process ends,
// and nothing is known of them.
func (e *Endpoints) startAll(namespace string, ep Endpoint, c *Config) (failed, stopping bool) {
	errs := make([]error, len(c.Entities))
	var all sync.WaitGroup
	for i, entity := range c.Entities {
		all.Go(func() {
			b, _, err := e.instance(e.ctx, namespace, ep, entity)
			if errs[i] = err; err == nil {
				b.release() // that it lives is all
			}
		})
	}
	all.Wait()
	if e.ctx.Err() != nil {
		return false, true
	}
	for i, err := range errs {
		if err != nil {
			failed, c.Entities[i].Error = true, err.Error()
		}
	}
	return failed, false
}

// keep retires the backends of an endpoint that its configurations do not name.
func (e *Endpoints) keep(id string, ep Endpoint) {
	named := map[string]bool{}
	for _, c := range []*Config{ep.Config, ep.Pending} {
		if c != nil {
			for _, entity := range c.Entities {
				named[entity.key(id)] = true
			}
		}
	}
	e.mu.Lock()
	var old []*backend
	for key, b := range e.backends {
		if strings.HasPrefix(key, id+"/") && !named[key] {
			old = append(old, b)
			delete(e.backends, key)
		}
	}
	e.mu.Unlock()
	for _, b := range old {
		b.retire()
	}
}

// key names the process of an entity by all that goes into it.
func (e Entity) key(id string) string {
	env, err := json.Marshal(e.EnvironmentVars) // sorted; a map of strings has JSON
	if err != nil {
		env = nil
	}
	sum := sha256.Sum256([]byte(e.Name + "\x00" + e.EntityName + "\x00" + e.EntityVersion + "\x00" + string(env)))
	return id + "/" + hex.EncodeToString(sum[:8])
}

// instance returns the living process of an entity. The caller releases the
// backend.
func (e *Endpoints) instance(ctx context.Context, namespace string, ep Endpoint, entity Entity) (*backend, Instance, error) {
	key := entity.key(ep.ID)
	e.mu.Lock()
	if e.ctx.Err() != nil {
		e.mu.Unlock()
		return nil, nil, errRetired
	}
	b := e.backends[key]
	if b == nil {
		b = &backend{}
		e.backends[key] = b
	}
	e.mu.Unlock()
	inst, err := b.acquire(ctx, func() (Instance, error) { return e.start(namespace, ep, entity) })
	return b, inst, err
}

// start runs an entity's model.
func (e *Endpoints) start(namespace string, ep Endpoint, entity Entity) (Instance, error) {
	dir, err := e.opt.Files(e.ctx, entity.EntityName, entity.EntityVersion)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for name, value := range entity.EnvironmentVars {
		if e.opt.Expand != nil {
			if value, err = e.opt.Expand(namespace, ep.Creator, value); err != nil {
				return nil, fmt.Errorf("environment_vars.%s: %w", name, err)
			}
		}
		env[name] = value
	}
	log := e.logFile(ep.ID, entity.Name)
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of logs: %w", err)
	}
	return e.opt.Runner.Start(e.ctx, Model{Name: entity.EntityName, Version: entity.EntityVersion, Dir: dir, Env: env, Log: log})
}

func (e *Endpoints) logFile(id, entity string) string {
	return filepath.Join(e.store.Home(), "serving", id, entity+".log")
}

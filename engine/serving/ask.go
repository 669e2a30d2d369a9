package serving

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flowctl/engine/store"
	"flowctl/engine/workspace"
)

// Get reads an endpoint.
func (e *Endpoints) Get(namespace, name string) (Endpoint, error) { return e.read(namespace, name) }

// ByID finds an endpoint by the id that permissions know it by.
func (e *Endpoints) ByID(namespace, id string) (found Endpoint, err error) {
	err = e.each(namespace+"\x00", func(_ string, ep Endpoint) {
		if ep.ID == id {
			found = ep
		}
	})
	if err == nil && found.ID == "" {
		err = refuse(workspace.DoesNotExist, "Serving endpoint with id %s does not exist.", id)
	}
	return found, err
}

// List reads all endpoints of a namespace, by name.
func (e *Endpoints) List(namespace string) (list []Endpoint, err error) {
	err = e.each(namespace+"\x00", func(_ string, ep Endpoint) { list = append(list, ep) })
	return list, err
}

// Change changes what is kept of an endpoint beside its configuration.
func (e *Endpoints) Change(namespace, name string, fn func(ep *Endpoint)) (Endpoint, error) {
	return e.change(namespace, name, func(ep *Endpoint) error {
		fn(ep)
		return nil
	})
}

// SetTags adds tags to an endpoint and takes others away.
func (e *Endpoints) SetTags(namespace, name string, add []Tag, remove []string) (Endpoint, error) {
	return e.Change(namespace, name, func(ep *Endpoint) {
		for _, t := range add {
			ep.Tags = append(slices.DeleteFunc(ep.Tags, func(o Tag) bool { return o.Key == t.Key }), t)
		}
		ep.Tags = slices.DeleteFunc(ep.Tags, func(o Tag) bool { return slices.Contains(remove, o.Key) })
		slices.SortFunc(ep.Tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	})
}

// Delete forgets an endpoint and ends its models.
func (e *Endpoints) Delete(namespace, name string) error {
	var ep Endpoint
	err := e.store.Update(func(tx *store.Tx) (err error) {
		if ep, err = readIn(tx, namespace, name); err != nil {
			return err
		}
		b, err := tx.Bucket(bucket)
		if err != nil {
			return err
		}
		return b.Delete(recordKey(namespace, name))
	})
	if err != nil {
		return err
	}
	e.keep(ep.ID, Endpoint{})
	e.mu.Lock()
	delete(e.splits, ep.ID)
	e.mu.Unlock()
	_ = os.RemoveAll(filepath.Dir(e.logFile(ep.ID, "x"))) // logs that stay are only logs
	return nil
}

// Invoke asks an endpoint: the entity that is named, or the one whose turn it
// is by the endpoint's shares. It tells which entity answered.
func (e *Endpoints) Invoke(ctx context.Context, namespace, name, entity string, q Request) (*Answer, string, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, "", err
	}
	for {
		ep, err := e.read(namespace, name)
		if err != nil {
			return nil, "", err
		}
		if ep.Config == nil {
			return nil, "", notReady(ep)
		}
		chosen := entity
		if chosen == "" {
			chosen = e.turn(ep)
		}
		served, ok := ep.Config.entity(chosen)
		if !ok {
			return nil, "", refuse(workspace.DoesNotExist, "Endpoint '%s' serves no %q; it serves %s.", name, chosen, ep.Config.names())
		}
		q.Body = bytes.NewReader(body)
		ans, err := e.invoke(ctx, namespace, ep, served, q)
		if errors.Is(err, errRetired) && e.ctx.Err() == nil {
			continue // the endpoint has just got another configuration
		}
		return ans, chosen, err
	}
}

func notReady(ep Endpoint) error {
	why := "it has no configuration yet"
	switch {
	case ep.Pending != nil:
		why = "its models are being started"
	case ep.Failed != nil:
		for _, entity := range ep.Failed.Entities {
			if entity.Error != "" {
				why = fmt.Sprintf("%s could not be started: %s", entity.Name, entity.Error)
			}
		}
	}
	return refuse("TEMPORARILY_UNAVAILABLE", "Endpoint '%s' is not ready: %s.", ep.Name, why)
}

// turn says whose turn it is.
func (e *Endpoints) turn(ep Endpoint) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.splits[ep.ID]
	if s == nil || s.version != ep.Config.Version {
		s = newSplit(ep.Config)
		e.splits[ep.ID] = s
	}
	return s.next()
}

func (e *Endpoints) invoke(ctx context.Context, namespace string, ep Endpoint, entity Entity, q Request) (*Answer, error) {
	began := time.Now()
	b, inst, err := e.instance(ctx, namespace, ep, entity)
	if err != nil {
		if errors.Is(err, errRetired) || ctx.Err() != nil {
			return nil, err
		}
		return nil, refuse("TEMPORARILY_UNAVAILABLE", "%s could not be started: %s", entity.Name, err)
	}
	defer b.release()
	ans, err := inst.Invoke(ctx, q)
	e.count(ep.ID, entity.Name, time.Since(began), err != nil || ans.Status >= 500)
	if err != nil && ctx.Err() == nil {
		return nil, refuse("TEMPORARILY_UNAVAILABLE", "%s did not answer: %s. Its process may have ended; its logs are at served-models/%s/logs.", entity.Name, err, entity.Name)
	}
	return ans, err
}

func (e *Endpoints) count(id, entity string, took time.Duration, failed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.counts[id+"/"+entity]
	if c == nil {
		c = &Count{}
		e.counts[id+"/"+entity] = c
	}
	c.Requests++
	c.Seconds += took.Seconds()
	if failed {
		c.Errors++
	}
}

// Counts are what the entities of an endpoint have answered since this process
// began, by their names.
func (e *Endpoints) Counts(ep Endpoint) map[string]Count {
	e.mu.Lock()
	defer e.mu.Unlock()
	counts := map[string]Count{}
	if ep.Config == nil {
		return counts
	}
	for _, entity := range ep.Config.Entities {
		counts[entity.Name] = Count{}
		if c := e.counts[ep.ID+"/"+entity.Name]; c != nil {
			counts[entity.Name] = *c
		}
	}
	return counts
}

// maxLog is how much of a log is read: its end.
const maxLog = 64 << 10

// Logs is what an entity's model and its start have said lately.
func (e *Endpoints) Logs(ep Endpoint, entity string) (string, error) {
	for _, c := range []*Config{ep.Config, ep.Pending, ep.Failed} {
		if _, ok := c.entity(entity); !ok {
			continue
		}
		text, err := os.ReadFile(e.logFile(ep.ID, entity))
		if errors.Is(err, os.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("read log: %w", err)
		}
		return string(text[max(0, len(text)-maxLog):]), nil
	}
	return "", refuse(workspace.DoesNotExist, "Endpoint '%s' serves no %q.", ep.Name, entity)
}

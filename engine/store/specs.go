package store

import (
	"sync"

	"flowctl/jobspec"
)

// keepSpecs is how many parsed definitions are kept at hand. Live runs hold
// theirs anyway; this is for those that come and go.
const keepSpecs = 4096

// specCache keeps the definitions that were parsed last. Definitions never
// change, so what is here is always right.
type specCache struct {
	mu    sync.Mutex
	byKey map[string]*jobspec.Job
	order []string // a ring: the next to go is at next
	next  int
}

func (c *specCache) get(hash string) *jobspec.Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byKey[hash]
}

// put keeps a definition and returns it, or the one that is here already.
func (c *specCache) put(hash string, j *jobspec.Job) *jobspec.Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byKey[hash]; old != nil {
		return old
	}
	if c.byKey == nil {
		c.byKey = map[string]*jobspec.Job{}
	}
	if len(c.order) < keepSpecs {
		c.order = append(c.order, hash)
	} else {
		delete(c.byKey, c.order[c.next])
		c.order[c.next] = hash
		c.next = (c.next + 1) % keepSpecs
	}
	c.byKey[hash] = j
	return j
}

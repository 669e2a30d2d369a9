package serving

import (
	"encoding/json"
	"fmt"

	"flowctl/engine/store"
	"flowctl/engine/workspace"
)

// bucket holds the endpoints: namespace, NUL, name → Endpoint.
const bucket = "serving/endpoints"

func recordKey(namespace, name string) []byte { return []byte(namespace + "\x00" + name) }

// read finds an endpoint.
func (e *Endpoints) read(namespace, name string) (ep Endpoint, err error) {
	err = e.store.View(func(tx *store.Tx) error {
		ep, err = readIn(tx, namespace, name)
		return err
	})
	return ep, err
}

func readIn(tx *store.Tx, namespace, name string) (ep Endpoint, err error) {
	b, err := tx.Bucket(bucket)
	if err != nil {
		return ep, err
	}
	raw := b.Get(recordKey(namespace, name))
	if raw == nil {
		return ep, refuse(workspace.DoesNotExist, "Endpoint with name '%s' does not exist.", name)
	}
	if err := json.Unmarshal(raw, &ep); err != nil {
		return ep, fmt.Errorf("read endpoint %s: %w", name, err)
	}
	return ep, nil
}

// change applies fn to an endpoint in one commit.
func (e *Endpoints) change(namespace, name string, fn func(ep *Endpoint) error) (ep Endpoint, err error) {
	err = e.store.Update(func(tx *store.Tx) error {
		if ep, err = readIn(tx, namespace, name); err != nil {
			return err
		}
		if err := fn(&ep); err != nil {
			return err
		}
		return writeIn(tx, namespace, ep)
	})
	return ep, err
}

func writeIn(tx *store.Tx, namespace string, ep Endpoint) error {
	b, err := tx.Bucket(bucket)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(ep)
	if err != nil {
		return fmt.Errorf("write endpoint %s: %w", ep.Name, err)
	}
	return b.Put(recordKey(namespace, ep.Name), raw)
}

// each calls fn for the endpoints whose keys begin with prefix, by name.
func (e *Endpoints) each(prefix string, fn func(namespace string, ep Endpoint)) error {
	return e.store.View(func(tx *store.Tx) error {
		b, err := tx.Bucket(bucket)
		if err != nil {
			return err
		}
		var bad error
		b.Scan([]byte(prefix), func(k, v []byte) bool {
			var ep Endpoint
			if bad = json.Unmarshal(v, &ep); bad != nil {
				bad = fmt.Errorf("read endpoint %q: %w", k, bad)
				return false
			}
			fn(string(k[:len(k)-len(ep.Name)-1]), ep)
			return true
		})
		return bad
	})
}

package workspace

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"

	"flowctl/engine/store"
)

// The buckets of a workspace, without the prefix that names its namespace.
const (
	bucketMeta     = "meta"     // "id" → the workspace's id
	bucketObjects  = "objects"  // id → object of the tree, once a client has seen its id
	bucketPlain    = "plain"    // path on disk → nothing: looks like a notebook, is a file
	bucketACL      = "acl"      // kind, "/", id or path → accessList
	bucketPeople   = "people"   // id → person
	bucketNames    = "names"    // kind, "/", folded name → id
	bucketMember   = "member"   // member's id, "/", group's id → nothing
	bucketScopes   = "scopes"   // folded scope → scope
	bucketSettings = "settings" // name → text
	bucketSecrets  = "secrets"  // folded scope, NUL, folded key → secret

	bucketDestinations = "destinations" // id → notification destination
)

// bucketTokens is the one bucket that all namespaces share: it says which
// namespace a token belongs to.
const bucketTokens = "workspace/tokens" // token's id → token

// records are the buckets of one namespace.
type records struct {
	store  *store.Store
	prefix string
}

func newRecords(s *store.Store, namespace string) records {
	if namespace == "" {
		return records{s, "workspace/"}
	}
	return records{s, "workspace@" + namespace + "/"}
}

func (r records) view(fn func(tx) error) error {
	return r.store.View(func(t *store.Tx) error { return fn(tx{t, r.prefix}) })
}

func (r records) update(fn func(tx) error) error {
	return r.store.Update(func(t *store.Tx) error { return fn(tx{t, r.prefix}) })
}

// tx is a transaction on the buckets of one namespace.
type tx struct {
	store  *store.Tx
	prefix string
}

func (t tx) get(bucket, key string) ([]byte, error) {
	b, err := t.store.Bucket(t.prefix + bucket)
	if err != nil {
		return nil, err
	}
	return b.Get([]byte(key)), nil
}

func (t tx) has(bucket, key string) (bool, error) {
	v, err := t.get(bucket, key)
	return v != nil, err
}

// read decodes a record. False: there is none.
func (t tx) read(bucket, key string, v any) (bool, error) {
	raw, err := t.get(bucket, key)
	if err != nil || raw == nil {
		return false, err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("read record of %s: %w", bucket, err)
	}
	return true, nil
}

func (t tx) put(bucket, key string, value []byte) error {
	b, err := t.store.Bucket(t.prefix + bucket)
	if err != nil {
		return err
	}
	if err := b.Put([]byte(key), value); err != nil {
		return fmt.Errorf("write record of %s: %w", bucket, err)
	}
	return nil
}

func (t tx) write(bucket, key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write record of %s: %w", bucket, err)
	}
	return t.put(bucket, key, raw)
}

func (t tx) delete(bucket, key string) error {
	b, err := t.store.Bucket(t.prefix + bucket)
	if err != nil {
		return err
	}
	if err := b.Delete([]byte(key)); err != nil {
		return fmt.Errorf("delete record of %s: %w", bucket, err)
	}
	return nil
}

// scan calls fn for the keys with the prefix, in order, until it returns false.
func (t tx) scan(bucket, prefix string, fn func(key string, value []byte) bool) error {
	b, err := t.store.Bucket(t.prefix + bucket)
	if err != nil {
		return err
	}
	b.Scan([]byte(prefix), func(k, v []byte) bool { return fn(string(k), v) })
	return nil
}

// all decodes the records with the prefix, in the order of their keys.
func all[T any](t tx, bucket, prefix string) (list []T, err error) {
	var bad error
	err = t.scan(bucket, prefix, func(_ string, raw []byte) bool {
		var v T
		if bad = json.Unmarshal(raw, &v); bad == nil {
			list = append(list, v)
		}
		return bad == nil
	})
	if bad != nil {
		return list, fmt.Errorf("read record of %s: %w", bucket, bad)
	}
	return list, err
}

// deletePrefix removes every key with the prefix.
func (t tx) deletePrefix(bucket, prefix string) error {
	var keys []string
	err := t.scan(bucket, prefix, func(k string, _ []byte) bool {
		keys = append(keys, k)
		return true
	})
	for _, k := range keys {
		if err == nil {
			err = t.delete(bucket, k)
		}
	}
	return err
}

// Ids have 15 digits and begin with 2 to 9: they fit in a JavaScript number,
// and no client takes them for a time.
const (
	idFloor = 200_000_000_000_000
	idRange = 800_000_000_000_000
)

func randomID() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(idRange))
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return strconv.FormatInt(idFloor+n.Int64(), 10), nil
}

func idKey(id int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

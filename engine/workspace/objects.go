package workspace

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Objects of the tree have ids that follow from their paths, so that a file
// that a job wrote has one too and nothing need be stored for files that
// nobody asks about. Once a client has seen an id, a record says which path
// it means; it goes when the object is deleted.

// objectRecord is what is known of an object besides what its file says.
type objectRecord struct {
	Path    string    `json:"path"`
	Created time.Time `json:"created"` // when a client first saw it
}

// idOf is the id of whatever is at a path.
func (t *Tree) idOf(rel string) int64 {
	sum := sha256.Sum256([]byte(t.namespace + "\x00" + rel))
	return idFloor + int64(binary.BigEndian.Uint64(sum[:8])%idRange)
}

// remember writes down the ids that are about to be shown, and fills in when
// the objects were first seen.
func (t *Tree) remember(objects []Entry) error {
	var unknown []int
	err := t.rec.view(func(tx tx) error {
		for i := range objects {
			var r objectRecord
			ok, err := tx.read(bucketObjects, idKey(objects[i].ID), &r)
			if err != nil {
				return err
			}
			if !ok {
				unknown = append(unknown, i)
				continue
			}
			objects[i].Created = r.Created
		}
		return nil
	})
	if err != nil || len(unknown) == 0 {
		return err
	}
	return t.rec.update(func(tx tx) error {
		for _, i := range unknown {
			o := &objects[i]
			o.Created = o.Modified
			if err := tx.write(bucketObjects, idKey(o.ID), objectRecord{o.path.rel, o.Created}); err != nil {
				return err
			}
		}
		return nil
	})
}

// pathOf finds the path of an object by its id.
func (t *Tree) pathOf(tx tx, o Object) (string, error) {
	id, err := strconv.ParseInt(o.ID, 10, 64)
	if err != nil {
		return "", refuse(InvalidParameter, "%q is not the id of a %s.", o.ID, o.Type.Singular)
	}
	if id == t.idOf("") {
		return "", nil
	}
	var r objectRecord
	ok, err := tx.read(bucketObjects, idKey(id), &r)
	if err == nil && !ok {
		err = refuse(DoesNotExist, "%s with id %s does not exist.", strings.ToUpper(o.Type.Singular[:1])+o.Type.Singular[1:], o.ID)
	}
	return r.Path, err
}

// forget drops the records of objects that are gone: the object itself and
// what was in it.
func (t *Tree) forget(rel string, within []string) error {
	paths := append(within, rel)
	stale := false
	err := t.rec.view(func(tx tx) error {
		found := func(string, []byte) bool {
			stale = true
			return false
		}
		for _, path := range paths {
			ok, err := tx.has(bucketObjects, idKey(t.idOf(path)))
			if err != nil {
				return err
			}
			stale = stale || ok
		}
		return errors.Join(tx.scan(bucketACL, treeKey(rel), found), tx.scan(bucketPlain, rel, found))
	})
	if err != nil || !stale {
		return err
	}
	return t.rec.update(func(tx tx) error {
		for _, path := range paths {
			if err := tx.delete(bucketObjects, idKey(t.idOf(path))); err != nil {
				return err
			}
		}
		if err := tx.delete(bucketACL, treeKey(rel)); err != nil {
			return err
		}
		if err := tx.delete(bucketPlain, rel); err != nil {
			return err
		}
		if err := tx.deletePrefix(bucketPlain, rel+"/"); err != nil {
			return err
		}
		return tx.deletePrefix(bucketACL, treeKey(rel)+"/")
	})
}

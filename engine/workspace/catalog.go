package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Catalog is what this machine has of Unity Catalog: schemas and volumes, as
// clients make them. A volume is a folder of Volumes; a schema is the folder
// where local Spark keeps its tables. Catalogs are made by whoever names one.
type Catalog struct {
	rec     records
	volumes *Volumes
	tables  string // the warehouse of local Spark
	now     func() time.Time
}

const bucketCatalog = "catalog" // kind, "/", folded full name → entity

// EntityKind is what an Entity is.
type EntityKind string

// The kinds of entities.
const (
	SchemaEntity EntityKind = "schema"
	VolumeEntity EntityKind = "volume"
)

// Entity is a schema or a volume: the fields that it was made with, and ours.
type Entity map[string]any

// entityName is what a name may be here: it is a folder's, too.
var entityName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,254}$`)

func noEntity(k EntityKind, full string) error {
	return refuse(DoesNotExist, "%s '%s' does not exist.", strings.ToUpper(string(k)[:1])+string(k)[1:], full)
}

// Create makes a schema or a volume.
func (c *Catalog) Create(who Identity, k EntityKind, fields Entity) (Entity, error) {
	names := []string{textOf(fields, "catalog_name")}
	if k == VolumeEntity {
		names = append(names, textOf(fields, "schema_name"))
	}
	names = append(names, textOf(fields, "name"))
	for _, n := range names {
		if !entityName.MatchString(n) {
			return nil, refuse(InvalidParameter, "%q is no name for a part of a %s; it has letters, digits, _ and -, 255 at most.", n, k)
		}
	}
	e := Entity{}
	for f, v := range fields {
		e[f] = v
	}
	at := c.now().UnixMilli()
	e["full_name"], e["owner"], e["created_by"], e["created_at"], e["updated_at"] = strings.Join(names, "."), who.Name, who.Name, at, at
	id, err := randomID()
	if err != nil {
		return nil, err
	}
	e[string(k)+"_id"] = id
	if err := c.folder(k, names); err != nil {
		return nil, err
	}
	return e, c.rec.update(func(t tx) error {
		key := entityKey(k, textOf(e, "full_name"))
		taken, err := t.has(bucketCatalog, key)
		if err == nil && taken {
			err = refuse(AlreadyExists, "%s '%s' already exists", strings.ToUpper(string(k)[:1])+string(k)[1:], textOf(e, "full_name"))
		}
		if err != nil {
			return err
		}
		return t.write(bucketCatalog, key, e)
	})
}

// folder makes the folder that an entity is.
func (c *Catalog) folder(k EntityKind, names []string) error {
	if k == VolumeEntity {
		return c.volumes.Mkdirs("/Volumes/" + strings.Join(names, "/"))
	}
	if err := os.MkdirAll(filepath.Join(append([]string{c.tables}, names...)...), 0o700); err != nil {
		return fmt.Errorf("make schema %s: %w", strings.Join(names, "."), err)
	}
	return nil
}

// Get reads a schema or a volume.
func (c *Catalog) Get(k EntityKind, full string) (e Entity, err error) {
	err = c.rec.view(func(t tx) error {
		ok, err := t.read(bucketCatalog, entityKey(k, full), &e)
		if err == nil && !ok {
			err = noEntity(k, full)
		}
		return err
	})
	return e, err
}

// Update changes fields of a schema or a volume. Its names stay.
func (c *Catalog) Update(who Identity, k EntityKind, full string, fields Entity) (e Entity, err error) {
	err = c.rec.update(func(t tx) error {
		key := entityKey(k, full)
		ok, err := t.read(bucketCatalog, key, &e)
		switch {
		case err != nil:
			return err
		case !ok:
			return noEntity(k, full)
		case textOf(e, "owner") != who.Name:
			if err := t.requireAdmin(who, "change what "+textOf(e, "owner")+" owns"); err != nil {
				return err
			}
		}
		switch {
		case fields["new_name"] != nil && fields["new_name"] != e["name"]:
			return refuse(InvalidParameter, "A %s cannot be renamed here.", k)
		}
		for f, v := range fields {
			if f != "new_name" {
				e[f] = v
			}
		}
		e["updated_at"], e["updated_by"] = c.now().UnixMilli(), who.Name
		return t.write(bucketCatalog, key, e)
	})
	return e, err
}

// Delete forgets a schema or a volume. What is in its folder stays: files and
// tables are removed by name, not with what they are in.
func (c *Catalog) Delete(who Identity, k EntityKind, full string) error {
	return c.rec.update(func(t tx) error {
		key := entityKey(k, full)
		var e Entity
		there, err := t.read(bucketCatalog, key, &e)
		if err == nil && !there {
			err = noEntity(k, full)
		}
		if err == nil && textOf(e, "owner") != who.Name {
			err = t.requireAdmin(who, "delete what "+textOf(e, "owner")+" owns")
		}
		if err != nil {
			return err
		}
		if err := t.delete(bucketGrants, grantKey(string(k), full)); err != nil {
			return err
		}
		return t.delete(bucketCatalog, key)
	})
}

// List yields the entities of a kind whose full names begin with a catalog,
// and of volumes with a schema.
func (c *Catalog) List(k EntityKind, within ...string) (list []Entity, err error) {
	prefix := entityKey(k, strings.Join(within, ".")+".")
	err = c.rec.view(func(t tx) error {
		list, err = all[Entity](t, bucketCatalog, prefix)
		return err
	})
	return list, err
}

func entityKey(k EntityKind, full string) string { return string(k) + "/" + strings.ToLower(full) }

func textOf(e Entity, field string) string {
	s, _ := e[field].(string)
	return s
}

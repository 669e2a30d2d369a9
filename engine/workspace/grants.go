package workspace

import (
	"slices"
	"strings"
)

// Privileges are what one principal may do with something of the catalog.
type Privileges struct {
	Principal string   `json:"principal"`
	Names     []string `json:"privileges"`
}

// PrivilegeChange adds privileges to those of a principal, and takes others away.
type PrivilegeChange struct {
	Principal string   `json:"principal"`
	Add       []string `json:"add"`
	Remove    []string `json:"remove"`
}

const (
	bucketGrants  = "grants" // kind of securable, "/", folded full name → []Privileges
	allPrivileges = "ALL_PRIVILEGES"
	maxGrants     = 1000
)

// Grants yields what was granted on a securable: a schema, a volume, a table,
// a function (models are functions to this API). Nothing is granted on what
// nobody knows. They are kept for those who ask; no task is refused for want
// of one, for whoever runs tasks here may read this machine's files.
func (c *Catalog) Grants(kind, full string) (list []Privileges, err error) {
	err = c.rec.view(func(t tx) error {
		_, err := t.read(bucketGrants, grantKey(kind, full), &list)
		return err
	})
	return list, err
}

// ChangeGrants changes what was granted on a securable. Of a schema or volume
// that was made through the API, its owner and admins may.
func (c *Catalog) ChangeGrants(who Identity, kind, full string, changes []PrivilegeChange) (list []Privileges, err error) {
	err = c.rec.update(func(t tx) error {
		var e Entity
		made, err := t.read(bucketCatalog, entityKey(EntityKind(strings.ToLower(kind)), full), &e)
		if err == nil && made && textOf(e, "owner") != who.Name {
			err = t.requireAdmin(who, "grant on what "+textOf(e, "owner")+" owns")
		}
		if err != nil {
			return err
		}
		if _, err := t.read(bucketGrants, grantKey(kind, full), &list); err != nil {
			return err
		}
		for i, ch := range changes {
			if ch.Principal == "" {
				return refuse(InvalidParameter, "changes[%d].principal is missing.", i)
			}
			list = changed(list, ch)
		}
		if len(list) > maxGrants {
			return refuse(LimitExceeded, "%s has grants for %d principals; at most %d are allowed.", full, len(list), maxGrants)
		}
		return t.write(bucketGrants, grantKey(kind, full), list)
	})
	return list, err
}

// changed takes away first and then adds: clients that set all privileges of a
// principal remove ALL_PRIVILEGES, which is every one, in the same change
// (seen of the bundle commands).
func changed(list []Privileges, ch PrivilegeChange) []Privileges {
	at := slices.IndexFunc(list, func(g Privileges) bool { return g.Principal == ch.Principal })
	if at < 0 {
		list, at = append(list, Privileges{Principal: ch.Principal}), len(list)
	}
	has := list[at].Names
	if slices.Contains(ch.Remove, allPrivileges) {
		has = nil
	}
	has = slices.DeleteFunc(has, func(p string) bool { return slices.Contains(ch.Remove, p) })
	for _, p := range ch.Add {
		if !slices.Contains(has, p) {
			has = append(has, p)
		}
	}
	if len(has) == 0 {
		return slices.Delete(list, at, at+1)
	}
	slices.Sort(has)
	list[at].Names = has
	return list
}

func grantKey(kind, full string) string {
	return strings.ToLower(kind) + "/" + strings.ToLower(full)
}

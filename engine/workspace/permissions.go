package workspace

import (
	"slices"
	"strconv"
	"strings"
)

// Permissions say who may do what with which object. Admins may do
// everything, an owner everything with what they own, and in the file tree a
// level on a folder holds for all that is in it.
type Permissions struct {
	rec    records
	people *People
	tree   *Tree
}

// Object is a thing that has permissions.
type Object struct {
	Type ObjectType
	ID   string
	// Owner owns the object as long as nobody was set as its owner. Of
	// objects of the tree it is empty: a user owns their home folder.
	Owner string
}

// Grant gives one principal a level.
type Grant struct {
	User, Group, ServicePrincipal string // one of them
	Level                         Level
}

// Permission is a level that a principal has, and where from.
type Permission struct {
	Level         Level
	InheritedFrom string // "" if it was granted on the object itself; else "/directories/ID"
}

// Access is everything that one principal has on an object.
type Access struct {
	User, Group, ServicePrincipal string // one of them
	Permissions                   []Permission
}

// accessList is the record of an object.
type accessList struct {
	Grants []Grant `json:"grants"`
}

// Require refuses whoever has less than a level on an object.
func (p *Permissions) Require(who Identity, o Object, want Level) error {
	return p.rec.view(func(t tx) error { return p.require(t, who, o, want) })
}

func (p *Permissions) require(t tx, who Identity, o Object, want Level) error {
	have, err := p.level(t, who, o)
	if err != nil || o.Type.rank(have) >= o.Type.rank(want) {
		return err
	}
	if words, ok := need[want]; ok && o.Type.Plural == "jobs" {
		return refuse(PermissionDenied, "User %s does not have %s permissions on job %s", who, words, o.ID)
	}
	return refuse(PermissionDenied, "User %s does not have %s permissions on %s %s.", who, want, o.Type.Singular, o.ID)
}

// Level is the strongest level that somebody has on an object, "" if none.
func (p *Permissions) Level(who Identity, o Object) (l Level, err error) {
	err = p.rec.view(func(t tx) (err error) {
		l, err = p.level(t, who, o)
		return err
	})
	return l, err
}

func (p *Permissions) level(t tx, who Identity, o Object) (Level, error) {
	names, err := t.groupNames(who.ID)
	if err != nil {
		return "", err
	}
	if slices.Contains(names, adminsGroup) {
		return o.Type.top(), nil
	}
	list, err := p.access(t, o)
	if err != nil {
		return "", err
	}
	var best Level
	for _, a := range list {
		if !a.of(who, names) {
			continue
		}
		for _, have := range a.Permissions {
			if o.Type.rank(have.Level) > o.Type.rank(best) {
				best = have.Level
			}
		}
	}
	return best, nil
}

// of says whether the principal is somebody, or a group that they are in. A
// home folder names its user alone, whatever kind they are.
func (a Access) of(who Identity, groups []string) bool {
	name := a.User + a.ServicePrincipal
	return (name != "" && strings.EqualFold(name, who.Name)) || slices.Contains(groups, a.Group)
}

// Get lists who may do what with an object. It takes the level that may
// change that.
func (p *Permissions) Get(who Identity, o Object) (list []Access, err error) {
	err = p.rec.view(func(t tx) error {
		if err := p.require(t, who, o, o.Type.manage()); err != nil {
			return err
		}
		list, err = p.access(t, o)
		return err
	})
	return list, err
}

// Set replaces what was granted on an object.
func (p *Permissions) Set(who Identity, o Object, grants []Grant) error {
	return p.change(who, o, func([]Grant) []Grant { return grants })
}

// Add grants more on an object; a principal's new level replaces their old one.
func (p *Permissions) Add(who Identity, o Object, grants []Grant) error {
	return p.change(who, o, func(old []Grant) []Grant {
		for _, g := range grants {
			old = slices.DeleteFunc(old, func(h Grant) bool {
				return h.principal() == g.principal() || (g.Level == IsOwner && h.Level == IsOwner)
			})
			old = append(old, g)
		}
		return old
	})
}

func (p *Permissions) change(who Identity, o Object, fn func([]Grant) []Grant) error {
	return p.rec.update(func(t tx) error {
		if err := p.require(t, who, o, o.Type.manage()); err != nil {
			return err
		}
		key, err := p.key(t, o)
		if err != nil {
			return err
		}
		old, err := granted(t, key, o)
		if err != nil {
			return err
		}
		list := accessList{Grants: fn(slices.Clone(old))}
		if err := o.Type.check(list.Grants); err != nil {
			return err
		}
		return t.write(bucketACL, key, list)
	})
}

// Check refuses grants that an object cannot have. One without an owner is
// taken to keep the one it has.
func (p *Permissions) Check(o Object, grants []Grant) error {
	if !slices.ContainsFunc(grants, func(g Grant) bool { return g.Level == IsOwner }) {
		grants = append(slices.Clone(grants), Grant{User: o.Owner, Level: IsOwner})
	}
	return o.Type.check(grants)
}

// check refuses grants that the kind cannot have.
func (o ObjectType) check(grants []Grant) error {
	owners := 0
	for _, g := range grants {
		if n := g.principals(); n != 1 {
			return refuse(InvalidParameter, "Each element of access_control_list names exactly one of user_name, group_name and service_principal_name, not %d.", n)
		}
		if o.rank(g.Level) == 0 {
			return refuse(InvalidParameter, "%q is not a permission level of a %s; it has %s.", g.Level, o.Singular, o.names())
		}
		if g.Level == IsOwner {
			owners++
		}
		if g.Level == IsOwner && g.Group != "" {
			return refuse(InvalidParameter, "The group %s cannot own a %s; only a user or a service principal can.", g.Group, o.Singular)
		}
	}
	if o.owned && owners != 1 {
		return refuse(InvalidParameter, "The %s must have exactly one owner.", o.Singular)
	}
	return nil
}

// Forget drops what was granted on an object that is gone.
func (p *Permissions) Forget(o Object) error {
	return p.rec.update(func(t tx) error { return t.delete(bucketACL, o.Type.Plural+"/"+o.ID) })
}

func (g Grant) principals() int {
	n := 0
	for _, s := range []string{g.User, g.Group, g.ServicePrincipal} {
		if s != "" {
			n++
		}
	}
	return n
}

// principal tells grants to different principals apart.
func (g Grant) principal() string {
	return strings.ToLower(g.User + "\x00" + g.ServicePrincipal + "\x00" + g.Group)
}

// granted reads what was granted on an object itself, its owner among it.
func granted(t tx, key string, o Object) ([]Grant, error) {
	var list accessList
	ok, err := t.read(bucketACL, key, &list)
	if err == nil && !ok && o.Owner != "" {
		level := IsOwner
		if o.Type.rank(IsOwner) == 0 { // of a kind without owners its maker can manage it
			level = o.Type.manage()
		}
		list.Grants = []Grant{{User: o.Owner, Level: level}}
	}
	return list.Grants, err
}

// key is where an object's record is: by its path if it is in the tree, so
// that the levels of the folders above are found without their ids.
func (p *Permissions) key(t tx, o Object) (string, error) {
	if !o.Type.inTree {
		return o.Type.Plural + "/" + o.ID, nil
	}
	rel, err := p.tree.pathOf(t, o)
	return treeKey(rel), err
}

func treeKey(rel string) string { return "tree/" + rel }

// access lists who has what on an object: what was granted on it, what it
// inherits, and what admins always have.
func (p *Permissions) access(t tx, o Object) ([]Access, error) {
	var b accessBuilder
	if !o.Type.inTree {
		grants, err := granted(t, o.Type.Plural+"/"+o.ID, o)
		if err != nil {
			return nil, err
		}
		b.add(grants, "")
		b.add([]Grant{{Group: adminsGroup, Level: o.Type.manage()}}, "/"+o.Type.Plural+"/")
		return b.list, nil
	}
	rel, err := p.tree.pathOf(t, o)
	if err != nil {
		return nil, err
	}
	return p.accessInTree(t, rel)
}

// requireInTree is Require by path; whether there is anything does not matter.
func (p *Permissions) requireInTree(who Identity, path treePath, want Level) error {
	return p.rec.view(func(t tx) error {
		names, err := t.groupNames(who.ID)
		if err != nil || slices.Contains(names, adminsGroup) {
			return err
		}
		list, err := p.accessInTree(t, path.rel)
		if err != nil {
			return err
		}
		for _, a := range list {
			if a.of(who, names) && slices.ContainsFunc(a.Permissions, func(h Permission) bool { return treeType.rank(h.Level) >= treeType.rank(want) }) {
				return nil
			}
		}
		return refuse(PermissionDenied, "User %s does not have %s permissions on %s.", who, want, path)
	})
}

// accessInTree is access by path. Everybody may look at the folders that hold
// the users' homes; a home is its user's, and Shared is everybody's.
func (p *Permissions) accessInTree(t tx, rel string) ([]Access, error) {
	var b accessBuilder
	for dir, self := rel, true; ; dir, self = parentOf(dir), false {
		from := ""
		if !self {
			from = "/directories/" + strconv.FormatInt(p.tree.idOf(dir), 10)
		}
		grants, err := granted(t, treeKey(dir), Object{})
		if err != nil {
			return nil, err
		}
		b.add(grants, from)
		if user, ok := homeOf(dir); ok {
			b.add([]Grant{{User: user, Level: CanManage}}, from)
		}
		switch {
		case dir == "Shared":
			b.add([]Grant{{Group: usersGroup, Level: CanManage}}, from)
		case self && (dir == "" || dir == "Users" || dir == "Repos"):
			b.add([]Grant{{Group: usersGroup, Level: CanRead}}, from)
		}
		if dir == "" {
			b.add([]Grant{{Group: adminsGroup, Level: CanManage}}, "/directories/"+strconv.FormatInt(p.tree.idOf(""), 10))
			return b.list, nil
		}
	}
}

// homeOf says whose home folder a folder is.
func homeOf(rel string) (user string, ok bool) {
	if dir := parentOf(rel); dir == "Users" || dir == "Repos" {
		return baseOf(rel), true
	}
	return "", false
}

// accessBuilder gathers the permissions of each principal.
type accessBuilder struct{ list []Access }

func (b *accessBuilder) add(grants []Grant, from string) {
	for _, g := range grants {
		i := slices.IndexFunc(b.list, func(a Access) bool {
			return Grant{User: a.User, Group: a.Group, ServicePrincipal: a.ServicePrincipal}.principal() == g.principal()
		})
		if i < 0 {
			i = len(b.list)
			b.list = append(b.list, Access{User: g.User, Group: g.Group, ServicePrincipal: g.ServicePrincipal})
		}
		b.list[i].Permissions = append(b.list[i].Permissions, Permission{g.Level, from})
	}
}

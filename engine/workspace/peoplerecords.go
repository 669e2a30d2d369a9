package workspace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

func nameKey(kind Kind, name string) string { return string(kind) + "/" + strings.ToLower(name) }

// person reads a person of the kind.
func (t tx) person(kind Kind, id string) (Person, error) {
	var q Person
	ok, err := t.read(bucketPeople, id, &q)
	if err == nil && (!ok || q.Kind != kind) {
		err = refuse(DoesNotExist, "%s with id %s not found.", kind, id)
	}
	return q, err
}

func (t tx) personNamed(kind Kind, name string) (Person, bool, error) {
	id, err := t.get(bucketNames, nameKey(kind, name))
	if err != nil || id == nil {
		return Person{}, false, err
	}
	q, err := t.person(kind, string(id))
	return q, err == nil, err
}

// addPerson gives a new person an id and writes the record.
func (t tx) addPerson(q Person) (Person, error) {
	if q.Kind == ServicePrincipal && q.Name == "" {
		q.Name = uuid.NewString()
	}
	var err error
	if q.ID, err = randomID(); err != nil {
		return Person{}, err
	}
	if q.Kind == User && len(q.Emails) == 0 && strings.Contains(q.Name, "@") {
		q.Emails = []Value{{Value: q.Name, Type: "work", Primary: true}}
	}
	return q, t.replacePerson(Person{}, q)
}

// replacePerson writes a person in place of the old one, if there is one, and
// keeps the indexes.
func (t tx) replacePerson(old, q Person) error {
	if err := checkName(q); err != nil {
		return err
	}
	if !strings.EqualFold(old.Name, q.Name) {
		taken, err := t.has(bucketNames, nameKey(q.Kind, q.Name))
		switch {
		case err != nil:
			return err
		case taken:
			return refuse(Conflict, "%s with name %s already exists.", q.Kind, q.Name)
		}
		if old.Name != "" {
			if err := t.delete(bucketNames, nameKey(old.Kind, old.Name)); err != nil {
				return err
			}
		}
		if err := t.put(bucketNames, nameKey(q.Kind, q.Name), []byte(q.ID)); err != nil {
			return err
		}
	}
	for _, m := range q.Members {
		ok, err := t.has(bucketPeople, m)
		switch {
		case err != nil:
			return err
		case m == q.ID:
			return refuse(InvalidParameter, "Group %s cannot be a member of itself.", q.Name)
		case !ok && !slices.Contains(old.Members, m):
			return refuse(InvalidParameter, "Group %s: there is no member with id %s.", q.Name, m)
		}
	}
	return t.savePerson(q)
}

// savePerson writes a record and, for a group, who is in it.
func (t tx) savePerson(q Person) error {
	var was Person
	if _, err := t.read(bucketPeople, q.ID, &was); err != nil {
		return err
	}
	slices.Sort(q.Members)
	q.Members = slices.Compact(q.Members)
	for _, m := range was.Members {
		if _, kept := slices.BinarySearch(q.Members, m); kept {
			continue
		}
		if err := t.delete(bucketMember, m+"/"+q.ID); err != nil {
			return err
		}
	}
	for _, m := range q.Members {
		if err := t.put(bucketMember, m+"/"+q.ID, []byte{1}); err != nil {
			return err
		}
	}
	return t.write(bucketPeople, q.ID, q)
}

// removePerson deletes a record, takes it out of its groups and its members out of it.
func (t tx) removePerson(q Person) error {
	for _, id := range t.groupIDs(q.ID) {
		g, err := t.person(Group, id)
		if err != nil {
			return err
		}
		g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == q.ID })
		if err := t.savePerson(g); err != nil {
			return err
		}
	}
	for _, m := range q.Members {
		if err := t.delete(bucketMember, m+"/"+q.ID); err != nil {
			return err
		}
	}
	if err := t.delete(bucketNames, nameKey(q.Kind, q.Name)); err != nil {
		return err
	}
	return t.delete(bucketPeople, q.ID)
}

// groupIDs lists the groups that a person is directly in.
func (t tx) groupIDs(id string) []string {
	var ids []string
	_ = t.scan(bucketMember, id+"/", func(k string, _ []byte) bool {
		ids = append(ids, k[len(id)+1:])
		return true
	})
	return ids
}

func (t tx) groupsOf(id string) ([]Person, error) {
	var list []Person
	seen := map[string]bool{}
	for next := t.groupIDs(id); len(next) > 0; {
		g := next[0]
		next = next[1:]
		if seen[g] {
			continue
		}
		seen[g] = true
		q, err := t.person(Group, g)
		if err != nil {
			return nil, err
		}
		list = append(list, q)
		next = append(next, t.groupIDs(g)...)
	}
	return list, nil
}

// groupNames are the names of all groups of a person, users among them.
func (t tx) groupNames(id string) ([]string, error) {
	groups, err := t.groupsOf(id)
	names := []string{usersGroup}
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names, err
}

func (t tx) isAdmin(who Identity) (bool, error) {
	names, err := t.groupNames(who.ID)
	return slices.Contains(names, adminsGroup), err
}

func (t tx) requireAdmin(who Identity, doing string) error {
	admin, err := t.isAdmin(who)
	if err == nil && !admin {
		err = refuse(PermissionDenied, "User %s may not %s: only members of the group %s may.", who.Name, doing, adminsGroup)
	}
	return err
}

// checkName refuses a name that could not be a folder's or that hides itself.
func checkName(q Person) error {
	if q.Name == "" {
		field := "userName"
		if q.Kind == Group {
			field = "displayName"
		}
		return refuse(InvalidParameter, "%s: %s is required.", q.Kind, field)
	}
	if rel, err := cleanPath("/" + q.Name); err != nil || rel != q.Name || parentOf(rel) != "" {
		return refuse(InvalidParameter, "%s name %q is not allowed: it must have at most %d bytes, no \"/\" and no control character.",
			q.Kind, q.Name, maxName)
	}
	if strings.TrimSpace(q.Name) != q.Name {
		return refuse(InvalidParameter, "%s name %q begins or ends with a blank.", q.Kind, q.Name)
	}
	return nil
}

// String is how messages call an identity.
func (i Identity) String() string {
	if i.Name == "" {
		return "(nobody)"
	}
	return fmt.Sprint(i.Name)
}

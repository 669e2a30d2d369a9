package workspace

import (
	"slices"
	"strings"
)

// Kind is what a person is.
type Kind string

// The kinds of people, as SCIM names them.
const (
	User             Kind = "User"
	Group            Kind = "Group"
	ServicePrincipal Kind = "ServicePrincipal"
)

// The groups that every workspace has. Members of admins may do everything;
// everybody is in users.
const (
	adminsGroup = "admins"
	usersGroup  = "users"
)

// Person is a user, a group or a service principal.
type Person struct {
	ID   string `json:"id"` // digits
	Kind Kind   `json:"kind"`
	// Name is what tells people of a kind apart, whatever the case of its
	// letters: a user's userName, a group's displayName, a service principal's
	// applicationId.
	Name         string   `json:"name"`
	DisplayName  string   `json:"display_name,omitempty"` // of a user or a service principal
	GivenName    string   `json:"given_name,omitempty"`
	FamilyName   string   `json:"family_name,omitempty"`
	ExternalID   string   `json:"external_id,omitempty"`
	Active       bool     `json:"active"`
	Emails       []Value  `json:"emails,omitempty"`
	Roles        []Value  `json:"roles,omitempty"`
	Entitlements []Value  `json:"entitlements,omitempty"`
	Members      []string `json:"members,omitempty"` // of a group: ids
}

// Value is an element of a SCIM list.
type Value struct {
	Value   string `json:"value,omitempty"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
	Ref     string `json:"$ref,omitempty"`
}

// Identity is who is asking, as a token proved it.
type Identity struct {
	Kind      Kind   // User or ServicePrincipal
	Name      string // userName, or applicationId
	ID        string // of the person
	Namespace string // of the workspace that the token opens
	TokenID   string // "" if no token was needed
}

// People are the users, groups and service principals of a workspace.
type People struct {
	rec       records
	namespace string
	home      func(user string) error // makes a user's folder
}

// Create adds a person. Only admins may.
func (p *People) Create(by Identity, q Person) (Person, error) {
	var made Person
	err := p.rec.update(func(t tx) error {
		err := t.requireAdmin(by, "create "+noun(q.Kind))
		if err == nil {
			made, err = t.addPerson(q)
		}
		return err
	})
	if err != nil {
		return Person{}, err
	}
	if made.Kind == User {
		err = p.home(made.Name)
	}
	return made, err
}

// ensure finds a user or a service principal by name, or makes a user of that
// name. The first of a workspace becomes its admin.
func (p *People) ensure(name string, admin bool) (Person, error) {
	var found Person
	err := p.rec.update(func(t tx) error {
		for _, kind := range []Kind{User, ServicePrincipal} {
			q, ok, err := t.personNamed(kind, name)
			if err != nil {
				return err
			}
			if ok {
				found = q
				break
			}
		}
		if found.ID == "" {
			var err error
			if found, err = t.addPerson(Person{Kind: User, Name: name, Active: true}); err != nil {
				return err
			}
		}
		admins, ok, err := t.personNamed(Group, adminsGroup)
		if err != nil || !ok || slices.Contains(admins.Members, found.ID) || (!admin && len(admins.Members) > 0) {
			return err
		}
		admins.Members = append(admins.Members, found.ID)
		return t.savePerson(admins)
	})
	if err != nil {
		return Person{}, err
	}
	if found.Kind == User {
		err = p.home(found.Name)
	}
	return found, err
}

// Get reads a person.
func (p *People) Get(kind Kind, id string) (Person, error) {
	var q Person
	err := p.rec.view(func(t tx) (err error) {
		q, err = t.person(kind, id)
		return err
	})
	return q, err
}

// Named finds a person by name. False: there is none.
func (p *People) Named(kind Kind, name string) (Person, bool, error) {
	var q Person
	var ok bool
	err := p.rec.view(func(t tx) (err error) {
		q, ok, err = t.personNamed(kind, name)
		return err
	})
	return q, ok, err
}

// List returns the people of a kind, sorted by name.
func (p *People) List(kind Kind) ([]Person, error) {
	var list []Person
	err := p.rec.view(func(t tx) error {
		var ids []string
		err := t.scan(bucketNames, string(kind)+"/", func(_ string, id []byte) bool {
			ids = append(ids, string(id))
			return true
		})
		for _, id := range ids {
			if err != nil {
				return err
			}
			var q Person
			q, err = t.person(kind, id)
			list = append(list, q)
		}
		return err
	})
	return list, err
}

// Update changes a person by fn, in one step. Only admins may.
func (p *People) Update(by Identity, kind Kind, id string, fn func(*Person) error) (Person, error) {
	var q Person
	err := p.rec.update(func(t tx) error {
		if err := t.requireAdmin(by, "change "+noun(kind)); err != nil {
			return err
		}
		old, err := t.person(kind, id)
		if err != nil {
			return err
		}
		q = old
		q.Members = slices.Clone(old.Members)
		if err := fn(&q); err != nil {
			return err
		}
		q.ID, q.Kind = old.ID, old.Kind
		if kind == ServicePrincipal || q.Name == "" {
			q.Name = old.Name
		}
		if isBuiltin(old) && !strings.EqualFold(q.Name, old.Name) {
			return refuse(InvalidParameter, "The group %s cannot be renamed.", old.Name)
		}
		return t.replacePerson(old, q)
	})
	return q, err
}

// Delete removes a person, and their tokens' power with them. Only admins may.
func (p *People) Delete(by Identity, kind Kind, id string) error {
	return p.rec.update(func(t tx) error {
		if err := t.requireAdmin(by, "delete "+noun(kind)); err != nil {
			return err
		}
		q, err := t.person(kind, id)
		if err != nil {
			return err
		}
		switch {
		case isBuiltin(q):
			return refuse(InvalidParameter, "The group %s cannot be deleted.", q.Name)
		case q.ID == by.ID:
			return refuse(InvalidParameter, "User %s cannot delete themselves.", q.Name)
		}
		return t.removePerson(q)
	})
}

// Groups returns the groups that a person is in, directly or through others,
// but for users, which everybody is in.
func (p *People) Groups(id string) ([]Person, error) {
	var list []Person
	err := p.rec.view(func(t tx) (err error) {
		list, err = t.groupsOf(id)
		return err
	})
	return list, err
}

// IsAdmin says whether an identity is in the group admins.
func (p *People) IsAdmin(who Identity) (bool, error) {
	var admin bool
	err := p.rec.view(func(t tx) (err error) {
		admin, err = t.isAdmin(who)
		return err
	})
	return admin, err
}

// RequireAdmin refuses whoever is not in the group admins. doing says what for.
func (p *People) RequireAdmin(who Identity, doing string) error {
	return p.rec.view(func(t tx) error { return t.requireAdmin(who, doing) })
}

func isBuiltin(q Person) bool {
	return q.Kind == Group && (q.Name == adminsGroup || q.Name == usersGroup)
}

func noun(k Kind) string {
	switch k {
	case Group:
		return "groups"
	case ServicePrincipal:
		return "service principals"
	}
	return "users"
}

// Identify finds the identity of a user or a service principal by name, as of
// whom a job runs as. It proves nothing.
func (p *People) Identify(name string) (Identity, error) {
	for _, kind := range []Kind{User, ServicePrincipal} {
		q, ok, err := p.Named(kind, name)
		if err != nil {
			return Identity{}, err
		}
		if ok {
			return Identity{Kind: kind, Name: q.Name, ID: q.ID, Namespace: p.namespace}, nil
		}
	}
	return Identity{}, refuse(DoesNotExist, "User %s does not exist.", name)
}

package workspace

import (
	"slices"
	"strings"
)

// SecretPermission is what a principal may do with a scope: READ secrets,
// WRITE them too, MANAGE the scope and who may use it.
type SecretPermission string

// The permissions of a scope, each with those before it.
const (
	Read   SecretPermission = "READ"
	Write  SecretPermission = "WRITE"
	Manage SecretPermission = "MANAGE"
)

func (p SecretPermission) rank() int {
	return slices.Index([]SecretPermission{Read, Write, Manage}, p) + 1
}

// SecretACL gives a principal, a user or a group, a permission on a scope.
type SecretACL struct {
	Principal  string           `json:"principal"`
	Permission SecretPermission `json:"permission"`
}

func noACL(scope, principal string) error {
	return refuse(DoesNotExist, "No ACL for principal %s on scope %s", principal, scope)
}

// PutACL gives a principal a permission in place of the one they had.
func (s *Secrets) PutACL(who Identity, scope string, a SecretACL) error {
	switch {
	case a.Principal == "":
		return refuse(InvalidParameter, "principal is required.")
	case a.Permission.rank() == 0:
		return refuse(InvalidParameter, "permission %q must be one of READ, WRITE, MANAGE.", a.Permission)
	}
	return s.changeACL(who, scope, func(list []SecretACL) ([]SecretACL, error) {
		if i := indexACL(list, a.Principal); i >= 0 {
			list[i].Permission = a.Permission
			return list, nil
		}
		return append(list, a), nil
	})
}

// DeleteACL takes a principal's permission away.
func (s *Secrets) DeleteACL(who Identity, scope, principal string) error {
	return s.changeACL(who, scope, func(list []SecretACL) ([]SecretACL, error) {
		i := indexACL(list, principal)
		if i < 0 {
			return nil, noACL(scope, principal)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// ACLs lists who may do what with a scope.
func (s *Secrets) ACLs(who Identity, scope string) ([]SecretACL, error) {
	var sc scopeRecord
	err := s.rec.view(func(t tx) (err error) {
		sc, err = t.scope(who, scope, Manage)
		return err
	})
	return sc.ACL, err
}

// ACL reads one principal's permission on a scope.
func (s *Secrets) ACL(who Identity, scope, principal string) (SecretACL, error) {
	list, err := s.ACLs(who, scope)
	if err != nil {
		return SecretACL{}, err
	}
	if i := indexACL(list, principal); i >= 0 {
		return list[i], nil
	}
	return SecretACL{}, noACL(scope, principal)
}

func indexACL(list []SecretACL, principal string) int {
	return slices.IndexFunc(list, func(a SecretACL) bool { return strings.EqualFold(a.Principal, principal) })
}

func (s *Secrets) changeACL(who Identity, scope string, fn func([]SecretACL) ([]SecretACL, error)) error {
	return s.rec.update(func(t tx) error {
		sc, err := t.scope(who, scope, Manage)
		if err != nil {
			return err
		}
		if sc.ACL, err = fn(sc.ACL); err != nil {
			return err
		}
		return t.write(bucketScopes, strings.ToLower(scope), sc)
	})
}

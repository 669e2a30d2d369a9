package workspace

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of secrets. Source: the REST API reference and the documentation of
// secret management. Names of scopes and keys are equal whatever the case of
// their letters.
const (
	maxSecret  = 128 << 10
	maxSecrets = 1000 // in a scope
	maxScopes  = 1000
)

var secretName = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,128}$`)

// Secrets are the secret scopes of a workspace.
type Secrets struct {
	rec       records
	seal      *sealer
	namespace string
	now       func() time.Time
}

// SecretInfo is what a list tells of a secret.
type SecretInfo struct {
	Key     string
	Updated time.Time
}

// secretRecord is a secret at rest.
type secretRecord struct {
	Key     string    `json:"key"`
	Sealed  []byte    `json:"sealed"`
	KeyID   string    `json:"key_id"`
	Updated time.Time `json:"updated"`
}

// scopeRecord is a scope with who may use it.
type scopeRecord struct {
	Name string      `json:"name"`
	ACL  []SecretACL `json:"acl"`
}

func noScope(scope string) error { return refuse(DoesNotExist, "Scope %s does not exist!", scope) }

func noSecret(scope, key string) error {
	return refuse(DoesNotExist, "Secret does not exist with scope: %s and key: %s", scope, key)
}

func secretKey(scope, key string) string {
	return strings.ToLower(scope) + "\x00" + strings.ToLower(key)
}

// sealedName is the name that is sealed in with a value.
func (s *Secrets) sealedName(scope, key string) string {
	return s.namespace + "\x00" + secretKey(scope, key)
}

// CreateScope makes a scope. Its maker may manage it, and with
// initialManage "users" everybody may.
func (s *Secrets) CreateScope(who Identity, scope, initialManage string) error {
	if !secretName.MatchString(scope) {
		return refuse(InvalidParameter, "Scope name %q must have 1 to 128 letters, digits, '-', '_', '@' and '.'.", scope)
	}
	acl := []SecretACL{{Principal: who.Name, Permission: Manage}}
	switch initialManage {
	case "", who.Name:
	case usersGroup:
		acl = []SecretACL{{Principal: usersGroup, Permission: Manage}}
	default:
		return refuse(InvalidParameter, "initial_manage_principal must be %q, not %q.", usersGroup, initialManage)
	}
	return s.rec.update(func(t tx) error {
		there, err := t.has(bucketScopes, strings.ToLower(scope))
		if err != nil {
			return err
		}
		if there {
			return refuse(AlreadyExists, "Scope %s already exists!", scope)
		}
		if err := t.belowLimit(bucketScopes, "", maxScopes, "The workspace has %d secret scopes, and cannot have more."); err != nil {
			return err
		}
		return t.write(bucketScopes, strings.ToLower(scope), scopeRecord{Name: scope, ACL: acl})
	})
}

// belowLimit refuses one record more than limit.
func (t tx) belowLimit(bucket, prefix string, limit int, message string) error {
	n := 0
	err := t.scan(bucket, prefix, func(string, []byte) bool {
		n++
		return n < limit
	})
	if err == nil && n >= limit {
		err = refuse(LimitExceeded, message, limit)
	}
	return err
}

// DeleteScope removes a scope with its secrets.
func (s *Secrets) DeleteScope(who Identity, scope string) error {
	return s.rec.update(func(t tx) error {
		if _, err := t.scope(who, scope, Manage); err != nil {
			return err
		}
		if err := t.deletePrefix(bucketSecrets, secretKey(scope, "")); err != nil {
			return err
		}
		return t.delete(bucketScopes, strings.ToLower(scope))
	})
}

// Scopes lists the names of the scopes that somebody may use, sorted.
func (s *Secrets) Scopes(who Identity) ([]string, error) {
	var names []string
	err := s.rec.view(func(t tx) error {
		var keys []string
		err := t.scan(bucketScopes, "", func(k string, _ []byte) bool {
			keys = append(keys, k)
			return true
		})
		if err != nil {
			return err
		}
		for _, k := range keys {
			sc, err := t.scope(who, k, Read)
			if refused(err, PermissionDenied) {
				continue
			}
			if err != nil {
				return err
			}
			names = append(names, sc.Name)
		}
		return nil
	})
	return names, err
}

// Put stores a secret of at most 128 KiB.
func (s *Secrets) Put(who Identity, scope, key string, value []byte) error {
	switch {
	case !secretName.MatchString(key):
		return refuse(InvalidParameter, "Secret key %q must have 1 to 128 letters, digits, '-', '_', '@' and '.'.", key)
	case len(value) > maxSecret:
		return refuse(InvalidParameter, "The value of secret %s has %d bytes; a secret has at most %d.", key, len(value), maxSecret)
	}
	sealed, id, err := s.seal.seal(value, s.sealedName(scope, key))
	if err != nil {
		return err
	}
	return s.rec.update(func(t tx) error {
		if _, err := t.scope(who, scope, Write); err != nil {
			return err
		}
		there, err := t.has(bucketSecrets, secretKey(scope, key))
		if err != nil {
			return err
		}
		if !there {
			if err := t.belowLimit(bucketSecrets, secretKey(scope, ""), maxSecrets, "Scope "+scope+" has %d secrets, and cannot have more."); err != nil {
				return err
			}
		}
		return t.write(bucketSecrets, secretKey(scope, key), secretRecord{Key: key, Sealed: sealed, KeyID: id, Updated: s.now().UTC()})
	})
}

// Get reads a secret.
func (s *Secrets) Get(who Identity, scope, key string) ([]byte, error) {
	var r secretRecord
	err := s.rec.view(func(t tx) error {
		if _, err := t.scope(who, scope, Read); err != nil {
			return err
		}
		ok, err := t.read(bucketSecrets, secretKey(scope, key), &r)
		if err == nil && !ok {
			err = noSecret(scope, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.seal.unseal(r.Sealed, r.KeyID, s.sealedName(scope, key))
}

// List tells which secrets are in a scope, sorted by key.
func (s *Secrets) List(who Identity, scope string) ([]SecretInfo, error) {
	list := []SecretInfo{}
	err := s.rec.view(func(t tx) error {
		if _, err := t.scope(who, scope, Read); err != nil {
			return err
		}
		var keys []string
		err := t.scan(bucketSecrets, secretKey(scope, ""), func(k string, _ []byte) bool {
			keys = append(keys, k)
			return true
		})
		for _, k := range keys {
			if err != nil {
				return err
			}
			var r secretRecord
			_, err = t.read(bucketSecrets, k, &r)
			list = append(list, SecretInfo{r.Key, r.Updated})
		}
		return err
	})
	return list, err
}

// Delete removes a secret.
func (s *Secrets) Delete(who Identity, scope, key string) error {
	return s.rec.update(func(t tx) error {
		if _, err := t.scope(who, scope, Write); err != nil {
			return err
		}
		there, err := t.has(bucketSecrets, secretKey(scope, key))
		if err == nil && !there {
			err = noSecret(scope, key)
		}
		if err != nil {
			return err
		}
		return t.delete(bucketSecrets, secretKey(scope, key))
	})
}

// scope reads a scope that somebody must have a permission on.
func (t tx) scope(who Identity, scope string, want SecretPermission) (scopeRecord, error) {
	var sc scopeRecord
	ok, err := t.read(bucketScopes, strings.ToLower(scope), &sc)
	if err == nil && !ok {
		err = noScope(scope)
	}
	if err != nil {
		return sc, err
	}
	names, err := t.groupNames(who.ID)
	if err != nil || slices.Contains(names, adminsGroup) {
		return sc, err
	}
	for _, a := range sc.ACL {
		mine := strings.EqualFold(a.Principal, who.Name) || slices.Contains(names, a.Principal)
		if mine && a.Permission.rank() >= want.rank() {
			return sc, nil
		}
	}
	return sc, refuse(PermissionDenied, "User %s does not have %s permission on scope %s", who, want, sc.Name)
}

package workspace

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/store"
)

func TestSecrets(t *testing.T) {
	b := newBed(t)
	s := b.Secrets
	require.NoError(t, s.CreateScope(b.bob, "Prod", ""))
	requireCode(t, AlreadyExists, s.CreateScope(b.admin, "prod", ""))
	for _, name := range []string{"", "a b", "ü", strings.Repeat("x", 129), "a/b", "a\x00b"} {
		requireCode(t, InvalidParameter, s.CreateScope(b.admin, name, ""))
		requireCode(t, InvalidParameter, s.Put(b.admin, "prod", name, nil))
	}
	requireCode(t, InvalidParameter, s.CreateScope(b.admin, "x", "somebody"))

	require.NoError(t, s.Put(b.bob, "prod", "pass.word", []byte("hunter2\x00\xff")))
	got, err := s.Get(b.bob, "PROD", "PASS.word")
	require.NoError(t, err)
	assert.Equal(t, "hunter2\x00\xff", string(got))
	require.NoError(t, s.Put(b.bob, "prod", "Pass.Word", []byte("new")))
	list, err := s.List(b.bob, "prod")
	require.NoError(t, err)
	assert.Equal(t, []SecretInfo{{"Pass.Word", b.clock.now}}, list)

	require.NoError(t, s.Put(b.bob, "prod", "big", bytes.Repeat([]byte("x"), maxSecret)))
	requireCode(t, InvalidParameter, s.Put(b.bob, "prod", "big", bytes.Repeat([]byte("x"), maxSecret+1)))
	_, err = s.Get(b.bob, "prod", "no")
	requireCode(t, DoesNotExist, err)
	assert.EqualError(t, err, "Secret does not exist with scope: prod and key: no")
	_, err = s.Get(b.bob, "no", "no")
	requireCode(t, DoesNotExist, err)
	requireCode(t, DoesNotExist, s.Put(b.bob, "no", "no", nil))
	requireCode(t, DoesNotExist, s.DeleteScope(b.bob, "no"))
	require.NoError(t, s.Delete(b.bob, "prod", "big"))
	requireCode(t, DoesNotExist, s.Delete(b.bob, "prod", "big"))

	require.NoError(t, s.CreateScope(b.bob, "prod2", ""))
	require.NoError(t, s.Put(b.bob, "prod2", "k", []byte("stays")))
	require.NoError(t, s.DeleteScope(b.bob, "prod"))
	require.NoError(t, s.CreateScope(b.bob, "prod", ""))
	list, err = s.List(b.bob, "prod")
	require.NoError(t, err)
	assert.Empty(t, list, "a new scope of an old name is empty")
	got, err = s.Get(b.bob, "prod2", "k")
	require.NoError(t, err)
	assert.Equal(t, "stays", string(got))
}

func TestSecretPermissions(t *testing.T) {
	b := newBed(t)
	s := b.Secrets
	eve := b.login(t, "eve@example.com")
	require.NoError(t, s.CreateScope(b.bob, "mine", ""))
	require.NoError(t, s.Put(b.bob, "mine", "k", []byte("v")))

	can := func(want ...string) {
		t.Helper()
		var got []string
		if _, err := s.Get(eve, "mine", "k"); err == nil {
			got = append(got, "get")
		} else {
			requireCode(t, PermissionDenied, err)
		}
		if scopes, err := s.Scopes(eve); assert.NoError(t, err) && len(scopes) > 0 {
			got = append(got, "see")
		}
		if err := s.Put(eve, "mine", "k", []byte("v")); err == nil {
			got = append(got, "put")
		}
		if _, err := s.ACLs(eve, "mine"); err == nil {
			got = append(got, "manage")
		}
		assert.Equal(t, want, got)
	}
	can()
	requireCode(t, PermissionDenied, s.PutACL(eve, "mine", SecretACL{eve.Name, Manage}))
	require.NoError(t, s.PutACL(b.bob, "mine", SecretACL{eve.Name, Read}))
	can("get", "see")
	require.NoError(t, s.PutACL(b.bob, "mine", SecretACL{eve.Name, Write}))
	can("get", "see", "put")
	require.NoError(t, s.DeleteACL(b.bob, "mine", eve.Name))
	can()
	requireCode(t, DoesNotExist, s.DeleteACL(b.bob, "mine", eve.Name))
	group, err := b.People.Create(b.admin, Person{Kind: Group, Name: "team", Active: true, Members: []string{eve.ID}})
	require.NoError(t, err)
	require.NoError(t, s.PutACL(b.bob, "mine", SecretACL{group.Name, Manage}))
	can("get", "see", "put", "manage")
	acls, err := s.ACLs(b.bob, "mine")
	require.NoError(t, err)
	assert.Equal(t, []SecretACL{{b.bob.Name, Manage}, {"team", Manage}}, acls)
	one, err := s.ACL(b.bob, "mine", "team")
	require.NoError(t, err)
	assert.Equal(t, Manage, one.Permission)
	_, err = s.ACL(b.bob, "mine", "nobody")
	requireCode(t, DoesNotExist, err)
	requireCode(t, InvalidParameter, s.PutACL(b.bob, "mine", SecretACL{"x", "OWN"}))
	requireCode(t, InvalidParameter, s.PutACL(b.bob, "mine", SecretACL{"", Read}))

	require.NoError(t, s.CreateScope(b.bob, "ours", "users"))
	require.NoError(t, s.Put(eve, "ours", "k", []byte("v")))
	_, err = s.Get(b.admin, "mine", "k")
	require.NoError(t, err, "admins may")
}

func TestSecretLimits(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.Secrets.CreateScope(b.admin, "s", ""))
	require.NoError(t, b.Secrets.rec.update(func(t tx) error {
		for i := range maxSecrets - 1 {
			if err := t.write(bucketSecrets, secretKey("s", fmt.Sprintf("k%d", i)), secretRecord{}); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, b.Secrets.Put(b.admin, "s", "last", nil))
	requireCode(t, LimitExceeded, b.Secrets.Put(b.admin, "s", "more", nil))
	require.NoError(t, b.Secrets.Put(b.admin, "s", "last", []byte("again")))
}

func TestSecretsAtRest(t *testing.T) {
	home := t.TempDir()
	key := filepath.Join(home, "secrets.key")
	const value = "a value that must not be found"
	open := func() (*store.Store, *Set, *Workspace) {
		s, err := store.Open(home, store.Options{})
		require.NoError(t, err)
		set, err := Open(s, Options{NoSync: true})
		require.NoError(t, err)
		w, err := set.Workspace("")
		require.NoError(t, err)
		return s, set, w
	}
	s, set, w := open()
	_, tok, err := set.CreateToken(TokenRequest{User: "ann"})
	require.NoError(t, err)
	ann := Identity{Kind: User, Name: tok.User, ID: tok.UserID}
	require.NoError(t, w.Secrets.CreateScope(ann, "s", ""))
	require.NoError(t, w.Secrets.Put(ann, "s", "k", []byte(value)))
	require.NoError(t, w.Secrets.Put(ann, "s", "other", []byte(value)))

	info, err := os.Stat(key)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	db, err := os.ReadFile(filepath.Join(home, "flowctl.db"))
	require.NoError(t, err)
	assert.NotContains(t, string(db), value)

	// One secret's ciphertext is not good under another's name.
	require.NoError(t, w.Secrets.rec.update(func(t tx) error {
		var r secretRecord
		if _, err := t.read(bucketSecrets, secretKey("s", "k"), &r); err != nil {
			return err
		}
		return t.write(bucketSecrets, secretKey("s", "other"), r)
	}))
	_, err = w.Secrets.Get(ann, "s", "other")
	require.ErrorContains(t, err, "decrypt secret")
	require.NoError(t, set.Close())
	require.NoError(t, s.Close())

	reopen := func() error {
		s, set, w := open()
		defer func() { require.NoError(t, s.Close()) }()
		defer func() { require.NoError(t, set.Close()) }()
		got, err := w.Secrets.Get(ann, "s", "k")
		if err == nil {
			assert.Equal(t, value, string(got))
		}
		return err
	}
	require.NoError(t, reopen())
	require.NoError(t, os.Chmod(key, 0o644))
	require.ErrorContains(t, reopen(), "chmod 600")
	require.NoError(t, os.Chmod(key, 0o600))
	good, err := os.ReadFile(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, []byte("short"), 0o600))
	require.ErrorContains(t, reopen(), "32 bytes in hexadecimal")
	require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("ab", keySize)), 0o600))
	require.ErrorContains(t, reopen(), "put the old file back")
	require.NoError(t, os.Remove(key))
	require.ErrorIs(t, reopen(), os.ErrNotExist)
	require.NoError(t, os.WriteFile(key, good, 0o600))
	require.NoError(t, reopen())
}

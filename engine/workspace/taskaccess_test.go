package workspace

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTaskToken(t *testing.T) {
	b := newBed(t)
	value, err := b.set.TaskToken("", "ann@example.com")
	require.NoError(t, err)
	again, err := b.set.TaskToken("", "ann@example.com")
	require.NoError(t, err)
	assert.Equal(t, value, again, "a task of before a restart has it")
	who, err := b.set.Authenticate(value)
	require.NoError(t, err)
	assert.Equal(t, "ann@example.com", who.Name)
	for _, ns := range []string{"", "elsewhere"} {
		none, err := b.set.TaskToken(ns, "nobody@example.com")
		require.NoError(t, err)
		assert.Empty(t, none)
	}
}

func TestReadableSecrets(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.Secrets.CreateScope(b.admin, "db", ""))
	require.NoError(t, b.Secrets.CreateScope(b.admin, "shared", "users"))
	require.NoError(t, b.Secrets.Put(b.admin, "db", "password", []byte("p\x00w")))
	require.NoError(t, b.Secrets.Put(b.admin, "shared", "key", []byte("k")))
	all, err := b.Secrets.Readable(b.admin)
	require.NoError(t, err)
	assert.Equal(t, map[string]map[string]string{"db": {"password": "p\x00w"}, "shared": {"key": "k"}}, all)
	all, err = b.Secrets.Readable(b.bob)
	require.NoError(t, err)
	assert.Equal(t, map[string]map[string]string{"shared": {"key": "k"}}, all)
}

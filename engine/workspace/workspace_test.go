package workspace

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flowctl/engine/store"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// bed is a data directory with one workspace, an admin and a user without
// rights.
type bed struct {
	*Workspace
	set   *Set
	store *store.Store
	clock *clock
	admin Identity
	bob   Identity
}

type clock struct{ now time.Time }

func newBed(t *testing.T) *bed {
	t.Helper()
	return newBedWith(t, Options{})
}

func newBedWith(t *testing.T, opt Options) *bed {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	b := &bed{store: s, clock: &clock{time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)}}
	opt.NoSync, opt.Now = true, func() time.Time { return b.clock.now }
	b.set, err = Open(s, opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.set.Close()) })
	b.Workspace, err = b.set.Workspace("")
	require.NoError(t, err)
	b.admin = b.login(t, "ann@example.com")
	b.bob = b.login(t, "bob@example.com")
	return b
}

// login makes a token for a user and proves who it belongs to.
func (b *bed) login(t *testing.T, user string) Identity {
	t.Helper()
	value, _, err := b.set.CreateToken(TokenRequest{User: user})
	require.NoError(t, err)
	who, err := b.set.Authenticate(value)
	require.NoError(t, err)
	return who
}

// requireCode fails unless err is a refusal with the code.
func requireCode(t *testing.T, code string, err error) {
	t.Helper()
	require.Error(t, err)
	var e *Error
	require.ErrorAs(t, err, &e, "%v", err)
	require.Equal(t, code, e.Code, "%s", e.Message)
}

func text(s string) io.Reader { return strings.NewReader(s) }

func paths(list []Entry) []string {
	out := []string{}
	for _, e := range list {
		out = append(out, string(e.Kind)+" "+e.Path)
	}
	return out
}

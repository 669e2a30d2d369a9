package workspace

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/store"
)

func TestTokens(t *testing.T) {
	b := newBed(t)
	value, tok, err := b.set.CreateToken(TokenRequest{User: "eve@example.com", Comment: "ci", Lifetime: time.Hour})
	require.NoError(t, err)
	assert.Regexp(t, `^dapi[0-9a-f]{32}$`, value)
	who, err := b.set.Authenticate(value)
	require.NoError(t, err)
	assert.Equal(t, Identity{Kind: User, Name: "eve@example.com", ID: tok.UserID, TokenID: tok.ID}, who)

	for _, wrong := range []string{"", "dapi", value[:len(value)-1], value + "0", strings.ToUpper(value), tok.ID} {
		_, err := b.set.Authenticate(wrong)
		requireCode(t, Unauthenticated, err)
		assert.EqualError(t, err, "Invalid access token.")
	}
	list, err := b.set.Tokens("", "eve@example.com")
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, tok, list[0])
	assert.NotContains(t, string(list[0].Hash), value)
	all, err := b.set.Tokens("", "")
	require.NoError(t, err)
	assert.Len(t, all, 3)

	b.clock.now = b.clock.now.Add(time.Hour)
	_, err = b.set.Authenticate(value)
	requireCode(t, Unauthenticated, err)

	value, tok, err = b.set.CreateToken(TokenRequest{User: "eve@example.com"})
	require.NoError(t, err)
	require.NoError(t, b.set.RevokeToken(tok.ID))
	_, err = b.set.Authenticate(value)
	requireCode(t, Unauthenticated, err)
	requireCode(t, DoesNotExist, b.set.RevokeToken(tok.ID))
	_, err = b.set.Token("", tok.ID)
	requireCode(t, DoesNotExist, err)
}

func TestTokenRequests(t *testing.T) {
	b := newBed(t)
	for _, q := range []TokenRequest{
		{}, {User: "a/b"}, {User: ".."}, {User: "a\nb"}, {User: " a"}, {User: strings.Repeat("x", 300)},
		{User: "x", Lifetime: -1}, {User: "x", Comment: strings.Repeat("x", 1025)}, {User: "x", Value: "short"},
		{User: "x", Namespace: "../x"},
	} {
		_, _, err := b.set.CreateToken(q)
		requireCode(t, InvalidParameter, err)
	}
	chosen := TokenRequest{User: "x", Value: "dbapi0-chosen-by-others"}
	value, _, err := b.set.CreateToken(chosen)
	require.NoError(t, err)
	assert.Equal(t, chosen.Value, value)
	_, _, err = b.set.CreateToken(chosen)
	requireCode(t, AlreadyExists, err)
}

func TestTokensOfPeopleWhoAreGone(t *testing.T) {
	b := newBed(t)
	value, tok, err := b.set.CreateToken(TokenRequest{User: "eve@example.com"})
	require.NoError(t, err)
	activate := func(active bool) {
		_, err := b.People.Update(b.admin, User, tok.UserID, func(p *Person) error {
			p.Active = active
			return nil
		})
		require.NoError(t, err)
	}
	activate(false)
	_, err = b.set.Authenticate(value)
	requireCode(t, Unauthenticated, err)
	activate(true)
	_, err = b.set.Authenticate(value)
	require.NoError(t, err)
	require.NoError(t, b.People.Delete(b.admin, User, tok.UserID))
	_, err = b.set.Authenticate(value)
	requireCode(t, Unauthenticated, err)
	// Another person of the same name is another person.
	_, _, err = b.set.CreateToken(TokenRequest{User: "eve@example.com"})
	require.NoError(t, err)
	_, err = b.set.Authenticate(value)
	requireCode(t, Unauthenticated, err)
}

func TestNamespaces(t *testing.T) {
	home := t.TempDir()
	s, err := store.Open(home, store.Options{NoSync: true})
	require.NoError(t, err)
	defer s.Close()
	set, err := Open(s, Options{PerToken: true, NoSync: true})
	require.NoError(t, err)
	defer set.Close()
	enter := func(q TokenRequest) (Identity, *Workspace) {
		value, _, err := set.CreateToken(q)
		require.NoError(t, err)
		who, err := set.Authenticate(value)
		require.NoError(t, err)
		w, err := set.Workspace(who.Namespace)
		require.NoError(t, err)
		return who, w
	}
	ann, one := enter(TokenRequest{User: "tester"})
	ben, two := enter(TokenRequest{User: "tester"})
	assert.Equal(t, one.ID, two.ID, "clients learn it before they send a token")
	assert.NotEqual(t, one.Dir, two.Dir)
	require.NoError(t, one.Tree.Upload(ann, "/Users/tester/f", false, text("one")))
	_, err = two.Tree.Status(ben, "/Users/tester/f")
	requireCode(t, DoesNotExist, err)
	require.NoError(t, one.Secrets.CreateScope(ann, "s", ""))
	require.NoError(t, two.Secrets.CreateScope(ben, "s", ""))
	scopes, err := two.Secrets.Scopes(ben)
	require.NoError(t, err)
	assert.Equal(t, []string{"s"}, scopes)
	admin, err := two.People.IsAdmin(ben)
	require.NoError(t, err)
	assert.True(t, admin)

	// A token made from within a namespace opens the same.
	again, same := enter(TokenRequest{User: "tester", Namespace: ann.Namespace})
	assert.Same(t, one, same)
	assert.Equal(t, ann.ID, again.ID)
	list, err := set.Tokens(ann.Namespace, "tester")
	require.NoError(t, err)
	assert.Len(t, list, 2)
	list, err = set.Tokens(ben.Namespace, "tester")
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

func TestPeople(t *testing.T) {
	b := newBed(t)
	p := b.People
	admin, err := p.IsAdmin(b.admin)
	require.NoError(t, err)
	assert.True(t, admin, "the first user")
	admin, err = p.IsAdmin(b.bob)
	require.NoError(t, err)
	assert.False(t, admin)

	_, err = p.Create(b.bob, Person{Kind: User, Name: "x"})
	requireCode(t, PermissionDenied, err)
	requireCode(t, PermissionDenied, p.Delete(b.bob, User, b.admin.ID))
	eve, err := p.Create(b.admin, Person{Kind: User, Name: "Eve@example.com", Active: true})
	require.NoError(t, err)
	assert.Equal(t, []Value{{Value: "Eve@example.com", Type: "work", Primary: true}}, eve.Emails)
	_, err = p.Create(b.admin, Person{Kind: User, Name: "eve@EXAMPLE.com"})
	requireCode(t, Conflict, err)
	_, err = p.Create(b.admin, Person{Kind: User})
	requireCode(t, InvalidParameter, err)
	_, err = b.Tree.Status(b.admin, "/Users/Eve@example.com")
	require.NoError(t, err)
	found, ok, err := p.Named(User, "EVE@example.com")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, eve, found)
	_, err = p.Get(Group, eve.ID)
	requireCode(t, DoesNotExist, err)
	users, err := p.List(User)
	require.NoError(t, err)
	assert.Len(t, users, 3)

	inner, err := p.Create(b.admin, Person{Kind: Group, Name: "inner", Members: []string{eve.ID, b.bob.ID, eve.ID}})
	require.NoError(t, err)
	outer, err := p.Create(b.admin, Person{Kind: Group, Name: "outer", Members: []string{inner.ID}})
	require.NoError(t, err)
	_, err = p.Create(b.admin, Person{Kind: Group, Name: "bad", Members: []string{"12"}})
	requireCode(t, InvalidParameter, err)
	_, err = p.Update(b.admin, Group, inner.ID, func(g *Person) error {
		g.Members = append(g.Members, outer.ID)
		return nil
	})
	require.NoError(t, err, "a circle of groups does no harm")
	_, err = p.Update(b.admin, Group, inner.ID, func(g *Person) error {
		g.Members = append(g.Members, inner.ID)
		return nil
	})
	requireCode(t, InvalidParameter, err)
	names := func(id string) []string {
		groups, err := p.Groups(id)
		require.NoError(t, err)
		var names []string
		for _, g := range groups {
			names = append(names, g.Name)
		}
		return names
	}
	assert.ElementsMatch(t, []string{"inner", "outer"}, names(eve.ID))

	admins, ok, err := p.Named(Group, "admins")
	require.NoError(t, err)
	require.True(t, ok)
	_, err = p.Update(b.admin, Group, admins.ID, func(g *Person) error {
		g.Members = append(g.Members, outer.ID)
		return nil
	})
	require.NoError(t, err)
	admin, err = p.IsAdmin(b.bob)
	require.NoError(t, err)
	assert.True(t, admin, "through two groups")
	require.NoError(t, p.Delete(b.admin, Group, outer.ID))
	assert.Equal(t, []string{"inner"}, names(eve.ID))
	require.NoError(t, p.Delete(b.admin, User, eve.ID))
	g, err := p.Get(Group, inner.ID)
	require.NoError(t, err)
	assert.NotContains(t, g.Members, eve.ID)

	requireCode(t, InvalidParameter, p.Delete(b.admin, Group, admins.ID))
	requireCode(t, InvalidParameter, p.Delete(b.admin, User, b.admin.ID))
	_, err = p.Update(b.admin, Group, admins.ID, func(g *Person) error {
		g.Name = "others"
		return nil
	})
	requireCode(t, InvalidParameter, err)
	renamed, err := p.Update(b.admin, Group, inner.ID, func(g *Person) error {
		g.Name, g.ID = "renamed", "7"
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, inner.ID, renamed.ID)
	_, ok, err = p.Named(Group, "inner")
	require.NoError(t, err)
	assert.False(t, ok)

	sp, err := p.Create(b.admin, Person{Kind: ServicePrincipal, DisplayName: "robot", Active: true})
	require.NoError(t, err)
	assert.Len(t, sp.Name, 36)
	robot := b.login(t, sp.Name)
	assert.Equal(t, ServicePrincipal, robot.Kind)
	assert.Equal(t, sp.ID, robot.ID)
	who, err := p.Identify(sp.Name)
	require.NoError(t, err)
	assert.Equal(t, sp.ID, who.ID)
	_, err = p.Identify("nobody")
	requireCode(t, DoesNotExist, err)
}

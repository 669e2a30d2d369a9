package workspace

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func jobObject(t *testing.T, id, owner string) Object {
	t.Helper()
	typ, err := TypeOf("jobs")
	require.NoError(t, err)
	return Object{Type: typ, ID: id, Owner: owner}
}

func TestJobPermissions(t *testing.T) {
	b := newBed(t)
	p := b.Permissions
	eve := b.login(t, "eve@example.com")
	job := jobObject(t, "123", b.bob.Name)

	require.NoError(t, p.Require(b.admin, job, IsOwner))
	require.NoError(t, p.Require(b.bob, job, CanManage))
	err := p.Require(eve, job, CanView)
	requireCode(t, PermissionDenied, err)
	assert.EqualError(t, err, "User eve@example.com does not have View or Admin or Manage Run or Owner permissions on job 123")
	_, err = p.Get(eve, job)
	requireCode(t, PermissionDenied, err)

	list, err := p.Get(b.bob, job)
	require.NoError(t, err)
	assert.Equal(t, []Access{
		{User: b.bob.Name, Permissions: []Permission{{Level: IsOwner}}},
		{Group: "admins", Permissions: []Permission{{CanManage, "/jobs/"}}},
	}, list)

	owner := Grant{User: b.bob.Name, Level: IsOwner}
	for _, bad := range [][]Grant{
		{}, {owner, {User: eve.Name, Level: IsOwner}}, {owner, {User: eve.Name, Level: "CAN_FLY"}}, {owner, {User: eve.Name, Level: CanEdit}},
		{owner, {Level: CanView}}, {owner, {User: "a", Group: "b", Level: CanView}}, {{Group: "users", Level: IsOwner}},
	} {
		requireCode(t, InvalidParameter, p.Set(b.bob, job, bad))
	}
	require.NoError(t, p.Set(b.bob, job, []Grant{owner, {User: eve.Name, Level: CanManageRun}}))
	require.NoError(t, p.Require(eve, job, CanView))
	require.NoError(t, p.Require(eve, job, CanManageRun))
	requireCode(t, PermissionDenied, p.Require(eve, job, CanManage))
	requireCode(t, PermissionDenied, p.Set(eve, job, []Grant{{User: eve.Name, Level: IsOwner}}))

	require.NoError(t, p.Add(b.bob, job, []Grant{{Group: "users", Level: CanView}}))
	require.NoError(t, p.Require(b.login(t, "new@example.com"), job, CanView))
	require.NoError(t, p.Add(b.bob, job, []Grant{{User: eve.Name, Level: IsOwner}}), "ownership moves")
	requireCode(t, PermissionDenied, p.Require(b.bob, job, CanManage))
	require.NoError(t, p.Require(b.bob, job, CanView))
	l, err := p.Level(eve, job)
	require.NoError(t, err)
	assert.Equal(t, IsOwner, l)

	require.NoError(t, p.Forget(job))
	requireCode(t, PermissionDenied, p.Require(eve, job, CanView))
	_, err = TypeOf("spaceships")
	requireCode(t, InvalidParameter, err)
}

func TestTreePermissions(t *testing.T) {
	b := newBed(t)
	tr := b.Tree
	eve := b.login(t, "eve@example.com")
	require.NoError(t, tr.Mkdirs(b.bob, "/Users/bob@example.com/x/y"))
	require.NoError(t, tr.Upload(b.bob, "/Workspace/Users/bob@example.com/x/y/f", false, text("1")))

	_, err := tr.Status(eve, "/Users/bob@example.com/x/y/f")
	requireCode(t, PermissionDenied, err)
	requireCode(t, PermissionDenied, tr.Upload(eve, "/Users/bob@example.com/x/y/f", true, text("2")))
	requireCode(t, PermissionDenied, tr.Delete(eve, "/Users/bob@example.com/x", true))
	requireCode(t, PermissionDenied, tr.Mkdirs(eve, "/Users/bob@example.com/z"))
	requireCode(t, PermissionDenied, tr.Mkdirs(eve, "/Users/somebody"))
	requireCode(t, PermissionDenied, tr.Mkdirs(eve, "/elsewhere"))
	require.NoError(t, tr.Mkdirs(eve, "/Shared/eve"))
	homes, err := tr.List(eve, "/Users")
	require.NoError(t, err)
	assert.Equal(t, []string{"DIRECTORY /Users/eve@example.com"}, paths(homes))
	homes, err = tr.List(b.admin, "/Users")
	require.NoError(t, err)
	assert.Len(t, homes, 3)

	dir, err := tr.Status(b.bob, "/Users/bob@example.com/x")
	require.NoError(t, err)
	typ, err := TypeOf("directories")
	require.NoError(t, err)
	x := Object{Type: typ, ID: strconv.FormatInt(dir.ID, 10)}
	require.NoError(t, b.Permissions.Set(b.bob, x, []Grant{{User: eve.Name, Level: CanRead}}))
	_, err = tr.Status(eve, "/Users/bob@example.com/x/y/f")
	require.NoError(t, err, "from the folder above")
	requireCode(t, PermissionDenied, tr.Upload(eve, "/Users/bob@example.com/x/y/f", true, text("2")))
	require.NoError(t, b.Permissions.Add(b.bob, x, []Grant{{User: eve.Name, Level: CanEdit}}))
	require.NoError(t, tr.Upload(eve, "/Users/bob@example.com/x/y/f", true, text("2")))

	f, err := tr.Status(b.bob, "/Users/bob@example.com/x/y/f")
	require.NoError(t, err)
	home, err := tr.Status(b.bob, "/Users/bob@example.com")
	require.NoError(t, err)
	files, err := TypeOf("files")
	require.NoError(t, err)
	list, err := b.Permissions.Get(b.bob, Object{Type: files, ID: strconv.FormatInt(f.ID, 10)})
	require.NoError(t, err)
	assert.Equal(t, []Access{
		{User: eve.Name, Permissions: []Permission{{CanEdit, "/directories/" + x.ID}}},
		{User: b.bob.Name, Permissions: []Permission{{CanManage, "/directories/" + strconv.FormatInt(home.ID, 10)}}},
		{Group: "admins", Permissions: []Permission{{CanManage, "/directories/" + strconv.FormatInt(tr.idOf(""), 10)}}},
	}, list)

	// What was granted goes with the object.
	require.NoError(t, tr.Delete(b.bob, "/Users/bob@example.com/x", true))
	_, err = b.Permissions.Get(b.admin, Object{Type: files, ID: strconv.FormatInt(f.ID, 10)})
	requireCode(t, DoesNotExist, err)
	require.NoError(t, tr.Mkdirs(b.bob, "/Users/bob@example.com/x"))
	_, err = tr.Status(eve, "/Users/bob@example.com/x")
	requireCode(t, PermissionDenied, err)
	_, err = b.Permissions.Get(b.admin, Object{Type: files, ID: "x"})
	requireCode(t, InvalidParameter, err)
}

//lint:file-ignore SA1019 The older names are those that most programs call.

package api

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/workspace"
)

func TestSDKPeople(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w := b.client(t, b.admin)
	user, err := w.Users.Create(ctx, iam.User{DisplayName: "Eve", UserName: "eve@example.com"})
	require.NoError(t, err)
	require.NoError(t, w.Users.Patch(ctx, iam.PartialUpdate{
		Id: user.Id, Schemas: []iam.PatchSchema{iam.PatchSchemaUrnIetfParamsScimApiMessages20PatchOp},
		Operations: []iam.Patch{{Op: iam.PatchOpReplace, Path: "active", Value: "false"}},
	}))
	got, err := w.Users.GetById(ctx, user.Id)
	require.NoError(t, err)
	assert.False(t, got.Active)
	assert.Equal(t, "Eve", got.DisplayName)
	require.NoError(t, w.Users.Update(ctx, iam.User{Id: user.Id, UserName: user.UserName, Active: true}))
	byName, err := w.Users.GetByUserName(ctx, user.UserName)
	require.NoError(t, err)
	assert.Equal(t, user.Id, byName.Id)
	all, err := w.Users.ListAll(ctx, iam.ListUsersRequest{Attributes: "id,userName", SortBy: "userName", SortOrder: iam.ListSortOrderDescending})
	require.NoError(t, err)
	assert.Len(t, all, 3)
	assert.Equal(t, "eve@example.com", all[0].UserName)

	group, err := w.Groups.Create(ctx, iam.Group{DisplayName: "go-sdk-x", Members: []iam.ComplexValue{{Value: user.Id}}})
	require.NoError(t, err)
	ids, err := w.Groups.GroupDisplayNameToIdMap(ctx, iam.ListGroupsRequest{SortOrder: iam.ListSortOrderDescending, ExcludedAttributes: "roles", Filter: "displayName sw 'go-sdk-'"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"go-sdk-x": group.Id}, ids)
	require.NoError(t, w.Users.DeleteById(ctx, user.Id))
	_, err = w.Users.GetById(ctx, user.Id)
	assert.True(t, apierr.IsMissing(err))
	group, err = w.Groups.GetById(ctx, group.Id)
	require.NoError(t, err)
	assert.Empty(t, group.Members)
	_, err = w.Groups.Create(ctx, iam.Group{DisplayName: "GO-SDK-x"})
	require.ErrorIs(t, err, databricks.ErrAlreadyExists)

	sp, err := w.ServicePrincipals.Create(ctx, iam.ServicePrincipal{DisplayName: "robot"})
	require.NoError(t, err)
	require.NoError(t, w.ServicePrincipals.Update(ctx, iam.ServicePrincipal{Id: sp.Id, DisplayName: "robot 2", Roles: []iam.ComplexValue{{Value: "xyz"}}}))
	found, err := w.ServicePrincipals.GetByDisplayName(ctx, "robot 2")
	require.NoError(t, err)
	assert.Equal(t, sp.ApplicationId, found.ApplicationId)
	robot := b.client(t, b.token(t, sp.ApplicationId))
	me, err := robot.CurrentUser.Me(ctx, iam.MeRequest{})
	require.NoError(t, err)
	assert.Equal(t, sp.ApplicationId, me.UserName)
}

func TestSDKCompute(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w := b.client(t, b.admin)
	versions, err := w.Clusters.SparkVersions(ctx)
	require.NoError(t, err)
	v, err := versions.Select(compute.SparkVersionRequest{Latest: true, LongTermSupport: true})
	require.NoError(t, err)
	assert.Equal(t, "17.3.x-scala2.13", v)
	node, err := w.Clusters.SelectNodeType(ctx, compute.NodeTypeRequest{LocalDisk: true})
	require.NoError(t, err)
	assert.Equal(t, nodeType, node)
	clusters, err := w.Clusters.ListAll(ctx, compute.ListClustersRequest{})
	require.NoError(t, err)
	require.Len(t, clusters, 1)
	require.NoError(t, w.Clusters.EnsureClusterIsRunning(ctx, clusters[0].ClusterId))
	_, err = w.Clusters.GetByClusterId(ctx, "123456789")
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)
	warehouses, err := w.Warehouses.ListAll(ctx, sql.ListWarehousesRequest{})
	require.NoError(t, err)
	require.Len(t, warehouses, 1)
	got, err := w.Warehouses.GetById(ctx, warehouses[0].Id)
	require.NoError(t, err)
	assert.Equal(t, sql.StateRunning, got.State)
	_, err = w.Warehouses.GetById(ctx, "no")
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)
	pools, err := w.InstancePools.ListAll(ctx)
	require.NoError(t, err)
	assert.Len(t, pools, 1)
	_, err = w.InstancePools.GetByInstancePoolId(ctx, pools[0].InstancePoolId)
	require.NoError(t, err)
	policies, err := w.ClusterPolicies.ListAll(ctx, compute.ListClusterPoliciesRequest{})
	require.NoError(t, err)
	assert.Empty(t, policies)
}

func TestFilters(t *testing.T) {
	const doc = `{"id":"7","userName":"Ann@example.com","active":true,"name":{"familyName":"Lee"},"emails":[{"value":"a@x","type":"work"},{"value":"b@y"}],"groups":[]}`
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(doc), &o))
	for text, want := range map[string]bool{
		``:                              true,
		`userName eq "ann@EXAMPLE.com"`: true,
		`username EQ 'ann@example.com'`: true,
		`userName eq ann@example.com`:   true,
		`userName ne "x"`:               true,
		`userName ne "ann@example.com"`: false,
		`userName co "@"`:               true,
		`userName sw "bob"`:             false,
		`userName ew ".com"`:            true,
		`active eq true`:                true,
		`active eq "false"`:             false,
		`name.familyName eq "lee"`:      true,
		`emails co "@y"`:                true,
		`emails.type eq "work"`:         true,
		`emails[x`:                      false,
		`groups pr`:                     false,
		`nothing pr`:                    false,
		`id eq 7 and active eq true`:    true,
		`id eq 8 and active eq true`:    false,
		`id eq 8 or active eq true`:     true,
		`id eq 8 or id eq 9 or id eq 7`: true,
		`displayName eq "a \"b\""`:      false,
	} {
		f, err := parseFilter(text)
		if text == `emails[x` {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, text)
		assert.Equal(t, want, f.matches(o), text)
	}
	for _, text := range []string{"x", "id eq", "id is 7", "id eq 7 and", "id eq 7 xor id eq 8", "id eq 7 and id eq 8 or id eq 9", `id eq "7`, "(id eq 7)"} {
		_, err := parseFilter(text)
		require.Error(t, err, text)
	}
}

func TestPatch(t *testing.T) {
	for _, tt := range []struct{ op, want string }{
		{`{"op":"add","path":"members","value":[{"value":"2"},{"value":"1"}]}`, `{"members":[{"value":"1"},{"value":"2"}],"name":{"givenName":"A"}}`},
		{`{"op":"Add","value":{"members":{"value":"3"}}}`, `{"members":[{"value":"1"},{"value":"3"}],"name":{"givenName":"A"}}`},
		{`{"op":"replace","path":"members","value":[{"value":"9"}]}`, `{"members":[{"value":"9"}],"name":{"givenName":"A"}}`},
		{`{"op":"add","path":"members","value":[{"value":{}},{"value":{}},{"value":[]}]}`, `{"members":[{"value":"1"},{"value":{}},{"value":[]}],"name":{"givenName":"A"}}`},
		{`{"op":"remove","path":"members"}`, `{"name":{"givenName":"A"}}`},
		{`{"op":"remove","path":"members","value":[{"value":"1"}]}`, `{"members":[],"name":{"givenName":"A"}}`},
		{`{"op":"remove","path":"members[value eq \"1\"]"}`, `{"members":[],"name":{"givenName":"A"}}`},
		{`{"op":"replace","path":"members[value eq \"1\"].display","value":"x"}`, `{"members":[{"value":"1","display":"x"}],"name":{"givenName":"A"}}`},
		{`{"op":"replace","path":"name.givenName","value":"B"}`, `{"members":[{"value":"1"}],"name":{"givenName":"B"}}`},
		{`{"op":"remove","path":"name.givenName"}`, `{"members":[{"value":"1"}],"name":{}}`},
		{`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"x"}`, `{"members":[{"value":"1"}],"name":{"givenName":"A"},"title":"x"}`},
		{`{"op":"replace","path":"active","value":"False"}`, `{"members":[{"value":"1"}],"name":{"givenName":"A"},"active":false}`},
	} {
		doc := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(`{"members":[{"value":"1"}],"name":{"givenName":"A"}}`), &doc))
		var op patchOp
		require.NoError(t, json.Unmarshal([]byte(tt.op), &op))
		require.NoError(t, op.apply(doc), tt.op)
		got, err := json.Marshal(doc)
		require.NoError(t, err)
		assert.JSONEq(t, tt.want, string(got), tt.op)
	}
	for _, bad := range []string{
		`{"op":"move","path":"x"}`, `{"op":"add"}`, `{"op":"remove","value":{}}`, `{"op":"add","value":[1]}`,
		`{"op":"add","path":"members[value eq 1","value":1}`, `{"op":"add","path":"members[??]","value":1}`, `{"op":"add","path":"members[value eq 1]","value":1}`,
	} {
		var op patchOp
		require.NoError(t, json.Unmarshal([]byte(bad), &op))
		require.Error(t, op.apply(map[string]any{"members": []any{}}), bad)
	}
}

// No filter and no operation makes the server fail.
func FuzzFilterAndPatch(f *testing.F) {
	f.Add(`userName eq "x" and id pr`, `{"op":"add","path":"members[value eq \"1\"].display","value":{"a":[1]}}`)
	f.Add(`a[b`, `{"op":"remove","path":"urn:x:y:members"}`)
	f.Add(`x co "\\" or y ne z`, `{"op":"replace","value":{"members":{"value":{}},"active":"true"}}`)
	f.Fuzz(func(t *testing.T, filter, operation string) {
		doc := map[string]any{"members": []any{map[string]any{"value": map[string]any{}}}, "name": map[string]any{}, "active": true}
		if p, err := parseFilter(filter); err == nil {
			p.matches(doc)
		}
		var op patchOp
		if json.Unmarshal([]byte(operation), &op) != nil || op.apply(doc) != nil {
			return
		}
		raw, err := json.Marshal(doc)
		require.NoError(t, err)
		var w wirePerson
		if unmarshal(raw, &w) == nil {
			w.into(&workspace.Person{Kind: workspace.Group})
		}
	})
}

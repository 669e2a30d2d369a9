package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/files"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const home = "/Users/" + annName

func TestSDKWorkspace(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w := b.client(t, b.admin)
	require.NoError(t, w.Workspace.MkdirsByPath(ctx, home+"/dir/sub"))
	require.NoError(t, w.Workspace.Upload(ctx, home+"/dir/nb.py", strings.NewReader("print(1)")))
	require.NoError(t, w.Workspace.Upload(ctx, home+"/dir/sub/file.txt", strings.NewReader("text"), workspace.UploadFormat(workspace.ImportFormatAuto)))
	require.NoError(t, w.Workspace.Import(ctx, workspace.Import{
		Path: home + "/dir/sql", Language: workspace.LanguageSql, Content: base64.StdEncoding.EncodeToString([]byte("select 1")),
	}))

	info, err := w.Workspace.GetStatusByPath(ctx, home+"/dir/nb.py")
	require.NoError(t, err)
	assert.Equal(t, workspace.ObjectTypeNotebook, info.ObjectType)
	assert.Equal(t, workspace.LanguagePython, info.Language)
	assert.NotZero(t, info.ObjectId)
	assert.NotZero(t, info.ModifiedAt)
	got, err := w.Workspace.ReadFile(ctx, home+"/dir/nb.py")
	require.NoError(t, err)
	assert.Equal(t, "# Databricks notebook source\nprint(1)", string(got))
	exported, err := w.Workspace.Export(ctx, workspace.ExportRequest{Path: home + "/dir/sql", Format: workspace.ExportFormatSource})
	require.NoError(t, err)
	assert.Equal(t, "-- Databricks notebook source\nselect 1", decode64(t, exported.Content))

	list, err := w.Workspace.RecursiveList(ctx, home)
	require.NoError(t, err)
	var found []string
	for _, o := range list {
		found = append(found, o.ObjectType.String()+" "+o.Path)
	}
	assert.ElementsMatch(t, []string{"NOTEBOOK " + home + "/dir/nb.py", "NOTEBOOK " + home + "/dir/sql", "FILE " + home + "/dir/sub/file.txt"}, found)

	err = w.Workspace.Upload(ctx, home+"/dir/nb.py", strings.NewReader("print(2)"))
	require.ErrorIs(t, err, databricks.ErrResourceAlreadyExists)
	require.NoError(t, w.Workspace.Upload(ctx, home+"/dir/nb.py", strings.NewReader("print(2)"), workspace.UploadOverwrite()))
	_, err = w.Workspace.GetStatusByPath(ctx, home+"/no")
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)
	err = w.Workspace.Delete(ctx, workspace.Delete{Path: home + "/dir"})
	require.ErrorContains(t, err, "is not empty")
	require.NoError(t, w.Workspace.Delete(ctx, workspace.Delete{Path: home + "/dir", Recursive: true}))

	bob := b.client(t, b.bob)
	_, err = bob.Workspace.GetStatusByPath(ctx, home)
	require.ErrorIs(t, err, databricks.ErrPermissionDenied)
}

func decode64(t *testing.T, s string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return string(raw)
}

// The calls of the Databricks CLI's bundle commands, as they come over the wire.
func TestImportFileProtocol(t *testing.T) {
	b := newBed(t)
	const base = "/api/2.0/workspace-files/import-file/"
	escaped := strings.ReplaceAll(strings.TrimPrefix("/Workspace"+home+"/.bundle/x/state/deploy.lock", "/"), "/", "%2F")
	put := func(path, content string) int {
		resp, _ := b.do(t, b.admin, "POST", base+path, strings.NewReader(content))
		return resp.StatusCode
	}
	assert.Equal(t, http.StatusNotFound, put(escaped+"?overwrite=false", "{}"), "the folder is missing")
	resp, _ := b.do(t, b.admin, "POST", "/api/2.0/workspace/mkdirs", strings.NewReader(`{"path":"/Workspace`+home+`/.bundle/x/state"}`))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, http.StatusOK, put(escaped+"?overwrite=false", "{}"))
	assert.Equal(t, http.StatusConflict, put(escaped+"?overwrite=false", "{}"))
	assert.Equal(t, http.StatusOK, put(escaped+"?overwrite=true", "new"))
	for _, path := range []string{"Workspace" + home + "/a%20b%25.txt", "%2FWorkspace" + home + "/a%20b%25.txt", "/Workspace" + home + "/a%20b%25.txt"} {
		assert.Equal(t, http.StatusOK, put(path+"?overwrite=true", "x"), path)
	}
	resp, body := b.do(t, b.admin, "GET", "/api/2.0/workspace-files/Workspace"+home+"/a%20b%25.txt?", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, "x", body)

	nb := "Workspace" + strings.ReplaceAll(home, "/", "%2F") + "%2Fnb.py"
	assert.Equal(t, http.StatusOK, put(nb+"?overwrite=false", "# Databricks notebook source\n"))
	resp, body = b.do(t, b.admin, "POST", base+nb+"?overwrite=false", strings.NewReader("# Databricks notebook source\n"))
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	assert.Contains(t, body, "already exists.")
	resp, body = b.do(t, b.admin, "GET", "/api/2.0/workspace/get-status?path=%2FWorkspace"+home+"%2Fnb&return_export_info=true", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, body, `"repos_export_format":"SOURCE"`)

	for _, path := range []string{"..%2F..%2Fx", "Users/../../x", "Shared/./x", "Users%2F..", "Shared%2Fa%00b"} {
		for _, method := range []string{"POST " + base, "GET /api/2.0/workspace-files/", "PUT /api/2.0/fs/files/Volumes/a/b/c/", "GET /api/2.0/fs/directories/Volumes/"} {
			verb, prefix, _ := strings.Cut(method, " ")
			resp, body := b.do(t, b.admin, verb, prefix+path, strings.NewReader("x"))
			assert.Equal(t, http.StatusBadRequest, resp.StatusCode, "%s%s %s", method, path, body)
		}
	}
}

func TestSDKDbfs(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w := b.client(t, b.admin)
	in := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	h, err := w.Dbfs.Open(ctx, "/tmp/f", files.FileModeWrite)
	require.NoError(t, err)
	_, err = h.ReadFrom(bytes.NewReader(in))
	require.NoError(t, err)
	require.NoError(t, h.Close())
	out, err := w.Dbfs.ReadFile(ctx, "/tmp/f")
	require.NoError(t, err)
	assert.True(t, bytes.Equal(in, out))
	_, err = w.Dbfs.Open(ctx, "/tmp/f", files.FileModeWrite)
	require.ErrorContains(t, err, "dbfs open: A file or directory already exists at the input path")
	require.NoError(t, w.Dbfs.WriteFile(ctx, "/tmp/f", []byte("short")))
	require.NoError(t, w.Dbfs.Put(ctx, files.Put{Path: "/tmp/d/g", Contents: base64.StdEncoding.EncodeToString([]byte("put"))}))
	require.NoError(t, w.Dbfs.Move(ctx, files.Move{SourcePath: "/tmp/d", DestinationPath: "/tmp/e"}))
	list, err := w.Dbfs.RecursiveList(ctx, "/")
	require.NoError(t, err)
	assert.Len(t, list, 2)
	err = w.Dbfs.Delete(ctx, files.Delete{Path: "/tmp"})
	require.ErrorContains(t, err, "not empty")
	require.NoError(t, w.Dbfs.Delete(ctx, files.Delete{Path: "/tmp", Recursive: true}))
	_, err = w.Dbfs.GetStatusByPath(ctx, "/tmp")
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)

	form := "--x\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/form\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhello\r\n--x--\r\n"
	resp, body := b.do(t, b.admin, "POST", "/api/2.0/dbfs/put", strings.NewReader(form), "Content-Type", "multipart/form-data; boundary=x")
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
	out, err = w.Dbfs.ReadFile(ctx, "/form")
	require.NoError(t, err)
	assert.Equal(t, "hello", string(out))
}

func TestSDKFiles(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w := b.client(t, b.admin)
	const dir = "/Volumes/main/default/vol/dir"
	const file = dir + "/with-?-and-#-and-%.bin"
	upload := func(path, content string, overwrite bool) error {
		return w.Files.Upload(ctx, files.UploadRequest{FilePath: path, Contents: io.NopCloser(strings.NewReader(content)), Overwrite: overwrite})
	}
	require.ErrorIs(t, w.Files.GetDirectoryMetadataByDirectoryPath(ctx, dir), databricks.ErrNotFound)
	require.NoError(t, upload(file, "abcd", false))
	require.ErrorIs(t, upload(file, "abcd", false), databricks.ErrAlreadyExists)
	require.NoError(t, upload(file, "12345", true))
	meta, err := w.Files.GetMetadataByFilePath(ctx, file)
	require.NoError(t, err)
	assert.EqualValues(t, 5, meta.ContentLength)
	assert.Equal(t, "application/octet-stream", meta.ContentType)
	assert.NotEmpty(t, meta.LastModified)
	down, err := w.Files.DownloadByFilePath(ctx, file)
	require.NoError(t, err)
	content, err := io.ReadAll(down.Contents)
	require.NoError(t, err)
	assert.Equal(t, "12345", string(content))
	require.NoError(t, w.Files.GetDirectoryMetadataByDirectoryPath(ctx, dir))
	require.ErrorIs(t, w.Files.GetDirectoryMetadataByDirectoryPath(ctx, file), databricks.ErrNotFound)

	require.NoError(t, w.Files.CreateDirectory(ctx, files.CreateDirectoryRequest{DirectoryPath: dir + "/sub/deep/"}))
	for _, n := range []string{"a", "b", "c"} {
		require.NoError(t, upload(dir+"/"+n, n, false))
	}
	it := w.Files.ListDirectoryContents(ctx, files.ListDirectoryContentsRequest{DirectoryPath: dir, PageSize: 2})
	var names []string
	for it.HasNext(ctx) {
		e, err := it.Next(ctx)
		require.NoError(t, err)
		names = append(names, e.Name)
	}
	assert.Equal(t, []string{"a", "b", "c", "sub", "with-?-and-#-and-%.bin"}, names)

	err = w.Files.DeleteDirectoryByDirectoryPath(ctx, dir)
	require.ErrorIs(t, err, databricks.ErrBadRequest)
	resp, body := b.do(t, b.admin, "DELETE", "/api/2.0/fs/directories"+dir, nil)
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	assert.Contains(t, body, `"reason":"FILES_API_DIRECTORY_IS_NOT_EMPTY"`)
	require.NoError(t, w.Files.DeleteByFilePath(ctx, file))
	require.ErrorIs(t, w.Files.DeleteByFilePath(ctx, file), databricks.ErrNotFound)
	require.NoError(t, w.Files.DeleteDirectoryByDirectoryPath(ctx, dir+"/sub/deep"))

	resp, body = b.do(t, b.admin, "GET", "/api/2.0/fs/files"+dir+"/a", nil, "Range", "bytes=0-0")
	assert.Equal(t, http.StatusPartialContent, resp.StatusCode)
	assert.Equal(t, "a", body)
	resp, _ = b.do(t, b.admin, "GET", "/api/2.0/fs/directories"+dir+"?page_token=%25%25", nil)
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	resp, _ = b.do(t, b.admin, "POST", "/api/2.0/fs/create-download-url", strings.NewReader("{}"))
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
}

func TestSDKSecrets(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w := b.client(t, b.admin)
	require.NoError(t, w.Secrets.CreateScope(ctx, workspace.CreateScope{Scope: "123"}), "a name may be all digits")
	require.ErrorIs(t, w.Secrets.CreateScope(ctx, workspace.CreateScope{Scope: "123"}), databricks.ErrResourceAlreadyExists)
	require.NoError(t, w.Secrets.PutSecret(ctx, workspace.PutSecret{Scope: "123", Key: "true", StringValue: "s3cret"}))
	require.NoError(t, w.Secrets.PutSecret(ctx, workspace.PutSecret{Scope: "123", Key: "bytes", BytesValue: base64.StdEncoding.EncodeToString([]byte{0, 255})}))
	got, err := w.Secrets.GetSecret(ctx, workspace.GetSecretRequest{Scope: "123", Key: "true"})
	require.NoError(t, err)
	assert.Equal(t, "s3cret", decode64(t, got.Value))
	got, err = w.Secrets.GetSecret(ctx, workspace.GetSecretRequest{Scope: "123", Key: "bytes"})
	require.NoError(t, err)
	assert.Equal(t, "\x00\xff", decode64(t, got.Value))
	list, err := w.Secrets.ListSecretsAll(ctx, workspace.ListSecretsRequest{Scope: "123"})
	require.NoError(t, err)
	assert.Len(t, list, 2)
	_, err = w.Secrets.GetSecret(ctx, workspace.GetSecretRequest{Scope: "123", Key: "no"})
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)

	bob := b.client(t, b.bob)
	_, err = bob.Secrets.GetSecret(ctx, workspace.GetSecretRequest{Scope: "123", Key: "true"})
	require.ErrorIs(t, err, databricks.ErrPermissionDenied)
	scopes, err := bob.Secrets.ListScopesAll(ctx)
	require.NoError(t, err)
	assert.Empty(t, scopes)
	require.NoError(t, w.Secrets.PutAcl(ctx, workspace.PutAcl{Scope: "123", Principal: bobName, Permission: workspace.AclPermissionRead}))
	_, err = bob.Secrets.GetSecret(ctx, workspace.GetSecretRequest{Scope: "123", Key: "true"})
	require.NoError(t, err)
	acl, err := w.Secrets.GetAcl(ctx, workspace.GetAclRequest{Scope: "123", Principal: bobName})
	require.NoError(t, err)
	assert.Equal(t, workspace.AclPermissionRead, acl.Permission)
	acls, err := w.Secrets.ListAclsAll(ctx, workspace.ListAclsRequest{Scope: "123"})
	require.NoError(t, err)
	assert.Len(t, acls, 2)
	require.NoError(t, w.Secrets.DeleteAcl(ctx, workspace.DeleteAcl{Scope: "123", Principal: bobName}))
	require.NoError(t, w.Secrets.DeleteSecret(ctx, workspace.DeleteSecret{Scope: "123", Key: "true"}))
	require.NoError(t, w.Secrets.DeleteScopeByScope(ctx, "123"))
	require.ErrorIs(t, w.Secrets.DeleteScopeByScope(ctx, "123"), databricks.ErrResourceDoesNotExist)

	for _, body := range []string{`{"scope":"x","key":"k"}`, `{"scope":"x","key":"k","string_value":"a","bytes_value":"b"}`, `{"scope":"x","key":"k","bytes_value":"?"}`} {
		resp, _ := b.do(t, b.admin, "POST", "/api/2.0/secrets/put", strings.NewReader(body))
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, body)
	}
}

func TestSDKPermissions(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	w, bob := b.client(t, b.admin), b.client(t, b.bob)
	id := strconv.FormatInt(b.job(t, annName), 10)

	levels, err := w.Permissions.GetPermissionLevels(ctx, iam.GetPermissionLevelsRequest{RequestObjectType: "jobs", RequestObjectId: id})
	require.NoError(t, err)
	assert.Len(t, levels.PermissionLevels, 4)
	p, err := w.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "jobs", id)
	require.NoError(t, err)
	assert.Equal(t, "/jobs/"+id, p.ObjectId)
	assert.Equal(t, "job", p.ObjectType)
	_, err = bob.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "jobs", id)
	require.ErrorIs(t, err, databricks.ErrPermissionDenied)

	grant := func(user string, l iam.PermissionLevel) iam.AccessControlRequest {
		return iam.AccessControlRequest{UserName: user, PermissionLevel: l}
	}
	set := func(list ...iam.AccessControlRequest) error {
		_, err := w.Permissions.Set(ctx, iam.SetObjectPermissions{RequestObjectType: "jobs", RequestObjectId: id, AccessControlList: list})
		return err
	}
	require.ErrorContains(t, set(grant(bobName, iam.PermissionLevelCanView)), "The job must have exactly one owner.")
	require.NoError(t, set(grant(annName, iam.PermissionLevelIsOwner), grant(bobName, iam.PermissionLevelCanView)))
	p, err = w.Permissions.Update(ctx, iam.UpdateObjectPermissions{
		RequestObjectType: "jobs", RequestObjectId: id, AccessControlList: []iam.AccessControlRequest{grant(bobName, iam.PermissionLevelCanManage)},
	})
	require.NoError(t, err)
	assert.Len(t, p.AccessControlList, 3)
	_, err = bob.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "jobs", id)
	require.NoError(t, err)

	_, err = w.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "jobs", "123456")
	require.ErrorIs(t, err, databricks.ErrResourceDoesNotExist)
	_, err = w.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "apps", "x")
	require.ErrorIs(t, err, databricks.ErrInvalidParameterValue)
	for _, typ := range []string{"warehouses", "sql/warehouses", "clusters", "instance-pools"} {
		_, err = w.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, typ, machineID)
		require.NoError(t, err)
	}
	_, err = w.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "authorization", "tokens")
	require.NoError(t, err)
	dir, err := w.Workspace.GetStatusByPath(ctx, home)
	require.NoError(t, err)
	_, err = w.Permissions.GetByRequestObjectTypeAndRequestObjectId(ctx, "directories", strconv.FormatInt(dir.ObjectId, 10))
	require.NoError(t, err)
}

package workspace

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func infos(list []FileInfo) []string {
	out := []string{}
	for _, f := range list {
		name := f.Path
		if f.IsDir {
			name += "/"
		}
		out = append(out, name)
	}
	return out
}

func TestDBFS(t *testing.T) {
	b := newBed(t)
	d := b.DBFS
	require.NoError(t, d.Put("dbfs:/a/b/one.txt", false, text("0123456789")))
	requireCode(t, AlreadyExists, d.Put("/a/b/one.txt", false, text("x")))
	requireCode(t, AlreadyExists, d.Put("/a/b", true, text("x")))
	requireCode(t, AlreadyExists, d.Put("/", true, text("x")))
	requireCode(t, AlreadyExists, d.Put("/a/b/one.txt/two", true, text("x")))
	requireCode(t, BlockTooLarge, d.Put("/big", true, bytes.NewReader(make([]byte, maxBlock+1))))
	require.NoError(t, d.Put("/big", true, bytes.NewReader(make([]byte, maxBlock))))
	requireCode(t, AlreadyExists, d.Mkdirs("/a/b/one.txt"))
	requireCode(t, AlreadyExists, d.Mkdirs("/a/b/one.txt/c"))
	requireCode(t, InvalidParameter, d.Put("/Volumes/c/s/v/f", true, text("x")))

	info, err := d.Status("/a/b/one.txt")
	require.NoError(t, err)
	assert.Equal(t, FileInfo{Path: "/a/b/one.txt", Size: 10, Modified: info.Modified}, info)
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{{0, 0, "0123456789"}, {3, 4, "3456"}, {8, 10, "89"}, {10, 1, ""}, {99, 0, ""}, {0, maxBlock, "0123456789"}} {
		got, err := d.Read("/a/b/one.txt", tt.offset, tt.length)
		require.NoError(t, err)
		assert.Equal(t, tt.want, string(got))
	}
	for _, tt := range []struct{ offset, length int64 }{{-1, 0}, {0, -1}} {
		_, err := d.Read("/a/b/one.txt", tt.offset, tt.length)
		requireCode(t, InvalidParameter, err)
	}
	_, err = d.Read("/a/b/one.txt", 0, maxBlock+1)
	requireCode(t, ReadTooLarge, err)
	_, err = d.Read("/a", 0, 1)
	requireCode(t, InvalidParameter, err)
	_, err = d.Read("/no", 0, 1)
	requireCode(t, DoesNotExist, err)
	got, err := d.Read("/big", 0, 0)
	require.NoError(t, err)
	assert.Len(t, got, defaultRead)

	require.NoError(t, d.Put("/a/z", false, text("")))
	list, err := d.List("/a")
	require.NoError(t, err)
	assert.Equal(t, []string{"/a/b/", "/a/z"}, infos(list))
	list, err = d.List("/a/z")
	require.NoError(t, err)
	assert.Equal(t, []string{"/a/z"}, infos(list))
	_, err = d.List("/no")
	requireCode(t, DoesNotExist, err)
	list, err = d.List("/")
	require.NoError(t, err)
	assert.Equal(t, []string{"/FileStore/", "/a/", "/big", "/tmp/"}, infos(list))

	requireCode(t, DoesNotExist, d.Move("/no", "/yes"))
	requireCode(t, AlreadyExists, d.Move("/big", "/a"))
	requireCode(t, InvalidParameter, d.Move("/a", "/a/b/c"))
	requireCode(t, AlreadyExists, d.Move("/a", "/a"))
	require.NoError(t, d.Move("/a", "/moved/there"))
	_, err = d.Status("/moved/there/b/one.txt")
	require.NoError(t, err)

	requireCode(t, IOError, d.Delete("/moved", false))
	require.NoError(t, d.Delete("/moved", true))
	require.NoError(t, d.Delete("/moved", true), "what is gone is gone")
	requireCode(t, InvalidParameter, d.Delete("/", true))
}

func TestHandles(t *testing.T) {
	b := newBed(t)
	d := b.DBFS
	id, err := d.Create(b.admin, "/f/x", false)
	require.NoError(t, err)
	require.NoError(t, d.AddBlock(b.admin, id, text("one ")))
	requireCode(t, BlockTooLarge, d.AddBlock(b.admin, id, bytes.NewReader(make([]byte, maxBlock+1))))
	require.NoError(t, d.AddBlock(b.admin, id, text("two")))
	requireCode(t, DoesNotExist, d.AddBlock(b.bob, id, text("not mine")))
	requireCode(t, DoesNotExist, d.CloseHandle(b.bob, id))
	_, err = d.Status("/f/x")
	requireCode(t, DoesNotExist, err)
	require.NoError(t, d.CloseHandle(b.admin, id))
	got, err := d.Read("/f/x", 0, 0)
	require.NoError(t, err)
	assert.Equal(t, "one two", string(got))
	requireCode(t, DoesNotExist, d.CloseHandle(b.admin, id))
	requireCode(t, DoesNotExist, d.AddBlock(b.admin, id, text("late")))

	_, err = d.Create(b.admin, "/f/x", false)
	requireCode(t, AlreadyExists, err)
	_, err = d.Create(b.admin, "/f", true)
	requireCode(t, AlreadyExists, err)

	// Two that write the same: the second to close finds the first's file.
	one, err := d.Create(b.admin, "/g", false)
	require.NoError(t, err)
	two, err := d.Create(b.bob, "/g", false)
	require.NoError(t, err)
	require.NoError(t, d.CloseHandle(b.admin, one))
	requireCode(t, AlreadyExists, d.CloseHandle(b.bob, two))
}

func TestHandlesAreBoundedAndExpire(t *testing.T) {
	b := newBed(t)
	var ids []int64
	for range maxHandles {
		id, err := b.DBFS.Create(b.admin, "/f", true)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	_, err := b.DBFS.Create(b.admin, "/f", true)
	requireCode(t, LimitExceeded, err)
	b.clock.now = b.clock.now.Add(handleExpiry / 2)
	require.NoError(t, b.DBFS.AddBlock(b.admin, ids[7], text("x")))
	b.clock.now = b.clock.now.Add(handleExpiry / 2)
	requireCode(t, DoesNotExist, b.DBFS.AddBlock(b.admin, ids[0], text("x")))
	_, err = b.DBFS.Create(b.admin, "/f", true)
	require.NoError(t, err)
	assert.Len(t, b.DBFS.handles, 2)
	left, err := os.ReadDir(filepath.Join(b.Dir, "dbfs", partialDir))
	require.NoError(t, err)
	assert.Len(t, left, 2)
	require.NoError(t, b.DBFS.CloseHandle(b.admin, ids[7]))
}

func TestHandleInUse(t *testing.T) {
	b := newBed(t)
	id, err := b.DBFS.Create(b.admin, "/f", true)
	require.NoError(t, err)
	entered, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		assert.ErrorIs(t, b.DBFS.AddBlock(b.admin, id, readerFunc(func(p []byte) (int, error) {
			close(entered)
			<-leave
			return copy(p, "half a block"), os.ErrClosed
		})), os.ErrClosed)
	})
	<-entered
	requireCode(t, InvalidParameter, b.DBFS.AddBlock(b.admin, id, text("x")))
	requireCode(t, InvalidParameter, b.DBFS.CloseHandle(b.admin, id))
	close(leave)
	wg.Wait()
	require.NoError(t, b.DBFS.AddBlock(b.admin, id, text("whole")))
	require.NoError(t, b.DBFS.CloseHandle(b.admin, id))
	got, err := b.DBFS.Read("/f", 0, 0)
	require.NoError(t, err)
	assert.Equal(t, "whole", string(got))
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestVolumes(t *testing.T) {
	b := newBed(t)
	v := b.Volumes
	const dir = "/Volumes/main/default/vol"
	require.NoError(t, v.Upload(dir+"/x/a #?.txt", false, text("abc")))
	requireCode(t, Conflict, v.Upload(dir+"/x/a #?.txt", false, text("abc")))
	requireCode(t, Conflict, v.Upload(dir+"/x", true, text("abc")))
	requireCode(t, Conflict, v.Upload(dir+"/x/a #?.txt/b", true, text("abc")))
	requireCode(t, Conflict, v.Mkdirs(dir+"/x/a #?.txt"))
	requireCode(t, InvalidParameter, v.Upload("/Volumes/main/default/vol", true, text("")))
	requireCode(t, InvalidParameter, v.Upload("/elsewhere/a/b/c/d", true, text("")))
	requireCode(t, InvalidParameter, v.Mkdirs("/Volumes/main"))

	f, info, err := v.Open(dir + "/x/a #?.txt")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, FileInfo{Path: dir + "/x/a #?.txt", Size: 3, Modified: info.Modified}, info)
	_, _, err = v.Open(dir + "/x")
	requireCode(t, NotFound, err)
	_, _, err = v.Open(dir + "/no")
	requireCode(t, NotFound, err)

	requireCode(t, NotEmpty, v.Rmdir(dir+"/x"))
	requireCode(t, NotFound, v.Remove(dir+"/x"))
	requireCode(t, NotFound, v.Rmdir(dir+"/x/a #?.txt"))
	require.NoError(t, v.Remove(dir+"/x/a #?.txt"))
	requireCode(t, NotFound, v.Remove(dir+"/x/a #?.txt"))
	require.NoError(t, v.Rmdir(dir+"/x"))
	requireCode(t, NotFound, v.Rmdir(dir+"/x"))
}

func TestVolumesListInPages(t *testing.T) {
	b := newBed(t)
	const dir = "/Volumes/main/default/vol"
	for _, name := range []string{"d", "a", "c", "b", "e"} {
		require.NoError(t, b.Volumes.Upload(dir+"/"+name, false, text(name)))
	}
	require.NoError(t, b.Volumes.Mkdirs(dir+"/bb"))
	var got []string
	after, pages := "", 0
	for more := true; more; pages++ {
		var list []FileInfo
		var err error
		list, more, err = b.Volumes.List(dir, after, 2)
		require.NoError(t, err)
		got = append(got, infos(list)...)
		after = baseOf(list[len(list)-1].Path)
	}
	assert.Equal(t, 3, pages)
	want := strings.Fields("a b bb/ c d e")
	for i := range want {
		want[i] = dir + "/" + want[i]
	}
	assert.Equal(t, want, got)
	list, more, err := b.Volumes.List(dir, "e", 2)
	require.NoError(t, err)
	assert.False(t, more)
	assert.Empty(t, list)
	_, _, err = b.Volumes.List(dir+"/a", "", 2)
	requireCode(t, NotFound, err)
	list, _, err = b.Volumes.List("/Volumes", "", 2)
	require.NoError(t, err)
	assert.Equal(t, []string{"/Volumes/main/"}, infos(list))
}

func TestUploadsThatWereCutOffLeaveNothing(t *testing.T) {
	b := newBed(t)
	broken := readerFunc(func(p []byte) (int, error) { return copy(p, "half"), os.ErrDeadlineExceeded })
	require.ErrorIs(t, b.Volumes.Upload("/Volumes/a/b/c/d", true, broken), os.ErrDeadlineExceeded)
	require.ErrorIs(t, b.DBFS.Put("/d", true, broken), os.ErrDeadlineExceeded)
	require.ErrorIs(t, b.Tree.Upload(b.admin, "/Shared/d", true, broken), os.ErrDeadlineExceeded)
	for _, tree := range []string{"volumes", "dbfs", "workspace"} {
		left, err := os.ReadDir(filepath.Join(b.Dir, tree, partialDir))
		require.NoError(t, err)
		assert.Empty(t, left)
	}

	// What a crash left goes at the next start.
	dir := filepath.Join(t.TempDir(), "tree")
	d, err := openDisk(dir, true)
	require.NoError(t, err)
	_, err = d.receive(text("x"), 10)
	require.NoError(t, err)
	require.NoError(t, d.close())
	d, err = openDisk(dir, true)
	require.NoError(t, err)
	defer d.close()
	left, err := os.ReadDir(filepath.Join(dir, partialDir))
	require.NoError(t, err)
	assert.Empty(t, left)
}

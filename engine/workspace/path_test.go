package workspace

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCleanPath(t *testing.T) {
	for in, want := range map[string]string{
		"/":               "",
		"//":              "",
		"/a":              "a",
		"/a/b/":           "a/b",
		"///a//b":         "a/b",
		"/a b/ü/日本":       "a b/ü/日本",
		"/..a/b..":        "..a/b..",
		"/a/.partial":     "a/.partial",
		"/a\\b":           "a\\b",
		"/what?&=%2F#~/x": "what?&=%2F#~/x",
	} {
		got, err := cleanPath(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "a", "a/b", "./a", "/..", "/../a", "/a/../b", "/a/..", "/./a", "/a/.", "/a\x00b", "/a\nb", "/\xff",
		"/.partial", "/.partial/x", "/" + strings.Repeat("x", 300), strings.Repeat("/x", 3000), "/\u0085",
	} {
		_, err := cleanPath(in)
		requireCode(t, InvalidParameter, err)
	}
}

// Whatever the path, nothing outside of the trees is read or changed, and the
// answer is a refusal or a success, never a fault.
func FuzzPaths(f *testing.F) {
	for _, s := range []string{
		"/Shared/a", "/Shared/../../../outside", "/Workspace/../x", "//Workspace//Shared/a.py", "/Shared/out/outside", "/Shared/a\x00",
		"/Shared/.partial", "/.partial/x", "/Volumes/a/b/c/d", "/Volumes/../../x/y/z/w", "dbfs:/../outside", "dbfs:/a/./b", "/Users/x/y", "",
		"/Shared/a.ipynb", "/Shared/a.py/b", "\\..\\..\\x", "/Shared/C:/x", "/Shared/%2e%2e/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		b := newBed(t)
		home := filepath.Dir(b.Dir)
		outside := filepath.Join(home, "outside")
		require.NoError(t, os.WriteFile(outside, []byte("before"), 0o600))
		require.NoError(t, os.Symlink(home, b.onDisk("Shared/out")))
		listing := entries(t, home)

		check := func(err error) {
			if err != nil {
				var e *Error
				require.ErrorAs(t, err, &e, "%q: %v", name, err)
			}
		}
		check(b.Tree.Upload(b.admin, name, true, text("after")))
		check(b.Tree.Import(b.admin, Import{Path: name, Language: Python, Body: text("after"), Overwrite: true}))
		check(b.Tree.Mkdirs(b.admin, name))
		_, err := b.Tree.Status(b.admin, name)
		check(err)
		_, err = b.Tree.List(b.admin, name)
		check(err)
		if x, err := b.Tree.Export(b.admin, name, ""); err == nil {
			got, _ := io.ReadAll(x)
			assert.NotContains(t, string(got), "before")
			_ = x.Close()
		} else {
			check(err)
		}
		check(b.Tree.Delete(b.admin, name, true))
		check(b.DBFS.Put(name, true, text("after")))
		check(b.DBFS.Mkdirs(name))
		check(b.DBFS.Move(name, "/moved"))
		check(b.DBFS.Delete(name, true))
		check(b.Volumes.Upload(name, true, text("after")))
		check(b.Volumes.Mkdirs(name))
		check(b.Volumes.Remove(name))
		check(b.Volumes.Rmdir(name))

		got, err := os.ReadFile(outside)
		require.NoError(t, err)
		assert.Equal(t, "before", string(got))
		assert.Equal(t, listing, entries(t, home))
		assert.Equal(t, []string{"dbfs", "volumes", "workspace"}, entries(t, b.Dir))
	})
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

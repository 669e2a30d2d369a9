package workspace

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/notebook"
)

const (
	pyHead = "# Databricks notebook source\n"
	ipynb  = `{"cells":[{"cell_type":"code","source":["print(1)"],"metadata":{},"outputs":[]}],"metadata":{"application/vnd.databricks.v1+notebook":{"language":"scala"}},"nbformat":4,"nbformat_minor":5}`
)

func (b *bed) onDisk(name string) string { return filepath.Join(b.Dir, "workspace", name) }

func TestImportDecidesWhatAnObjectIs(t *testing.T) {
	for _, tt := range []struct {
		name, path, format string
		language           Language
		content            string

		object string // "KIND path"
		lang   Language
		disk   string
		want   string // content on disk; "" as given
	}{
		{"source keeps its path", "/Shared/a.py", "SOURCE", Python, "print(1)", "NOTEBOOK /Shared/a.py", Python, "Shared/a.py.py", pyHead + "print(1)"},
		{"source of no format", "/Shared/a", "", SQL, "select 1", "NOTEBOOK /Shared/a", SQL, "Shared/a.sql", "-- Databricks notebook source\nselect 1"},
		{"source with its header", "/Shared/a", "SOURCE", Python, pyHead + "x", "NOTEBOOK /Shared/a", Python, "Shared/a.py", ""},
		{"source with a BOM and CRLF", "/Shared/a", "SOURCE", Python, "\ufeff# Databricks notebook source\r\nx", "NOTEBOOK /Shared/a", Python, "Shared/a.py", ""},
		{"source, language by extension", "/Shared/a.scala", "SOURCE", "", "x", "NOTEBOOK /Shared/a.scala", Scala, "Shared/a.scala.scala", "// Databricks notebook source\nx"},
		{"source, language by header", "/Shared/a", "SOURCE", "", "-- Databricks notebook source\nx", "NOTEBOOK /Shared/a", SQL, "Shared/a.sql", ""},
		{"empty source", "/Shared/a", "SOURCE", R, "", "NOTEBOOK /Shared/a", R, "Shared/a.r", pyHead},
		{"auto notebook", "/Shared/a.py", "AUTO", "", pyHead + "x", "NOTEBOOK /Shared/a", Python, "Shared/a.py", ""},
		{"auto notebook in R", "/Shared/a.R", "AUTO", "", pyHead + "x", "NOTEBOOK /Shared/a", R, "Shared/a.R", ""},
		{"auto file", "/Shared/a.py", "AUTO", "", "print(1)", "FILE /Shared/a.py", "", "Shared/a.py", ""},
		{"auto file with a header that only begins right", "/Shared/a.py", "AUTO", "", "# Databricks notebook sources\n", "FILE /Shared/a.py", "", "Shared/a.py", ""},
		{"auto text", "/Shared/a.txt", "AUTO", "", pyHead, "FILE /Shared/a.txt", "", "Shared/a.txt", ""},
		{"auto empty file", "/Shared/a", "AUTO", "", "", "FILE /Shared/a", "", "Shared/a", ""},
		{"auto Jupyter", "/Shared/a.ipynb", "AUTO", "", ipynb, "NOTEBOOK /Shared/a", Scala, "Shared/a.ipynb", ""},
		{"auto, no Jupyter", "/Shared/a.ipynb", "AUTO", "", `{"cells":[],"nbformat":3}`, "FILE /Shared/a.ipynb", "", "Shared/a.ipynb", ""},
		{"auto, only an extension", "/Shared/.py", "AUTO", "", pyHead, "FILE /Shared/.py", "", "Shared/.py", ""},
		{"Jupyter", "/Shared/a", "JUPYTER", "", ipynb, "NOTEBOOK /Shared/a", Scala, "Shared/a.ipynb", ""},
		{"raw", "/Shared/a.py", "RAW", "", pyHead, "FILE /Shared/a.py", "", "Shared/a.py", ""},
		{"mount", "/Workspace/Shared/a.py", "AUTO", "", pyHead, "NOTEBOOK /Workspace/Shared/a", Python, "Shared/a.py", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			err := b.Tree.Import(b.admin, Import{Path: tt.path, Format: tt.format, Language: tt.language, Body: text(tt.content)})
			require.NoError(t, err)

			kind, path, _ := strings.Cut(tt.object, " ")
			e, err := b.Tree.Status(b.admin, path)
			require.NoError(t, err)
			assert.Equal(t, ObjectKind(kind), e.Kind)
			assert.Equal(t, path, e.Path)
			assert.Equal(t, tt.lang, e.Language)
			assert.Equal(t, e.Created, e.Modified)

			list, err := b.Tree.List(b.admin, path[:strings.LastIndex(path, "/")])
			require.NoError(t, err)
			require.Equal(t, []string{tt.object}, paths(list))
			assert.Equal(t, e.ID, list[0].ID)

			got, err := os.ReadFile(b.onDisk(tt.disk))
			require.NoError(t, err)
			want := tt.want
			if want == "" {
				want = tt.content
			}
			assert.Equal(t, want, string(got))
		})
	}
}

func TestImportRefuses(t *testing.T) {
	b := newBed(t)
	put := func(path, format string, l Language, content string) error {
		return b.Tree.Import(b.admin, Import{Path: path, Format: format, Language: l, Body: text(content)})
	}
	requireCode(t, InvalidParameter, put("/Shared/a", "HTML", "", "x"))
	requireCode(t, InvalidParameter, put("/Shared/a", "DBC", "", "x"))
	requireCode(t, InvalidParameter, put("/Shared/a", "SOURCE", "", "x"))
	requireCode(t, InvalidParameter, put("/Shared/a", "SOURCE", "COBOL", "x"))
	requireCode(t, InvalidParameter, put("/Shared/a", "JUPYTER", "", "{}"))
	requireCode(t, InvalidParameter, put("/", "AUTO", "", "x"))
	requireCode(t, InvalidParameter, put("/Workspace", "AUTO", "", "x"))
	requireCode(t, DoesNotExist, put("/Shared/no/a", "AUTO", "", "x"))
	requireCode(t, NotebookTooLarge, put("/Shared/a", "SOURCE", Python, strings.Repeat("x", maxNotebook)))
	require.NoError(t, put("/Shared/f", "AUTO", "", "x"))
	requireCode(t, InvalidParameter, put("/Shared/f/a", "AUTO", "", "x"))
	requireCode(t, InvalidParameter, put("/Shared", "AUTO", "", "x"))

	left, err := os.ReadDir(b.onDisk(partialDir))
	require.NoError(t, err)
	assert.Empty(t, left, "nothing half received stays")
}

// What has one name, or one place on disk, replaces what had it.
func TestImportOverwrites(t *testing.T) {
	b := newBed(t)
	put := func(path, format string, l Language, content string, overwrite bool) error {
		return b.Tree.Import(b.admin, Import{Path: path, Format: format, Language: l, Body: text(content), Overwrite: overwrite})
	}
	list := func() []string {
		l, err := b.Tree.List(b.admin, "/Shared")
		require.NoError(t, err)
		return paths(l)
	}
	require.NoError(t, put("/Shared/a", "SOURCE", Python, "1", false))
	before, err := b.Tree.Status(b.admin, "/Shared/a")
	require.NoError(t, err)
	requireCode(t, AlreadyExists, put("/Shared/a", "SOURCE", Python, "2", false))
	requireCode(t, AlreadyExists, put("/Shared/a", "SOURCE", SQL, "2", false))
	requireCode(t, AlreadyExists, put("/Shared/a", "RAW", "", "2", false))
	requireCode(t, AlreadyExists, put("/Shared/a.py", "RAW", "", "2", false))

	require.NoError(t, put("/Shared/a", "SOURCE", SQL, "2", true))
	assert.Equal(t, []string{"NOTEBOOK /Shared/a"}, list())
	assert.NoFileExists(t, b.onDisk("Shared/a.py"))
	after, err := b.Tree.Status(b.admin, "/Shared/a")
	require.NoError(t, err)
	assert.Equal(t, before.ID, after.ID)
	assert.Equal(t, before.Created, after.Created)
	assert.Equal(t, SQL, after.Language)

	require.NoError(t, put("/Shared/a", "AUTO", "", "a file now", true))
	assert.Equal(t, []string{"FILE /Shared/a"}, list())
	require.NoError(t, put("/Shared/a.py", "AUTO", "", pyHead, true))
	assert.Equal(t, []string{"NOTEBOOK /Shared/a"}, list())
	require.NoError(t, put("/Shared/a.py", "RAW", "", pyHead, true))
	assert.Equal(t, []string{"FILE /Shared/a.py"}, list())
	require.NoError(t, put("/Shared/a.py", "AUTO", "", pyHead, true), "a notebook again")
	assert.Equal(t, []string{"NOTEBOOK /Shared/a"}, list())
	require.NoError(t, put("/Shared/a.ipynb", "AUTO", "", ipynb, true))
	assert.Equal(t, []string{"NOTEBOOK /Shared/a"}, list())

	require.NoError(t, b.Tree.Mkdirs(b.admin, "/Shared/dir"))
	requireCode(t, InvalidParameter, put("/Shared/dir", "RAW", "", "", true))
	require.NoError(t, b.Tree.Mkdirs(b.admin, "/Shared/b.py"))
	requireCode(t, InvalidParameter, put("/Shared/b", "SOURCE", Python, "", true))
}

func TestUploadIsALock(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.Tree.Mkdirs(b.admin, "/Users/ann@example.com/state"))
	const name = "/Workspace/Users/ann@example.com/state/deploy.lock"
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch err := b.Tree.Upload(b.admin, name, false, text("mine")); {
			case err == nil:
				won.Add(1)
			case refused(err, Conflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, won.Load())
	assert.EqualValues(t, 15, lost.Load())
	require.NoError(t, b.Tree.Delete(b.admin, name, false))
	requireCode(t, DoesNotExist, b.Tree.Delete(b.admin, name, false))
	require.NoError(t, b.Tree.Upload(b.admin, name, false, text("mine")))

	requireCode(t, DoesNotExist, b.Tree.Upload(b.admin, "/Shared/no/such", true, text("")))
	require.NoError(t, b.Tree.Upload(b.admin, "/Shared/nb.py", false, text(pyHead)))
	requireCode(t, AlreadyExists, b.Tree.Upload(b.admin, "/Shared/nb.py", false, text(pyHead)))
}

func TestMkdirsAndDelete(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.Tree.Mkdirs(b.admin, "/Shared//a/b/c/"))
	require.NoError(t, b.Tree.Mkdirs(b.admin, "/Shared/a/b/c"))
	require.NoError(t, b.Tree.Import(b.admin, Import{Path: "/Shared/a/nb", Language: Python, Body: text("1")}))
	requireCode(t, AlreadyExists, b.Tree.Mkdirs(b.admin, "/Shared/a/nb/x"))
	requireCode(t, AlreadyExists, b.Tree.Mkdirs(b.admin, "/Shared/a/nb"))

	requireCode(t, NotEmpty, b.Tree.Delete(b.admin, "/Shared/a", false))
	requireCode(t, DoesNotExist, b.Tree.Delete(b.admin, "/Shared/a/nb.py", false))
	require.NoError(t, b.Tree.Delete(b.admin, "/Shared/a/nb", false))
	require.NoError(t, b.Tree.Delete(b.admin, "/Shared/a", true))
	requireCode(t, DoesNotExist, b.Tree.Delete(b.admin, "/Shared/a", true))
	for _, dir := range []string{"/", "/Workspace", "/Users", "/Shared", "/Repos", "/Users/ann@example.com"} {
		requireCode(t, Protected, b.Tree.Delete(b.admin, dir, true))
	}
}

func TestStatusKeepsTheSpellingOfThePath(t *testing.T) {
	b := newBed(t)
	ids := map[int64]bool{}
	for asked, want := range map[string]string{
		"/Users/ann@example.com":            "/Users/ann@example.com",
		"/Workspace/Users/ann@example.com":  "/Workspace/Users/ann@example.com",
		"//Workspace/Users/ann@example.com": "/Users/ann@example.com",
		"/Users//ann@example.com/":          "/Users/ann@example.com",
	} {
		e, err := b.Tree.Status(b.admin, asked)
		require.NoError(t, err)
		assert.Equal(t, want, e.Path)
		ids[e.ID] = true
	}
	assert.Len(t, ids, 1)
	root, err := b.Tree.List(b.admin, "/Workspace")
	require.NoError(t, err)
	assert.Equal(t, []string{"DIRECTORY /Workspace/Repos", "DIRECTORY /Workspace/Shared", "DIRECTORY /Workspace/Users"}, paths(root))
	_, err = b.Tree.Status(b.admin, "/Users/nobody")
	requireCode(t, DoesNotExist, err)
	assert.EqualError(t, err, "Path (/Users/nobody) doesn't exist.")
}

// What a job or a person puts on disk is in the tree, and what cannot be in
// it is not shown.
func TestTreeShowsWhatIsOnDisk(t *testing.T) {
	b := newBed(t)
	write := func(name, content string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(b.onDisk(name)), 0o700))
		require.NoError(t, os.WriteFile(b.onDisk(name), []byte(content), 0o600))
	}
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	write("Shared/x/out.csv", "a,b")
	write("Shared/x/nb.py", pyHead)
	write("Shared/x/nb.sql", "-- Databricks notebook source\n")
	require.NoError(t, os.Symlink(outside, b.onDisk("Shared/x/link")))
	require.NoError(t, os.Symlink("../../../../../../../etc", b.onDisk("Shared/x/etc")))
	require.NoError(t, os.Symlink("out.csv", b.onDisk("Shared/x/same")))

	list, err := b.Tree.List(b.admin, "/Shared/x")
	require.NoError(t, err)
	assert.Equal(t, []string{"NOTEBOOK /Shared/x/nb", "FILE /Shared/x/out.csv", "FILE /Shared/x/same"}, paths(list))
	assert.Equal(t, Python, list[0].Language)

	_, err = b.Tree.Export(b.admin, "/Shared/x/link", "")
	requireCode(t, InvalidParameter, err)
	_, err = b.Tree.List(b.admin, "/Shared/x/etc")
	requireCode(t, InvalidParameter, err)
	requireCode(t, InvalidParameter, b.Tree.Upload(b.admin, "/Shared/x/etc/passwd", true, text("x")))
	requireCode(t, InvalidParameter, b.Tree.Mkdirs(b.admin, "/Shared/x/etc/new"))
	require.NoError(t, b.Tree.Delete(b.admin, "/Shared/x", true))
	got, err := os.ReadFile(outside)
	require.NoError(t, err)
	assert.Equal(t, "secret", string(got))
}

func TestExport(t *testing.T) {
	b := newBed(t)
	export := func(path, format string) (string, string) {
		x, err := b.Tree.Export(b.admin, path, format)
		require.NoError(t, err)
		defer x.Close()
		content, err := io.ReadAll(x)
		require.NoError(t, err)
		require.EqualValues(t, len(content), x.Size)
		return string(content), x.Name
	}
	require.NoError(t, b.Tree.Import(b.admin, Import{Path: "/Shared/nb", Language: Python, Body: text("print(1)")}))
	require.NoError(t, b.Tree.Import(b.admin, Import{Path: "/Shared/ju", Format: "JUPYTER", Body: text(ipynb)}))
	require.NoError(t, b.Tree.Import(b.admin, Import{Path: "/Shared/f.bin", Format: "AUTO", Body: text("\x00\xff")}))

	for _, format := range []string{"", "SOURCE", "AUTO"} {
		got, name := export("/Shared/nb", format)
		assert.Equal(t, pyHead+"print(1)", got)
		assert.Equal(t, "nb.py", name)
		got, _ = export("/Shared/f.bin", format)
		assert.Equal(t, "\x00\xff", got)
	}
	got, name := export("/Shared/ju", "JUPYTER")
	assert.Equal(t, ipynb, got)
	assert.Equal(t, "ju.ipynb", name)
	got, name = export("/Shared/ju", "SOURCE")
	assert.Equal(t, "// Databricks notebook source\nprint(1)\n", got)
	assert.Equal(t, "ju.scala", name)
	got, name = export("/Shared/nb", "JUPYTER")
	language, ok := notebook.Detect(name, []byte(got))
	assert.True(t, ok)
	assert.Equal(t, "PYTHON", language)
	assert.Equal(t, "nb.ipynb", name)

	julia := strings.ReplaceAll(ipynb, "scala", "julia")
	require.NoError(t, b.Tree.Import(b.admin, Import{Path: "/Shared/julia", Format: "JUPYTER", Body: text(julia)}))
	_, name = export("/Shared/julia", "SOURCE")
	assert.Equal(t, "julia.py", name)

	_, err := b.Tree.Export(b.admin, "/Shared", "SOURCE")
	requireCode(t, InvalidParameter, err)
	_, err = b.Tree.Export(b.admin, "/Shared/nb", "HTML")
	requireCode(t, InvalidParameter, err)
	_, err = b.Tree.Export(b.admin, "/Shared/no", "SOURCE")
	requireCode(t, DoesNotExist, err)
}

func TestTreeUnderLoad(t *testing.T) {
	b := newBed(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 30 {
				content := strings.Repeat(string(rune('a'+i)), 5000)
				format := []string{"AUTO", "RAW"}[j%2]
				if err := b.Tree.Import(b.admin, Import{Path: "/Shared/f.py", Format: format, Body: text(content), Overwrite: true}); err != nil {
					t.Error(err)
				}
				x, err := b.Tree.Export(b.admin, "/Shared/f.py", "")
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := io.ReadAll(x)
				if err != nil || len(got) != 5000 || strings.Trim(string(got), string(got[:1])) != "" {
					t.Errorf("read half a file: %d bytes, %v", len(got), err)
				}
				_ = x.Close()
				if _, err := b.Tree.List(b.admin, "/Shared"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

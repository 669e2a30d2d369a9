package local

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"flowctl/tasks/python/venv"
)

// maxRead bounds what is read of one wheel or project in search of Spark.
const maxRead = 32 << 20

// bringsRuntimeCode tells whether a wheel or project of the job's own has code
// that names what a runtime brings. On a workspace it finds that there and so
// does not require it: the wheel of the default Python template is such a one.
// What comes from an index says itself what it needs.
func bringsRuntimeCode(r venv.Requirement) bool {
	st, err := os.Stat(r.Path)
	switch {
	case r.Path == "" || err != nil:
		return false // installing it will say what is wrong
	case st.IsDir():
		return anyNames(os.DirFS(r.Path), namesRuntime)
	case strings.EqualFold(filepath.Ext(r.Path), ".whl"):
		wheel, err := zip.OpenReader(r.Path)
		if err != nil {
			return false
		}
		defer func() { _ = wheel.Close() }()
		return anyNames(wheel, namesRuntime)
	}
	return false
}

// anyNames looks through the Python files of a tree, but for those of virtual
// environments and other folders that are none of its packages.
func anyNames(tree fs.FS, names func([]byte) bool) bool {
	left, found := int64(maxRead), false
	_ = fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return fs.SkipDir
		case d.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "venv" || name == "node_modules" || name == "tests"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".py":
			return nil
		}
		f, err := tree.Open(path)
		if err != nil {
			return nil
		}
		text, _ := io.ReadAll(io.LimitReader(f, left))
		_ = f.Close()
		left -= int64(len(text))
		if found = names(text); found || left <= 0 {
			return fs.SkipAll
		}
		return nil
	})
	return found
}

package local

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"flowctl/tasks/python"
)

// importLine is a line that imports modules or runs another notebook; in a
// Jupyter notebook it stands in a JSON string.
var importLine = regexp.MustCompile(`(?m)(?:^|\[)[ \t]*(?:"|# MAGIC )?[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+)|%run[ \t]+([^\s"\\]+))`)

// imports follows what a file of code imports to the modules of the job's own,
// beside the code and in the folders above it, until one names something; a
// notebook of SQL does.
func imports(c python.Context, text []byte, names func([]byte) bool) bool {
	root := c.CodeDir
	if in, err := filepath.Rel(root, c.Path); err != nil || strings.HasPrefix(in, "..") {
		root = ""
	}
	f := importWalk{names: names, root: root, seen: map[string]bool{c.Path: true}}
	return f.follow(filepath.Dir(c.Path), text)
}

type importWalk struct {
	names func([]byte) bool
	root  string
	seen  map[string]bool // files and folders
}

// manyFiles is where following ends: no job's own modules are more.
const manyFiles = 200

func (f *importWalk) follow(dir string, text []byte) bool {
	for _, found := range importLine.FindAllSubmatch(text, -1) {
		if run := string(found[3]); run != "" {
			if f.look(filepath.Join(dir, run)) {
				return true
			}
			continue
		}
		for _, name := range strings.Split(string(found[1])+","+string(found[2]), ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " ") // import a as b
			name, _, _ = strings.Cut(strings.TrimLeft(name, "."), ".")
			if name != "" && f.module(dir, name) {
				return true
			}
		}
	}
	return false
}

// fewAbove is how many folders above the code are searched where nobody says
// which one is its root: that of a bundle's files on the workspace is not known.
const fewAbove = 2

// module looks for a module where the code that imports it may have it from.
func (f *importWalk) module(dir, name string) bool {
	for above := 0; ; above++ {
		if f.look(filepath.Join(dir, name)) {
			return true
		}
		if dir == f.root || f.root == "" && above == fewAbove || dir == filepath.Dir(dir) {
			return false
		}
		dir = filepath.Dir(dir)
	}
}

// look looks into the module or notebook at a path without its extension.
func (f *importWalk) look(path string) bool {
	if f.seen[path] || len(f.seen) > manyFiles {
		return false
	}
	f.seen[path] = true
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return anyNames(os.DirFS(path), f.names)
	}
	for _, file := range []string{path, path + ".py", path + ".ipynb", path + ".sql"} {
		if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() {
			continue
		}
		if filepath.Ext(file) == ".sql" {
			return true
		}
		text, err := os.ReadFile(file)
		return err == nil && (f.names(text) || f.follow(filepath.Dir(file), text))
	}
	return false
}

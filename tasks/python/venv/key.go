package venv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// format is part of every key: environments of another one are never used.
const format = "flowctl environment 1"

// key names an environment by all that goes into it.
func (s Spec) key() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, format, runtime.GOOS, runtime.GOARCH)
	addInterpreter(h, s.Interpreter)
	for _, name := range settings {
		fmt.Fprintf(h, "%s=%s\n", name, hidden(os.Getenv(name)))
	}
	for _, r := range s.Requirements {
		if r.Path == "" {
			fmt.Fprintf(h, "%q\n", hidden(r.Line))
			continue
		}
		add := addTree
		line := strings.ReplaceAll(r.Line, r.Path, "") // the same file elsewhere is the same
		switch {
		case r.editable():
			add, line = addProject, r.Line
		case r.option("-f", "--find-links"):
			add = addListing
		}
		fmt.Fprintf(h, "%q\n", line)
		if err := add(h, r.Path); err != nil {
			return "", &Error{Blamed: []Requirement{r}, Reason: err.Error()}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// settings are the installers' variables that decide what is installed.
// Whether there is a network does not: what was built stays usable without.
var settings = []string{
	"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "PIP_PRE", "PIP_NO_BINARY", "PIP_ONLY_BINARY",
	"UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_PRERELEASE",
}

// userinfo is the name and the password in an address.
var userinfo = regexp.MustCompile(`://[^/@\s]+@`)

// hidden takes names and passwords out of the addresses of a text: they
// change by the hour, and are nobody's business.
func hidden(text string) string { return userinfo.ReplaceAllString(text, "://") }

func (r Requirement) editable() bool { return r.option("-e", "--editable") }

// option tells whether a line is one of these options.
func (r Requirement) option(names ...string) bool {
	word, _, _ := strings.Cut(r.Line, " ")
	return slices.Contains(names, word)
}

// addInterpreter adds what tells an interpreter and its own packages from
// another that came to the same path.
func addInterpreter(h io.Writer, path string) {
	fmt.Fprintln(h, path)
	if st, err := os.Stat(path); err == nil {
		fmt.Fprintln(h, st.Size(), st.ModTime().UnixNano())
	}
	prefix := filepath.Dir(filepath.Dir(path))
	for _, pattern := range []string{"lib/python3*/site-packages", "lib/python3*/dist-packages", "local/lib/python3*/dist-packages"} {
		sites, _ := filepath.Glob(filepath.Join(prefix, pattern)) // the pattern is a good one
		for _, site := range sites {
			if names, err := installed(site); err == nil {
				fmt.Fprintln(h, names)
			}
		}
	}
}

// installed tells a folder of packages from the same with others, or with
// other versions, by the names of their metadata.
func installed(site string) (string, error) {
	entries, err := os.ReadDir(site)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, e := range entries {
		if slices.Contains([]string{".dist-info", ".egg-info", ".egg-link", ".pth"}, filepath.Ext(e.Name())) {
			fmt.Fprintln(h, e.Name())
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// addTree adds a file's content, or that of all files of a folder.
func addTree(h io.Writer, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return addFile(h, path)
	}
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != path && made(d):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q\n", filepath.ToSlash(rel))
		return addFile(h, p)
	})
}

// made tells what lies in a project's folder but is no source of it.
func made(d fs.DirEntry) bool {
	name := d.Name()
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".egg-info") || strings.HasSuffix(name, ".pyc") ||
		d.IsDir() && slices.Contains([]string{"__pycache__", "build", "dist", "venv", "node_modules"}, name)
}

// addProject adds what an editable installation depends on: how the project
// is built and which modules it has, not what is in them.
func addProject(h io.Writer, path string) error {
	for _, name := range []string{"pyproject.toml", "setup.cfg", "setup.py"} {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			if err := addFile(h, file); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{path, filepath.Join(path, "src")} {
		entries, err := os.ReadDir(dir)
		if err != nil && dir == path {
			return err
		}
		for _, e := range entries {
			if !made(e) && (e.IsDir() || strings.HasSuffix(e.Name(), ".py")) {
				fmt.Fprintf(h, "%q\n", e.Name())
			}
		}
	}
	return nil
}

// addListing adds what tells that a folder of wheels has changed.
func addListing(h io.Writer, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if st, err := e.Info(); err == nil {
			fmt.Fprintf(h, "%q %d %d\n", e.Name(), st.Size(), st.ModTime().UnixNano())
		}
	}
	return nil
}

func addFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	n, err := io.Copy(h, f)
	fmt.Fprintln(h, "", n)
	return err
}

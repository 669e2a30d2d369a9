package workspace

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"flowctl/tasks/notebook"
)

// Language is the language of a notebook.
type Language string

// The languages of notebooks.
const (
	Python Language = "PYTHON"
	SQL    Language = "SQL"
	Scala  Language = "SCALA"
	R      Language = "R"
)

const sourceMark = "Databricks notebook source"

// dialect is how a language writes a notebook as source.
type dialect struct {
	language Language
	ext      string // on disk
	comment  string
	magic    string // the cell magic of the language in a notebook of another
}

var dialects = []dialect{
	{Python, ".py", "#", "python"},
	{SQL, ".sql", "--", "sql"},
	{Scala, ".scala", "//", "scala"},
	{R, ".r", "#", "r"},
}

func dialectOf(l Language) (dialect, bool) {
	for _, d := range dialects {
		if d.language == l {
			return d, true
		}
	}
	return dialect{}, false
}

func dialectOfExt(ext string) (dialect, bool) {
	for _, d := range dialects {
		if strings.EqualFold(d.ext, ext) {
			return d, true
		}
	}
	return dialect{}, false
}

// header is the first line of a notebook in source form.
func (d dialect) header() string { return d.comment + " " + sourceMark }

// headed says whether content begins with the header. A byte order mark
// before it, and blanks after it, do no harm.
func (d dialect) headed(content []byte) bool {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	line, _, _ := bytes.Cut(content, []byte("\n"))
	return string(bytes.TrimRight(line, " \t\r")) == d.header()
}

// jupyter is as much of an .ipynb file as its source form needs.
type jupyter struct {
	Cells []jupyterCell `json:"cells"`
}

type jupyterCell struct {
	Type   string          `json:"cell_type"`
	Source json.RawMessage `json:"source"` // a string or a list of them
}

// maxJupyter is the size up to which an .ipynb file is read to see whether it
// is a notebook. Source: a workspace takes notebooks of 10 MB at most; with
// outputs files get larger.
const maxJupyter = 64 << 20

// parseJupyter reads an .ipynb file. False: it is no notebook.
func parseJupyter(content []byte) (nb jupyter, ok bool) {
	if _, ok := notebook.Detect(".ipynb", content); !ok {
		return nb, false
	}
	return nb, json.Unmarshal(content, &nb) == nil
}

// notebookKind is what a file on disk is: a notebook in a language, or none.
type notebookKind struct {
	notebook bool
	language Language
}

// seen is what was found out about a file, good as long as it does not change.
type seen struct {
	size     int64
	modified time.Time
	kind     notebookKind
}

// kinds remembers what files are, so that a list need not open each again.
type kinds struct {
	mu   sync.Mutex
	seen map[string]seen
}

const maxSeen = 20_000

// mayBeNotebook says whether a file's name is one that a notebook can have on
// disk. Of ".py" nothing would be left as the notebook's own name.
func mayBeNotebook(rel string) bool {
	ext := path.Ext(rel)
	return slices.Contains(notebook.Extensions, ext) && baseOf(rel) != ext
}

// notebookAt finds out whether the file at a place on disk is a notebook.
func (t *Tree) notebookAt(rel string, info fs.FileInfo) (notebookKind, error) {
	if !info.Mode().IsRegular() || !mayBeNotebook(rel) {
		return notebookKind{}, nil
	}
	t.kinds.mu.Lock()
	s, ok := t.kinds.seen[rel]
	t.kinds.mu.Unlock()
	if ok && s.size == info.Size() && s.modified.Equal(info.ModTime()) {
		return s.kind, nil
	}
	f, err := t.disk.root.Open(at(rel))
	if err != nil {
		return notebookKind{}, err
	}
	defer f.Close()
	kind, err := detect(rel, f, info.Size())
	if err == nil {
		t.kinds.put(rel, seen{info.Size(), info.ModTime(), kind})
	}
	return kind, err
}

// detect reads as much of a file as tells whether it is a notebook: of an
// .ipynb file all, of others the first line.
func detect(name string, f io.Reader, size int64) (notebookKind, error) {
	limit := int64(256)
	if path.Ext(name) == ".ipynb" {
		if limit = maxJupyter; size > limit {
			return notebookKind{}, nil
		}
	}
	content, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return notebookKind{}, err
	}
	language, ok := notebook.Detect(name, content)
	return notebookKind{ok, Language(language)}, nil
}

func (k *kinds) put(rel string, s seen) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil || len(k.seen) >= maxSeen {
		k.seen = map[string]seen{}
	}
	k.seen[rel] = s
}

// drop forgets a file that is about to change.
func (k *kinds) drop(rel string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.seen, rel)
}

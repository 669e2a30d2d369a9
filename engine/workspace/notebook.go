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

// notebookExts are the extensions that a notebook may have on disk, in the
// order in which they are looked for.
var notebookExts = []string{".py", ".r", ".R", ".scala", ".sql", ".ipynb"}

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

// jupyter is as much of an .ipynb file as tells what it is.
type jupyter struct {
	Cells         []jupyterCell   `json:"cells"`
	Metadata      json.RawMessage `json:"metadata"`
	NBFormat      int             `json:"nbformat"`
	NBFormatMinor int             `json:"nbformat_minor"`
}

type jupyterCell struct {
	Type   string          `json:"cell_type"`
	Source json.RawMessage `json:"source"` // a string or a list of them
}

// maxJupyter is the size up to which an .ipynb file is read to see whether it
// is a notebook. Source: a workspace takes notebooks of 10 MB at most; with
// outputs files get larger.
const maxJupyter = 64 << 20

// parseJupyter reads an .ipynb file. False: it is none, or of a format older
// than 4.
func parseJupyter(content []byte) (nb jupyter, ok bool) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if json.Unmarshal(content, &nb) != nil {
		return nb, false
	}
	return nb, nb.NBFormat >= 4 && nb.Cells != nil && nb.Metadata != nil
}

// language is a notebook's default language: what Databricks wrote down, else
// the kernel's, else Python.
func (nb jupyter) language() Language {
	var meta struct {
		Databricks struct {
			Language string `json:"language"`
		} `json:"application/vnd.databricks.v1+notebook"`
		Kernel struct {
			Language string `json:"language"`
		} `json:"kernelspec"`
		Info struct {
			Name string `json:"name"`
		} `json:"language_info"`
	}
	_ = json.Unmarshal(nb.Metadata, &meta) // what is not there is empty
	for _, name := range []string{meta.Databricks.Language, meta.Kernel.Language, meta.Info.Name} {
		if d, ok := dialectOf(Language(strings.ToUpper(name))); ok {
			return d.language
		}
	}
	return Python
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
	return slices.Contains(notebookExts, ext) && baseOf(rel) != ext
}

// notebookAt finds out whether the file at a place on disk is a notebook.
func (t *Tree) notebookAt(rel string, info fs.FileInfo) (notebookKind, error) {
	ext := path.Ext(rel)
	d, isSource := dialectOfExt(ext)
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
	s = seen{size: info.Size(), modified: info.ModTime()}
	if isSource {
		head := make([]byte, 128)
		n, err := io.ReadFull(f, head)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return notebookKind{}, err
		}
		s.kind = notebookKind{d.headed(head[:n]), d.language}
	} else if info.Size() <= maxJupyter {
		content, err := io.ReadAll(io.LimitReader(f, maxJupyter))
		if err != nil {
			return notebookKind{}, err
		}
		nb, ok := parseJupyter(content)
		s.kind = notebookKind{ok, nb.language()}
	}
	if !s.kind.notebook {
		s.kind.language = ""
	}
	t.kinds.put(rel, s)
	return s.kind, nil
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

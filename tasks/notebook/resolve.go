// Package notebook knows notebook files: which files are notebooks, and which
// file a notebook's path means. It runs nothing and knows no jobs; the cells
// are read where they run, by the embedded Python runtime.
package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Extensions are what a notebook's path may lack, in the order in which they
// are tried.
//
// Source: the Databricks CLI, which strips them on import.
var Extensions = []string{".py", ".sql", ".scala", ".r", ".R", ".ipynb"}

// headers are the first lines by which a source file is a notebook.
var headers = map[string]string{
	".py":    "# Databricks notebook source",
	".r":     "# Databricks notebook source",
	".sql":   "-- Databricks notebook source",
	".scala": "// Databricks notebook source",
}

// languages are the notebook languages by extension.
var languages = map[string]string{".py": "PYTHON", ".r": "R", ".sql": "SQL", ".scala": "SCALA"}

// Detect tells whether a file of this name and content is a notebook, and in
// which language (PYTHON, SQL, SCALA, R).
func Detect(name string, content []byte) (language string, ok bool) {
	ext := strings.ToLower(filepath.Ext(name))
	if ext == ".ipynb" {
		return jupyter(content)
	}
	header, known := headers[ext]
	if !known {
		return "", false
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	line, _, _ := bytes.Cut(content[:min(len(content), 256)], []byte("\n"))
	if strings.TrimRight(string(line), " \t\r") != header {
		return "", false
	}
	return languages[ext], true
}

func jupyter(content []byte) (string, bool) {
	var book struct {
		Cells    []json.RawMessage `json:"cells"`
		Format   int               `json:"nbformat"`
		Metadata struct {
			Databricks struct {
				Language string `json:"language"`
			} `json:"application/vnd.databricks.v1+notebook"`
		} `json:"metadata"`
	}
	if json.Unmarshal(content, &book) != nil || book.Cells == nil || book.Format < 4 {
		return "", false
	}
	if l := strings.ToUpper(book.Metadata.Databricks.Language); l != "" {
		return l, true
	}
	return "PYTHON", true
}

// Resolve finds the file that a notebook's path means: the path itself if it
// is a notebook, else the path with one of the Extensions. The error lists
// what was tried, or names the two files that are both meant.
func Resolve(path string) (string, error) {
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
		return path, check(path)
	}
	var hits []string
	for _, ext := range Extensions {
		st, err := os.Stat(path + ext)
		if err == nil && st.Mode().IsRegular() && !sameFile(hits, st) {
			hits = append(hits, path+ext)
		}
	}
	switch len(hits) {
	case 1:
		return hits[0], check(hits[0])
	case 0:
		return "", fmt.Errorf("no notebook %s (tried %s)%s", path, strings.Join(Extensions, " "), nearby(path))
	}
	return "", fmt.Errorf("notebook %s is ambiguous: there are %s; a workspace could not hold both", path, strings.Join(hits, " and "))
}

// sameFile is for file systems that do not tell .r from .R.
func sameFile(hits []string, st os.FileInfo) bool {
	return slices.ContainsFunc(hits, func(h string) bool {
		other, err := os.Stat(h)
		return err == nil && os.SameFile(other, st)
	})
}

// check refuses a file that is no notebook.
func check(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read notebook: %w", err)
	}
	if _, ok := Detect(path, content); ok {
		return nil
	}
	header, known := headers[strings.ToLower(filepath.Ext(path))]
	if !known {
		return fmt.Errorf("%s is no notebook", path)
	}
	return fmt.Errorf("%s is a file, not a notebook: a notebook's first line is %q; run a plain script with spark_python_task", path, header)
}

// nearby names the notebook in the same folder that the path may have meant.
func nearby(path string) string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return fmt.Sprintf("; there is no folder %s", filepath.Dir(path))
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); slices.Contains(Extensions, ext) {
			names = append(names, strings.TrimSuffix(e.Name(), ext))
		}
	}
	if len(names) == 0 {
		return ""
	}
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return "; the folder has " + strings.Join(names, ", ")
}

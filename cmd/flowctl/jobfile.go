package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"flowctl/jobspec"
)

// readJobFile reads a job file; - is standard input.
func (e *env) readJobFile(path string) (*jobspec.Document, error) {
	if path == "-" {
		data, err := io.ReadAll(e.stdin)
		if err != nil {
			return nil, unable(fmt.Errorf("read standard input: %w", err))
		}
		return jobspec.Read("<stdin>", data)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("read job file: %w", err)
	}
	return jobspec.Read(path, data)
}

// pickJob reads a job file and finds the job that key names in it.
func (e *env) pickJob(file, key string) (*jobspec.Document, *jobspec.Entry, error) {
	doc, err := e.readJobFile(file)
	if err != nil {
		return nil, nil, err
	}
	entry, err := doc.Pick(key)
	if err != nil {
		return nil, nil, usage("%w", err)
	}
	return doc, entry, nil
}

// accept prints what is wrong with a job file, and refuses it if that is more
// than warnings.
func (e *env) accept(problems []jobspec.Problem) error {
	for _, p := range problems {
		fmt.Fprintln(e.stderr, p)
	}
	if jobspec.HasErrors(problems) {
		return &exitError{code: exitUsage}
	}
	return nil
}

// goodJob is a job of a file that breaks no rule.
func (e *env) goodJob(file, key string, opt jobspec.CheckOptions) (*jobspec.Entry, error) {
	doc, entry, err := e.pickJob(file, key)
	if err != nil {
		return nil, err
	}
	return entry, e.accept(doc.Check(opt))
}

// codeDir is the folder from which a job file's relative paths start.
func codeDir(path string) (string, error) {
	if path == "-" {
		return os.Getwd()
	}
	abs, err := filepath.Abs(path)
	return filepath.Dir(abs), err
}

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

// codeDir is the folder from which a job file's relative paths start.
func codeDir(path string) (string, error) {
	if path == "-" {
		return os.Getwd()
	}
	abs, err := filepath.Abs(path)
	return filepath.Dir(abs), err
}

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"flowctl/tasks"
	uploads "flowctl/tasks/databricks/upload"
)

// artifacts reads how the wheels of a bundle are built: its file says so
// beside the resources. A file of another form has none.
func (e *env) artifacts(file, dir string) ([]uploads.Artifact, error) {
	if file == "-" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usage("read job file: %w", err)
	}
	var bundle struct {
		Artifacts map[string]struct {
			Type  string `yaml:"type"`
			Build string `yaml:"build"`
			Path  string `yaml:"path"`
		} `yaml:"artifacts"`
	}
	if err := yaml.Unmarshal(data, &bundle); err != nil {
		return nil, usage("%s: artifacts: %s", file, yaml.FormatError(err, false, true))
	}
	var list []uploads.Artifact
	for _, name := range slices.Sorted(maps.Keys(bundle.Artifacts)) {
		a := bundle.Artifacts[name]
		if a.Type != "whl" {
			fmt.Fprintf(e.stderr, "warning: artifacts.%s: only type whl is built, this is %q\n", name, a.Type)
			continue
		}
		list = append(list, uploads.Artifact{Name: name, Type: a.Type, Build: a.Build, Path: filepath.Join(dir, filepath.FromSlash(a.Path))})
	}
	return list, nil
}

// source is where a job file's code is on this machine. The file itself and
// flowctl.yaml are no code.
func (e *env) source(file string, code tasks.Code) (uploads.Source, error) {
	artifacts, err := e.artifacts(file, code.Dir)
	return uploads.Source{
		Dir: code.Dir, Roots: code.Roots, Artifacts: artifacts, Log: e.stderr,
		Without: []string{filepath.Join(code.Dir, filepath.Base(file)), filepath.Join(code.Dir, "flowctl.yaml")},
	}, err
}

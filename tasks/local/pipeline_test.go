package local

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/pipelines"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks"
)

// What SQL cannot import is not installed: the folder need not be a project.
func TestPipelineOfSQLAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.sql")
	require.NoError(t, os.WriteFile(file, []byte("SELECT 1"), 0o600))
	var notes []string
	tr := translator{
		place: "p", note: func(text string) { notes = append(notes, text) },
		locate: func(_, path string) (place, error) { return place{path: path}, nil },
		spec: pipelines.CreatePipeline{
			Libraries:   []pipelines.PipelineLibrary{{File: &pipelines.FileLibrary{Path: file}}},
			Environment: &pipelines.PipelinesEnvironment{Dependencies: []string{"--editable /nowhere"}},
		},
	}
	p, err := tr.translate()
	require.NoError(t, err)
	assert.Empty(t, p.Environment.Dependencies)
	assert.Equal(t, []string{"p: environment.dependencies: not installed, for the pipeline has SQL files alone, which import nothing"}, notes)
}

// The definition of a pipeline becomes its files, once each, the packages that
// it and its notebooks ask for, and names with their defaults.
func TestPipelineTranslation(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"src/a.py":             "x",
		"src/deep/b.sql":       "SELECT 1",
		"src/deep/notes.txt":   "no source",
		"src/__pycache__/c.py": "no source",
		"src/n.py":             "# Databricks notebook source\n# MAGIC %pip install --quiet 'faker>=2' -r more.txt\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	tr := translator{
		place: "p", note: func(string) {},
		locate: func(_, path string) (place, error) { return place{path: filepath.Join(dir, path)}, nil },
		spec: pipelines.CreatePipeline{
			Name: "p", Target: "sales",
			Libraries: []pipelines.PipelineLibrary{
				{Notebook: &pipelines.NotebookLibrary{Path: "src/n"}}, {Glob: &pipelines.PathPattern{Include: "src/**"}},
			},
			Environment: &pipelines.PipelinesEnvironment{Dependencies: []string{"rich"}},
		},
	}
	p, err := tr.translate()
	require.NoError(t, err)
	var files []string
	for _, f := range p.Files {
		rel, err := filepath.Rel(dir, f.Path)
		require.NoError(t, err)
		files = append(files, f.Kind+" "+rel)
	}
	assert.Equal(t, []string{"notebook src/n.py", "python src/a.py", "sql src/deep/b.sql"}, files)
	assert.Equal(t, []string{"rich", "faker>=2", "-r more.txt"}, p.Environment.Dependencies)
	assert.Equal(t, [2]string{"hive_metastore", "sales"}, [2]string{p.Catalog, p.Schema})

	tr.spec.Catalog = "${var.catalog}"
	_, err = tr.translate()
	assert.ErrorContains(t, err, "${var.catalog} is a variable of the bundle")
}

// A pipeline is found in the job's file by its resource key, else among those
// that were made through the API.
func TestPipelineDefinition(t *testing.T) {
	o := &Options{Pipeline: func(_ context.Context, _ tasks.Attempt, id string) (json.RawMessage, error) {
		if id == "known" {
			return json.RawMessage(`{"name":"made","schema":"dev"}`), nil
		}
		return nil, nil
	}}
	a := tasks.Attempt{Code: tasks.Code{Dir: "/job", Pipelines: map[string]json.RawMessage{"own": json.RawMessage(`{"name":"of the file"}`)}}}
	spec, id, err := o.definition(t.Context(), a, "known")
	require.NoError(t, err)
	assert.Equal(t, "made known", spec.Name+" "+id)
	spec, id, err = o.definition(t.Context(), a, "${resources.pipelines.own.id}")
	require.NoError(t, err)
	assert.Equal(t, "of the file", spec.Name)
	assert.Regexp(t, `^own-[0-9a-f]{12}$`, id)

	for _, ref := range []string{"unknown", "${resources.pipelines.other.id}", "../../etc"} {
		_, _, err = o.definition(t.Context(), a, ref)
		require.ErrorContains(t, err, "there is no pipeline")
		assert.ErrorContains(t, err, ref)
	}
	_, _, err = (&Options{}).definition(t.Context(), a, "known")
	assert.ErrorContains(t, err, "there is no pipeline", "a process without the API knows those of the file alone")
}

package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/pipelines"

	"flowctl/tasks/notebook"
	"flowctl/tasks/python"
)

// translator makes of the definition of a Databricks pipeline what runs here.
type translator struct {
	spec   pipelines.CreatePipeline
	place  string // the pipeline, for messages
	locate func(field, path string) (place, error)
	note   func(string)

	files []python.PipelineFile
}

func (t *translator) translate() (*python.Pipeline, error) {
	s := t.spec
	switch {
	case s.IngestionDefinition != nil || s.GatewayDefinition != nil:
		return nil, invalid("%s: ingestion pipelines read from services that only a workspace reaches; run the task there with --remote", t.place)
	case len(s.Parameters) > 0:
		return nil, invalid("%s: parameters: Spark's own pipelines, which run here, have no parameters; use configuration", t.place)
	case len(s.Libraries) == 0:
		return nil, invalid("%s: libraries is empty: there is no source code to run", t.place)
	}
	if s.Continuous {
		t.note(t.place + ": continuous: here an update processes what is there and ends, as a triggered one does")
	}
	p := &python.Pipeline{Name: s.Name, Catalog: s.Catalog, Schema: s.Schema, Conf: s.Configuration}
	if p.Schema == "" {
		p.Schema = s.Target
	}
	if p.Schema == "" {
		p.Schema = "default"
	}
	if p.Catalog == "" {
		p.Catalog = "hive_metastore"
	}
	for field, value := range map[string]string{"catalog": p.Catalog, "schema": p.Schema} {
		if strings.Contains(value, "${") {
			return nil, invalid("%s: %s: %s is a variable of the bundle, whose value is not known here; write the value", t.place, field, value)
		}
	}
	if s.RootPath != "" {
		root, err := t.locate("root_path", s.RootPath)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.place, err)
		}
		p.Root = root.path
	}
	for i, l := range s.Libraries {
		if err := t.library(fmt.Sprintf("%s: libraries[%d]", t.place, i), l); err != nil {
			return nil, err
		}
	}
	if len(t.files) == 0 {
		return nil, notFound("%s: libraries: no .py, .sql or .ipynb file is there", t.place)
	}
	p.Files = t.files
	var err error
	p.Environment, err = t.environment()
	return p, err
}

// library takes the files of one library.
func (t *translator) library(field string, l pipelines.PipelineLibrary) error {
	switch {
	case l.Notebook != nil:
		p, err := t.locate(field+".notebook.path", l.Notebook.Path)
		if err != nil {
			return err
		}
		file, err := notebook.Resolve(p.path)
		if err != nil {
			return notFound("%s.notebook.path: %v%s", field, err, p.hint)
		}
		return t.add(file)
	case l.File != nil:
		p, err := t.locate(field+".file.path", l.File.Path)
		if err != nil {
			return err
		}
		if err := present(field+".file.path", p.path, ".py"); err != nil {
			return err
		}
		return t.add(p.path)
	case l.Glob != nil:
		return t.glob(field+".glob.include", l.Glob.Include)
	}
	return invalid("%s: notebook, file and glob are what runs here; what a pipeline imports goes into environment.dependencies", field)
}

// glob takes the source files that a pattern means: all below a folder with
// /** at its end, else those of that name.
//
// Source: the SDK's documentation of PathPattern, and the bundle templates.
func (t *translator) glob(field, pattern string) error {
	dir, all := strings.CutSuffix(pattern, "/**")
	p, err := t.locate(field, dir)
	if err != nil {
		return err
	}
	if !all {
		found, err := filepath.Glob(p.path)
		if err != nil {
			return invalid("%s: %s is no pattern: %v", field, pattern, err)
		}
		if len(found) == 0 {
			if file, err := notebook.Resolve(p.path); err == nil {
				found = []string{file}
			}
		}
		for _, f := range found {
			if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() {
				if err := t.add(f); err != nil {
					return err
				}
			}
		}
		if len(found) == 0 {
			return notFound("%s: nothing is at %s%s", field, p.path, p.hint)
		}
		return nil
	}
	err = filepath.WalkDir(p.path, func(path string, d fs.DirEntry, err error) error {
		switch name := filepath.Base(path); {
		case err != nil:
			return err
		case d.IsDir() && path != p.path && (name == "__pycache__" || strings.HasPrefix(name, ".")):
			return filepath.SkipDir
		case d.Type().IsRegular() && slices.Contains([]string{".py", ".sql", ".ipynb"}, filepath.Ext(name)):
			return t.add(path)
		}
		return nil
	})
	if os.IsNotExist(err) {
		return notFound("%s: there is no folder %s%s", field, p.path, p.hint)
	}
	return err
}

// add takes a source file, once.
func (t *translator) add(path string) error {
	if slices.ContainsFunc(t.files, func(f python.PipelineFile) bool { return f.Path == path }) {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return notFound("%s: %v", t.place, err)
	}
	kind := map[string]string{".py": "python", ".sql": "sql"}[filepath.Ext(path)]
	if _, ok := notebook.Detect(path, content); ok {
		kind = "notebook"
	}
	if kind == "" {
		return invalid("%s: %s is neither Python, SQL nor a notebook of these", t.place, path)
	}
	t.files = append(t.files, python.PipelineFile{Path: path, Kind: kind})
	return nil
}

// environment are the packages that the pipeline asks for: by its environment,
// and by %pip in its notebooks. SQL imports nothing, so that a pipeline of SQL
// files alone gets none: the published lakeflow_pipelines_sql names a project
// that is not there.
func (t *translator) environment() (python.PipelineEnvironment, error) {
	e := python.PipelineEnvironment{Place: t.place + ": environment"}
	imports := slices.ContainsFunc(t.files, func(f python.PipelineFile) bool { return f.Kind != "sql" })
	if s := t.spec.Environment; s != nil && len(s.Dependencies) > 0 && !imports {
		t.note(t.place + ": environment.dependencies: not installed, for the pipeline has SQL files alone, which import nothing")
	} else if s != nil {
		e.Version, e.Dependencies = s.EnvironmentVersion, slices.Clone(s.Dependencies)
	}
	for _, f := range t.files {
		if f.Kind != "notebook" {
			continue
		}
		text, err := os.ReadFile(f.Path)
		if err != nil {
			return e, notFound("%s: %v", t.place, err)
		}
		e.Dependencies = append(e.Dependencies, pipLines(string(text))...)
	}
	return e, nil
}

// pipLines are the requirements of the %pip install lines of a notebook, source
// or Jupyter: a pipeline has them installed before any of its code runs.
func pipLines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Trim(strings.TrimSpace(line), `",`) // a line of a Jupyter notebook is a JSON string
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSuffix(line, `\n`), "# MAGIC"))
		rest, ok := strings.CutPrefix(line, "%pip install ")
		if !ok {
			continue
		}
		option := ""
		for word := range strings.FieldsSeq(rest) {
			word = strings.Trim(strings.ReplaceAll(word, `\"`, `"`), `"'`)
			switch {
			case option != "":
				out, option = append(out, option+" "+word), ""
			case slices.Contains([]string{"-r", "--requirement", "-e", "--editable", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links"}, word):
				option = word
			case !strings.HasPrefix(word, "-") || strings.Contains(word, "="):
				out = append(out, word)
			}
		}
	}
	return out
}

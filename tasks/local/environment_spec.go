package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"flowctl/jobspec"
	"flowctl/tasks/notebook"
	"flowctl/tasks/python"
)

// environmentSpec is the "spec" of one of the job's environments, and what a
// file says that it names as its base.
type environmentSpec struct {
	Client             string   `json:"client" yaml:"client"`
	EnvironmentVersion string   `json:"environment_version" yaml:"environment_version"`
	BaseEnvironment    string   `json:"base_environment" yaml:"-"`
	Dependencies       []string `json:"dependencies" yaml:"dependencies"`
	JavaDependencies   []string `json:"java_dependencies" yaml:"java_dependencies"`

	dir string // where its relative paths start, before the job's own folder: a notebook's folder
}

// inlineOf is the environment that a notebook itself asks for; nil if it asks
// for none, or is no notebook.
func inlineOf(c python.Context) (*notebook.Environment, error) {
	if p := c.Pipeline; p != nil {
		e := p.Environment
		return &notebook.Environment{Place: e.Place, Version: e.Version, Dependencies: e.Dependencies, Dir: e.Dir}, nil
	}
	if c.Kind != "notebook" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Path)
	if err != nil {
		return nil, notFound("notebook_task.notebook_path: %v", err)
	}
	inline, err := notebook.Inline(c.Path, text)
	if err != nil {
		return nil, invalid("notebook_task.notebook_path: %v", err)
	}
	if inline != nil {
		inline.Dir = filepath.Dir(c.Path)
	}
	return inline, nil
}

// environment takes the lines of the task's environment, or without one those
// of the notebook itself. A notebook's own are for serverless compute: on a
// cluster its libraries count, and the template default-python has both.
func (c *collector) environment(inline *notebook.Environment) error {
	compute := c.a.Task.Compute
	key := compute.EnvironmentKey
	if key == "" || c.a.Job == nil {
		onCluster := compute.JobClusterKey != "" || compute.ExistingClusterID != "" || len(compute.NewCluster) > 0
		if inline == nil || onCluster && c.a.Task.Type == jobspec.NotebookTask {
			return nil
		}
		return c.spec(inline.Place, environmentSpec{EnvironmentVersion: inline.Version, BaseEnvironment: inline.Base, Dependencies: inline.Dependencies, dir: inline.Dir})
	}
	for i, e := range c.a.Job.Environments {
		if e.Key != key || len(e.Spec) == 0 {
			continue
		}
		var spec environmentSpec
		place := fmt.Sprintf("environments[%d].spec", i)
		if err := json.Unmarshal(e.Spec, &spec); err != nil {
			return invalid("%s: %v", place, err)
		}
		return c.spec(place, spec)
	}
	return nil
}

func (c *collector) spec(place string, spec environmentSpec) error {
	if err := c.base(place+".base_environment", spec.BaseEnvironment, spec.dir); err != nil {
		return err
	}
	c.version(place, spec)
	for n, line := range spec.Dependencies {
		if err := c.line(fmt.Sprintf("%s.dependencies[%d]", place, n), line, spec.dir); err != nil {
			return err
		}
	}
	for n, java := range spec.JavaDependencies {
		field := fmt.Sprintf("%s.java_dependencies[%d]", place, n)
		if !strings.HasSuffix(java, ".jar") {
			c.jars = append(c.jars, jarLibrary{Field: field, Coordinates: java})
			continue
		}
		files, err := c.files(field, java, "")
		if err != nil {
			return err
		}
		c.jars = append(c.jars, jarLibrary{Field: field, Path: files[0]})
	}
	return nil
}

// base takes the lines of the file that an environment begins with.
func (c *collector) base(field, path, dir string) error {
	switch {
	case path == "":
		return nil
	case strings.HasPrefix(path, "workspace-base-environments/"):
		c.notes = append(c.notes, fmt.Sprintf("%s: %s is of the workspace alone; the environment begins with this machine's Python", field, path))
		return nil
	}
	files, err := c.files(field, path, dir)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return uninstallable("%s: %v", field, err)
	}
	var spec environmentSpec
	if err := yaml.Unmarshal(data, &spec); err != nil {
		return invalid("%s: %s: %s", field, files[0], strings.Join(strings.Fields(yaml.FormatError(err, false, false)), " "))
	}
	for n, line := range spec.Dependencies {
		if err := c.line(fmt.Sprintf("%s (dependencies[%d])", field, n), line, spec.dir); err != nil {
			return err
		}
	}
	return nil
}

// versions are the Python versions of Databricks' environment versions.
//
// Source: the release notes of serverless environment versions 1 to 5.
var versions = map[string]string{"1": "3.10", "2": "3.11", "3": "3.12", "4": "3.12", "5": "3.12"}

// version says, when an environment is built, that a workspace would run it
// with another Python.
func (c *collector) version(place string, spec environmentSpec) {
	field, version := place+".environment_version", spec.EnvironmentVersion
	if version == "" {
		field, version = place+".client", spec.Client
	}
	python, known := versions[version]
	switch {
	case version == "":
	case !known:
		c.brief = append(c.brief, fmt.Sprintf("%s: %q is not known here; it is built with Python %s", field, version, c.here))
	case c.here != "" && !strings.HasPrefix(c.here+".", python+"."):
		c.brief = append(c.brief, fmt.Sprintf("%s: %s has Python %s on a workspace; here it is built with %s (name another by --python or $FLOWCTL_PYTHON)", field, version, python, c.here))
	}
}

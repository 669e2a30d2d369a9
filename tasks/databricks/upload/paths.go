package upload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/tasks/notebook"
)

// kind is what a path of a job names.
type kind int

const (
	aNotebook    kind = iota // its extension may be missing
	aFile                    // a file, or a pattern with one match
	aFolder                  // a folder
	aRequirement             // a line of a requirements file, which may hold a path
)

// visitor is told every path of a job, and answers what shall stand there.
type visitor func(at string, k kind, value string) (string, error)

// decode reads an object and keeps its numbers as they are.
func decode(raw json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	return m, nil
}

// visitJob calls v for the paths of a whole job. All problems come joined.
func visitJob(job map[string]any, v visitor) error {
	var errs []error
	_, git := job["git_source"].(map[string]any)
	for i, t := range objects(job["tasks"]) {
		errs = append(errs, visitTask(t, fmt.Sprintf("tasks[%d].", i), git, v))
	}
	if job["tasks"] == nil { // the single-task form of API 2.0
		errs = append(errs, visitTask(job, "", git, v))
	}
	for i, e := range objects(job["environments"]) {
		if spec, ok := e["spec"].(map[string]any); ok {
			errs = append(errs, visitList(spec, "dependencies", fmt.Sprintf("environments[%d].spec.", i), aRequirement, v))
		}
	}
	return errors.Join(errs...)
}

// visitTask calls v for the paths of one task, a nested one included. With
// git, relative paths are those of the checkout and stay.
func visitTask(t map[string]any, at string, git bool, v visitor) error {
	var errs []error
	one := func(o map[string]any, key, at string, k kind, fromGit bool) {
		text, ok := o[key].(string)
		if !ok || text == "" || fromGit {
			return
		}
		out, err := v(at+key, k, text)
		if err != nil {
			errs = append(errs, err)
			return
		}
		o[key] = out
	}
	part := func(key string) (map[string]any, bool, bool) {
		o, ok := t[key].(map[string]any)
		return o, ok, ok && (o["source"] == "GIT" || git && o["source"] != "WORKSPACE")
	}
	if o, ok, inGit := part("notebook_task"); ok {
		one(o, "notebook_path", at+"notebook_task.", aNotebook, inGit)
	}
	if o, ok, inGit := part("spark_python_task"); ok {
		one(o, "python_file", at+"spark_python_task.", aFile, inGit)
	}
	if o, ok, inGit := part("dbt_task"); ok {
		errs = append(errs, visitProfiles(o, at+"dbt_task.", inGit, v))
		one(o, "project_directory", at+"dbt_task.", aFolder, inGit)
	}
	if o, ok := t["sql_task"].(map[string]any); ok {
		if f, ok := o["file"].(map[string]any); ok {
			one(f, "path", at+"sql_task.file.", aFile, f["source"] == "GIT" || git && f["source"] != "WORKSPACE")
		}
	}
	for i, lib := range objects(t["libraries"]) {
		for _, key := range []string{"whl", "jar", "egg", "requirements"} {
			one(lib, key, fmt.Sprintf("%slibraries[%d].", at, i), aFile, false)
		}
	}
	if o, ok := t["for_each_task"].(map[string]any); ok {
		if nested, ok := o["task"].(map[string]any); ok {
			errs = append(errs, visitTask(nested, at+"for_each_task.task.", git, v))
		}
	}
	return errors.Join(errs...)
}

// visitProfiles calls v for the folder of a dbt task's profiles. A relative
// one is relative to the project, and stays: the project's surroundings are
// the same on the workspace. It comes before the project, whose path v changes.
//
// Source: the Databricks CLI, which rewrites project_directory only, and its
// template dbt-sql ("../" and "dbt_profiles/").
func visitProfiles(dbt map[string]any, at string, inGit bool, v visitor) error {
	dir, _ := dbt["profiles_directory"].(string)
	if dir == "" || inGit {
		return nil
	}
	if path.IsAbs(dir) || strings.Contains(dir, ":/") || strings.HasPrefix(dir, "{{") {
		out, err := v(at+"profiles_directory", aFolder, dir)
		if err == nil {
			dbt["profiles_directory"] = out
		}
		return err
	}
	project, _ := dbt["project_directory"].(string)
	_, err := v(at+"profiles_directory", aFolder, path.Join(project, dir))
	return err
}

func visitList(o map[string]any, key, at string, k kind, v visitor) error {
	list, _ := o[key].([]any)
	var errs []error
	for i, it := range list {
		text, ok := it.(string)
		if !ok {
			continue
		}
		out, err := v(fmt.Sprintf("%s%s[%d]", at, key, i), k, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list[i] = out
	}
	return errors.Join(errs...)
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, it := range list {
		if o, ok := it.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// pathOptions are an installer's options whose value is a path.
var pathOptions = []string{"-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-f", "--find-links"}

// split takes the path out of a value: of a requirement, what stands before it.
func split(k kind, value string) (before, p string) {
	if k != aRequirement {
		return "", value
	}
	text := strings.TrimSpace(value)
	if option, rest, ok := strings.Cut(text, " "); ok && slices.Contains(pathOptions, option) {
		return option + " ", strings.TrimSpace(rest)
	}
	if strings.HasSuffix(text, ".whl") || strings.HasSuffix(text, ".tar.gz") || strings.HasPrefix(text, ".") || strings.HasPrefix(text, "/") {
		return "", text
	}
	return value, "" // the name of a package
}

// local is where a path of the job leads on this machine; empty if it leads
// elsewhere: a path of the workspace that no root maps, a volume, a bucket.
func (s *Source) local(p string) string {
	switch {
	case p == "" || strings.Contains(p, ":/"):
		return ""
	case !strings.HasPrefix(p, "/"):
		return filepath.Join(s.Dir, filepath.FromSlash(p))
	}
	p = plain(p)
	best, dir := "", ""
	for prefix, to := range s.Roots {
		if r := plain(prefix); (p == r || strings.HasPrefix(p, r+"/")) && len(r) > len(best) {
			best, dir = r, to
		}
	}
	if best == "" {
		return ""
	}
	return filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(p, best)))
}

// plain is a workspace path without the prefix /Workspace, which means nothing.
func plain(p string) string {
	return path.Clean("/" + strings.TrimPrefix(strings.TrimPrefix(p, "/Workspace/"), "/"))
}

// resolve finds the file or folder that a local path means.
func resolve(k kind, file string) (string, error) {
	switch k {
	case aNotebook:
		return notebook.Resolve(file)
	case aFolder:
		st, err := os.Stat(file)
		if err != nil || !st.IsDir() {
			return "", fmt.Errorf("there is no folder %s", file)
		}
		return file, nil
	}
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	hits, err := filepath.Glob(file)
	switch {
	case err != nil || len(hits) == 0:
		return "", fmt.Errorf("there is no file %s", file)
	case len(hits) > 1:
		return "", fmt.Errorf("%s matches %d files: %s", file, len(hits), strings.Join(hits, ", "))
	}
	return hits[0], nil
}

// dynamic tells whether a path is known only when the task runs.
func dynamic(p string) bool { return strings.Contains(p, "{{") }

// named lists what of this machine the job's paths name.
func (s *Source) named(job map[string]any) ([]string, error) {
	set := map[string]bool{}
	err := visitJob(job, func(at string, k kind, value string) (string, error) {
		_, p := split(k, value)
		file := s.local(p)
		if file == "" {
			return value, nil
		}
		if dynamic(p) { // the folder goes along; which file it is shows later
			set[staticPart(file)] = true
			return value, nil
		}
		found, err := resolve(k, file)
		if err != nil {
			return value, &Problem{at, err.Error()}
		}
		set[found] = true
		return value, nil
	})
	list := make([]string, 0, len(set))
	for p := range set {
		list = append(list, p)
	}
	slices.Sort(list)
	return list, err
}

// staticPart is the folder of a path before the first reference in it.
func staticPart(file string) string {
	head, _, _ := strings.Cut(file, "{{")
	return filepath.Dir(head + "x")
}

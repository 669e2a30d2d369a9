package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/tasks"
)

// requirement is one thing to install, and the field of the job that asks for it.
type requirement struct {
	args  []string // for the installer
	field string
	path  string // of the file or folder of this machine that it is read from; empty: from an index
}

// String is the requirement as people know it.
func (r requirement) String() string { return strings.Join(r.args, " ") + " (" + r.field + ")" }

func uninstallable(format string, args ...any) error {
	return &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: fmt.Sprintf(format, args...)}
}

// requirements collects what the task's libraries and its environment name.
// skipped are the libraries that plain Python has no use for.
func (o *Options) requirements(a tasks.Attempt) (reqs []requirement, skipped []string, err error) {
	var libs []struct {
		Pypi         *struct{ Package, Repo string }
		Whl          string
		Requirements string
		Egg          string
		Jar          string
		Maven        *struct{ Coordinates string }
		Cran         json.RawMessage
	}
	if len(a.Task.Libraries) > 0 {
		if err := json.Unmarshal(a.Task.Libraries, &libs); err != nil {
			return nil, nil, invalid("libraries: %v", err)
		}
	}
	for i, l := range libs {
		field := fmt.Sprintf("libraries[%d]", i)
		switch {
		case l.Pypi != nil:
			r := requirement{args: []string{l.Pypi.Package}, field: field + ".pypi"}
			if l.Pypi.Repo != "" {
				r.args = append(r.args, "--extra-index-url", l.Pypi.Repo)
			}
			reqs = append(reqs, r)
		case l.Whl != "":
			reqs = append(reqs, requirement{args: []string{l.Whl}, field: field + ".whl"})
		case l.Requirements != "":
			reqs = append(reqs, requirement{args: []string{"-r", l.Requirements}, field: field + ".requirements"})
		case l.Egg != "":
			return nil, nil, uninstallable("%s.egg: eggs are no longer supported; build a wheel", field)
		case l.Cran != nil:
			return nil, nil, uninstallable("%s.cran: R packages cannot be installed here; run the task on a workspace", field)
		case l.Jar != "":
			skipped = append(skipped, l.Jar)
		case l.Maven != nil:
			skipped = append(skipped, l.Maven.Coordinates)
		}
	}
	env, err := environmentDependencies(a)
	if err != nil {
		return nil, nil, err
	}
	reqs = append(reqs, env...)
	for i := range reqs {
		if err := o.localize(a, &reqs[i]); err != nil {
			return nil, nil, err
		}
	}
	return reqs, skipped, nil
}

// environmentDependencies are the lines of the task's environment: each is
// one of a requirements file.
func environmentDependencies(a tasks.Attempt) ([]requirement, error) {
	key := a.Task.Compute.EnvironmentKey
	if key == "" || a.Job == nil {
		return nil, nil
	}
	var reqs []requirement
	for i, e := range a.Job.Environments {
		if e.Key != key || len(e.Spec) == 0 {
			continue
		}
		var spec struct{ Dependencies []string }
		if err := json.Unmarshal(e.Spec, &spec); err != nil {
			return nil, invalid("environments[%d].spec: %v", i, err)
		}
		for n, line := range spec.Dependencies {
			if args := argsOf(line); len(args) > 0 {
				reqs = append(reqs, requirement{args: args, field: fmt.Sprintf("environments[%d].spec.dependencies[%d]", i, n)})
			}
		}
	}
	return reqs, nil
}

// argsOf splits a line of a requirements file into arguments for the
// installer: an option and its value, or one requirement, blanks and all.
func argsOf(line string) []string {
	line = strings.TrimSpace(line)
	if i := strings.Index(line, " #"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	if line == "" || line[0] == '#' {
		return nil
	}
	if line[0] != '-' {
		return []string{line}
	}
	option, value, _ := strings.Cut(line, " ")
	if value = strings.TrimSpace(value); value == "" {
		return []string{option}
	}
	return []string{option, value}
}

// pathOptions are the installer's options whose value is a path.
var pathOptions = []string{"-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-f", "--find-links"}

// localize replaces a path in a requirement by the file or folder that it
// means here.
func (o *Options) localize(a tasks.Attempt, r *requirement) error {
	path, option := &r.args[len(r.args)-1], r.args[0]
	isPath := slices.Contains(pathOptions, option) || len(r.args) == 1 && looksLikePath(*path)
	scheme, _, hasScheme := strings.Cut(*path, "://")
	switch {
	case hasScheme && (scheme == "s3" || scheme == "gs" || scheme == "abfss" || scheme == "wasbs" || scheme == "adl"):
		return uninstallable("%s: %s lies in cloud storage, which is not here; put it beside the job file or under dbfs:/", r.field, *path)
	case !isPath || hasScheme:
		return nil
	}
	file := filepath.Join(a.Code.Dir, filepath.FromSlash(*path))
	if strings.HasPrefix(*path, "/") || strings.HasPrefix(*path, "dbfs:/") {
		file = o.absolute(a, *path).path
	} else if a.Code.Dir == "" {
		return invalid("%s: %q is relative, but this job comes from no file", r.field, *path)
	}
	file, err := only(file, *path)
	if err != nil {
		return uninstallable("%s: %v", r.field, err)
	}
	*path, r.path = file, file
	if option == "-e" || option == "--editable" { // a copy will do: the run ends before it is edited
		r.args = r.args[1:]
	}
	return nil
}

// looksLikePath tells a path from the name of a package.
func looksLikePath(s string) bool {
	return strings.HasSuffix(s, ".whl") || strings.HasSuffix(s, ".tar.gz") || strings.HasSuffix(s, ".zip") ||
		strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "dbfs:/")
}

// only is the file of a name, or the one that a pattern like dist/*.whl matches.
func only(file, written string) (string, error) {
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	matches, err := filepath.Glob(file)
	switch {
	case err != nil || len(matches) == 0:
		return "", fmt.Errorf("no file %s%s", file, beside(file, filepath.Ext(file)))
	case len(matches) > 1:
		return "", fmt.Errorf("%s matches %d files: %s", written, len(matches), strings.Join(matches, ", "))
	}
	return matches[0], nil
}

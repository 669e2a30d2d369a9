package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"flowctl/tasks/python/venv"
)

// cutOption takes a line of a requirements file apart: an option and its
// value, or one requirement, blanks and all. Both are empty for a comment.
func cutOption(line string) (option, value string) {
	line = strings.TrimSpace(line)
	if i := strings.Index(line, " #"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	if line == "" || line[0] == '#' {
		return "", ""
	}
	if line[0] != '-' {
		return "", line
	}
	if !strings.HasPrefix(line, "--") && len(line) > 2 && line[2] != ' ' { // -rfile, -r=file
		return line[:2], strings.TrimSpace(strings.TrimPrefix(line[2:], "="))
	}
	end := strings.IndexAny(line, " =")
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.Trim(strings.TrimSpace(line[end+1:]), `"'`)
}

// cutExtras takes the extras off a path: ./project[dev].
func cutExtras(path string) (bare, extras string) {
	if i := strings.LastIndexByte(path, '['); i > 0 && strings.HasSuffix(path, "]") && !strings.ContainsRune(path[i:], '/') {
		return path[:i], path[i:]
	}
	return path, ""
}

// variable is how a requirements file names an environment variable.
var variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)\}`)

// expanded is a line with the variables that are set put in.
func expanded(line string) string {
	return variable.ReplaceAllStringFunc(line, func(v string) string {
		if value, ok := os.LookupEnv(v[2 : len(v)-1]); ok {
			return value
		}
		return v
	})
}

// looksLikePath tells a path from the name of a package.
func looksLikePath(s string) bool {
	for _, end := range []string{".whl", ".tar.gz", ".zip", ".egg"} {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	for _, begin := range []string{".", "/", "dbfs:/", "file:/"} {
		if strings.HasPrefix(s, begin) {
			return true
		}
	}
	return cloud(s)
}

// cloud tells whether a path lies in a cloud's storage.
func cloud(path string) bool {
	scheme, _, ok := strings.Cut(path, "://")
	switch scheme {
	case "s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "adl":
		return ok
	}
	return false
}

// packageName is the name in a requirement, in its one spelling.
func packageName(line string) string {
	if end := strings.IndexAny(line, "=<>!~ [;@(,"); end >= 0 {
		line = line[:end]
	}
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(line))
}

// names tells whether a package is among requirements.
func names(asked []venv.Requirement, name string) bool {
	return slices.ContainsFunc(asked, func(r venv.Requirement) bool { return packageName(r.Line) == name })
}

// files finds what a path of a library means here: the one of its name, or
// those that a pattern like dist/*.whl matches. dir is the folder of the
// requirements file that names it.
func (c *collector) files(field, path, dir string) ([]string, error) {
	if cloud(path) {
		return nil, uninstallable("%s: %s lies in cloud storage, which is not here; put it beside the job file, under dbfs:/ or into a volume", field, path)
	}
	var tried, hint string
	relative := !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "dbfs:/") && !strings.HasPrefix(path, "file:/")
	for _, root := range []string{dir, c.a.Code.Dir} {
		if !relative || root == "" {
			continue
		}
		file := filepath.Join(root, filepath.FromSlash(path))
		if found, err := matching(file, path); found != nil || err != nil {
			return found, wrapField(field, err)
		}
		if tried == "" {
			tried = file
		}
	}
	if tried == "" || c.a.Job != nil && c.a.Job.Git != nil {
		p, err := c.locate(field, path)
		if err != nil {
			return nil, err
		}
		if found, err := matching(p.path, path); found != nil || err != nil {
			return found, wrapField(field, err)
		}
		if tried == "" {
			tried, hint = p.path, p.hint
		}
	}
	return nil, uninstallable("%s: no file %s%s%s%s", field, tried, beside(tried, filepath.Ext(tried)), unbuilt(tried), hint)
}

func wrapField(field string, err error) error {
	if err != nil {
		return uninstallable("%s: %v", field, err)
	}
	return nil
}

// matching is the file of a name, or those that a pattern matches, which must
// be of different packages. Nil: there is none.
func matching(file, written string) ([]string, error) {
	if _, err := os.Stat(file); err == nil {
		return []string{file}, nil
	}
	matches, err := filepath.Glob(file)
	if err != nil || len(matches) == 0 {
		return nil, nil //nolint:nilerr // a bad pattern is the name of no file
	}
	seen := map[string]string{}
	for _, m := range matches {
		name, _, _ := strings.Cut(filepath.Base(m), "-")
		if other := seen[name]; other != "" {
			return nil, fmt.Errorf("%s matches several files of one package: %s, %s; remove the old ones, or name one", written, filepath.Base(other), filepath.Base(m))
		}
		seen[name] = m
	}
	return matches, nil
}

// projectOf is the folder of the project that a file in a folder dist is built
// from; empty if it is not that.
func projectOf(file string) string {
	if filepath.Ext(file) != ".whl" || filepath.Base(filepath.Dir(file)) != "dist" {
		return ""
	}
	project := filepath.Dir(filepath.Dir(file))
	for _, name := range []string{"pyproject.toml", "setup.py"} {
		if _, err := os.Stat(filepath.Join(project, name)); err == nil {
			return project
		}
	}
	return ""
}

// unbuilt is what to say of a wheel that is not there because its project has
// not been built.
func unbuilt(file string) string {
	project := projectOf(file)
	if project == "" {
		return ""
	}
	return "; build it first: uv build " + project + ", or python -m pip wheel --no-deps -w " + filepath.Dir(file) + " " + project
}

// newer names a source file of a wheel's project that was changed after the
// wheel was built; empty if there is none.
func newer(wheel string) string {
	project := projectOf(wheel)
	built, err := os.Stat(wheel)
	if project == "" || err != nil {
		return ""
	}
	const most = 2000 // files that are looked at: this is a hint, no build system
	found, seen := "", 0
	_ = filepath.WalkDir(project, func(path string, d fs.DirEntry, err error) error {
		seen++
		switch name := filepath.Base(path); {
		case err != nil || seen > most || found != "":
			return fs.SkipAll
		case path != project && d.IsDir() && (strings.HasPrefix(name, ".") || slices.Contains(notSource, name)):
			return fs.SkipDir
		case strings.HasSuffix(name, ".py") && name != "setup.py" && filepath.Dir(path) != project:
			if info, err := d.Info(); err == nil && info.ModTime().After(built.ModTime()) {
				found = path
			}
		}
		return nil
	})
	return found
}

// notSource are the folders of a project that do not go into its wheel.
var notSource = []string{"dist", "build", "tests", "test", "fixtures", "venv", "node_modules", "notebooks", "resources", "scratch"}

package local

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/notebook"
	"flowctl/tasks/python/venv"
)

// asked is what a task asks for besides its code.
type asked struct {
	python []venv.Requirement
	jars   []jarLibrary
	notes  []string // what people should know of it
	brief  []string // what they should know when it is installed anew
}

// jarLibrary is a library for the JVM: a file, or one of a Maven repository.
type jarLibrary struct {
	Field       string // of the job that asks for it
	Path        string // of the file here; empty: Coordinates
	Coordinates string // "group:artifact:version"
	Repo        string // beside Maven Central; may be empty
	Exclusions  []string
}

// collector gathers what one attempt asks for.
type collector struct {
	asked
	a      tasks.Attempt
	locate func(field, path string) (place, error)
	here   string   // version of the interpreter, if that is known
	open   []string // requirements files that are being read
}

func uninstallable(format string, args ...any) error {
	return &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: fmt.Sprintf(format, args...)}
}

// collect gathers what the task's libraries, its environment and, if that has
// none, the notebook itself ask for. version is the interpreter's.
func (o *Options) collect(ctx context.Context, a tasks.Attempt, out tasks.Sink, version string, inline *notebook.Environment) (asked, error) {
	c := &collector{a: a, here: version, locate: func(field, path string) (place, error) {
		return o.locate(ctx, a, out, field, path, "")
	}}
	if err := c.libraries(); err != nil {
		return asked{}, err
	}
	if err := c.environment(inline); err != nil {
		return asked{}, err
	}
	return c.asked, nil
}

// libraries takes the task's "libraries" list.
func (c *collector) libraries() error {
	var libs []struct {
		Pypi         *struct{ Package, Repo string }
		Whl          string
		Requirements string
		Egg          string
		Jar          string
		Maven        *struct {
			Coordinates, Repo string
			Exclusions        []string
		}
		Cran json.RawMessage
	}
	if len(c.a.Task.Libraries) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.a.Task.Libraries, &libs); err != nil {
		return invalid("libraries: %v", err)
	}
	for i, l := range libs {
		field := fmt.Sprintf("libraries[%d]", i)
		var err error
		switch {
		case l.Pypi != nil:
			if err = c.line(field+".pypi.package", l.Pypi.Package, ""); err == nil && l.Pypi.Repo != "" {
				c.add(field+".pypi.repo", "--extra-index-url "+l.Pypi.Repo, "")
			}
		case l.Whl != "":
			err = c.line(field+".whl", l.Whl, "")
		case l.Requirements != "":
			err = c.line(field+".requirements", "-r "+l.Requirements, "")
		case l.Jar != "":
			var files []string
			if files, err = c.files(field+".jar", l.Jar, ""); err == nil {
				for _, f := range files {
					c.jars = append(c.jars, jarLibrary{Field: field + ".jar", Path: f})
				}
			}
		case l.Maven != nil && strings.Count(l.Maven.Coordinates, ":") < 2:
			err = invalid("%s.maven.coordinates: %q is not group:artifact:version", field, l.Maven.Coordinates)
		case l.Maven != nil:
			c.jars = append(c.jars, jarLibrary{Field: field + ".maven", Coordinates: l.Maven.Coordinates, Repo: l.Maven.Repo, Exclusions: l.Maven.Exclusions})
		case l.Egg != "":
			err = uninstallable("%s.egg: %s is an egg, which no supported runtime installs any more; build a wheel (pip wheel . or uv build) and name it as whl", field, l.Egg)
		case len(l.Cran) > 0 && string(l.Cran) != "null":
			err = uninstallable("%s.cran: R packages cannot be installed here; run the task on a workspace", field)
		default:
			err = invalid("%s: names no library; one of pypi, whl, requirements, jar, maven is needed", field)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add takes a line that is ready for the installer.
func (c *collector) add(field, line, path string) {
	c.python = append(c.python, venv.Requirement{Line: line, Path: path, Field: field})
}

// unwanted are packages that would hide what the runtime brings itself.
//
// Source: the databricks-connect page: it conflicts with PySpark and replaces
// its package; on Databricks itself it is there already.
var unwanted = []string{"databricks-connect", "databricks-dbutils"}

// pathOptions are the installer's options whose value is a path.
var pathOptions = []string{"-c", "--constraint", "-e", "--editable", "-f", "--find-links"}

// line takes a line of a requirements file. dir is the folder of that file;
// empty for a line of the job.
func (c *collector) line(field, text, dir string) error {
	option, value := cutOption(text)
	switch {
	case option == "" && value == "":
		return nil
	case strings.ContainsAny(value, "\r\n\x00"):
		return invalid("%s: %q is more than one line", field, text)
	case option == "-r" || option == "--requirement":
		return c.requirementsFile(field, value, dir)
	case slices.Contains(pathOptions, option):
		if strings.Contains(value, "://") {
			c.add(field, option+" "+value, "")
			return nil
		}
		path, extras := cutExtras(value)
		files, err := c.files(field, path, dir)
		if err != nil {
			return err
		}
		if (option == "-e" || option == "--editable") && strings.HasPrefix(files[0], filepath.Dir(c.a.ValuesDir)+string(filepath.Separator)) {
			c.add(field, files[0]+extras, files[0]) // of the run's own checkout, which nobody edits: a copy serves other runs too
			return nil
		}
		c.add(field, option+" "+files[0]+extras, files[0])
		return nil
	case option != "":
		c.add(field, strings.TrimSpace(option+" "+value), "")
		return nil
	}
	return c.requirement(field, value, dir)
}

// requirement takes a line that is no option: a package's name, with or
// without an address, or a path.
func (c *collector) requirement(field, line, dir string) error {
	name, address, direct := strings.Cut(line, " @ ")
	address, marker, _ := strings.Cut(strings.TrimSpace(address), " ;")
	switch {
	case direct && (strings.HasPrefix(address, "/") || strings.HasPrefix(address, "file:/") || strings.HasPrefix(address, "dbfs:/")):
		address = "/" + strings.TrimLeft(strings.TrimPrefix(address, "file:"), "/")
		files, err := c.files(field, address, dir)
		if err != nil {
			return err
		}
		if marker != "" {
			marker = " ;" + marker
		}
		c.add(field, name+" @ file://"+files[0]+marker, files[0])
		return nil
	case direct || strings.Contains(line, "://") && !cloud(line) && !strings.HasPrefix(line, "file://"):
		c.add(field, line, "")
		return nil
	}
	path, extras := cutExtras(line)
	if !looksLikePath(path) {
		if i := slices.IndexFunc(unwanted, func(u string) bool { return packageName(line) == u }); i >= 0 {
			c.notes = append(c.notes, fmt.Sprintf("%s: %s is left out: here it would replace the runtime's own Spark", field, unwanted[i]))
			return nil
		}
		c.add(field, line, "")
		return nil
	}
	files, err := c.files(field, path, dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".egg") {
			return uninstallable("%s: %s is an egg, which no supported runtime installs any more; build a wheel", field, f)
		}
		if changed := newer(f); changed != "" {
			c.notes = append(c.notes, fmt.Sprintf("%s: %s is older than %s; build it anew if that matters", field, filepath.Base(f), changed))
		}
		c.add(field, f+extras, f)
	}
	return nil
}

// requirementsFile takes the lines of a file, each under its own place.
func (c *collector) requirementsFile(field, path, dir string) error {
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		c.add(field, "-r "+path, "")
		return nil
	}
	files, err := c.files(field, path, dir)
	if err != nil {
		return err
	}
	file := files[0]
	if slices.Contains(c.open, file) {
		return uninstallable("%s: %s includes itself", field, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return uninstallable("%s: %v", field, err)
	}
	c.open = append(c.open, file)
	defer func() { c.open = c.open[:len(c.open)-1] }()
	begun, at := "", 0
	for n, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if begun == "" {
			at = n + 1
		}
		if rest, more := strings.CutSuffix(line, "\\"); more && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			begun += rest
			continue
		}
		line, begun = begun+line, ""
		if err := c.line(fmt.Sprintf("%s (%s:%d)", field, filepath.Base(file), at), expanded(line), filepath.Dir(file)); err != nil {
			return err
		}
	}
	return c.line(fmt.Sprintf("%s (%s:%d)", field, filepath.Base(file), at), expanded(begun), filepath.Dir(file))
}

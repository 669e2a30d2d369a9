package local

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// jarSet is what a task's libraries bring for Spark.
type jarSet struct {
	files    []string
	packages []python.SparkPackage
}

// sparkJars reads the jar and maven libraries of a task. A jar that is not
// here is refused; what Maven has is seen when the driver starts.
func (o *Options) sparkJars(a tasks.Attempt) (jarSet, error) {
	var set jarSet
	if len(a.Task.Libraries) == 0 {
		return set, nil
	}
	var libs []struct {
		Jar   string
		Maven *struct {
			Coordinates string
			Repo        string
			Exclusions  []string
		}
	}
	if err := json.Unmarshal(a.Task.Libraries, &libs); err != nil {
		return set, invalid("libraries: %v", err)
	}
	for i, l := range libs {
		switch {
		case l.Jar != "":
			field := fmt.Sprintf("libraries[%d].jar", i)
			path, err := o.jarPath(a, field, l.Jar)
			if err != nil {
				return set, err
			}
			set.files = append(set.files, path)
		case l.Maven != nil:
			if n := strings.Count(l.Maven.Coordinates, ":"); n < 2 {
				return set, invalid("libraries[%d].maven.coordinates: %q is not group:artifact:version", i, l.Maven.Coordinates)
			}
			set.packages = append(set.packages, python.SparkPackage{
				Any: []string{l.Maven.Coordinates}, Excludes: strings.Join(l.Maven.Exclusions, ","), Repositories: l.Maven.Repo,
			})
		}
	}
	return set, nil
}

// jarPath finds a jar that the job names.
func (o *Options) jarPath(a tasks.Attempt, field, path string) (string, error) {
	p, err := o.locate(context.Background(), a, nil, field, path, "WORKSPACE") // never a git checkout, so nothing waits
	if err != nil {
		return "", err
	}
	return p.path, present(field, p.path, ".jar")
}

// present refuses a path that is no file, and says what may have been meant.
func present(field, path, ext string) error {
	if st, err := os.Stat(path); err != nil {
		return notFound("%s: no file %s%s", field, path, beside(path, ext))
	} else if !st.Mode().IsRegular() {
		return notFound("%s: %s is no file", field, path)
	}
	return nil
}

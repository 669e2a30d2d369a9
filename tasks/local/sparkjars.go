package local

import (
	"strings"

	"flowctl/tasks/python"
)

// jarSet is what a task's libraries bring for Spark.
type jarSet struct {
	files    []string
	packages []python.SparkPackage
}

// sparkJars puts the libraries for the JVM as Spark takes them. Each was
// checked when it was collected; what Maven has is seen when the driver starts.
func sparkJars(jars []jarLibrary) jarSet {
	var set jarSet
	for _, l := range jars {
		if l.Path != "" {
			set.files = append(set.files, l.Path)
			continue
		}
		set.packages = append(set.packages, python.SparkPackage{
			Any: []string{l.Coordinates}, Excludes: strings.Join(l.Exclusions, ","), Repositories: l.Repo,
		})
	}
	return set
}

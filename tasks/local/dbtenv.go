package local

import (
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"

	"flowctl/tasks/python/venv"
)

// dbtPins are the versions of dbt that were tried with the Spark of
// runtimePins. A job names a range as a rule ("dbt-databricks>=1.0.0,<2.0.0"):
// where the range has these in it they are taken, otherwise what the job says.
// dbt-core 1.12 is none of them: it needs a parser that is not on PyPI whole.
var dbtPins = []string{"dbt-databricks==1.11.8", "dbt-core==1.11.8"}

// dbtPackages are the lines that a dbt task's environment needs beside those
// that the job asks for: dbt with the adapter for Databricks unless the job
// names another adapter, and Spark where the adapter leads to it.
func dbtPackages(profile, interpreter string, asked []venv.Requirement) []venv.Requirement {
	var add []string
	adapters := dbtAdapters(asked)
	onSpark := len(adapters) == 0 || slices.Contains(adapters, "dbt-databricks") || slices.Contains(adapters, "dbt-spark")
	if len(adapters) == 0 && hasPackage(interpreter, "dbt/adapters/databricks") {
		return nil // an interpreter with a dbt of its own
	}
	if (len(adapters) == 0 || slices.Equal(adapters, []string{"dbt-databricks"})) && admitted(dbtPins, asked) {
		add = append(add, dbtPins...)
	}
	if onSpark && !hasPackage(interpreter, "pyspark") {
		for _, line := range runtimePins[profile] {
			if !strings.HasPrefix(line, "mlflow") && !names(asked, packageName(line)) { // MLflow's dependencies are not dbt's
				add = append(add, line)
			}
		}
	}
	var lines []venv.Requirement
	for _, line := range add {
		lines = append(lines, venv.Requirement{Line: line, Field: "dbt_task, the versions that go with this Spark"})
	}
	return lines
}

// dbtAdapters are the adapters among the packages that a job asks for.
func dbtAdapters(asked []venv.Requirement) []string {
	var found []string
	for _, r := range asked {
		name := packageName(r.Line)
		if strings.HasPrefix(name, "dbt-") && !slices.Contains([]string{"dbt-core", "dbt-adapters", "dbt-common"}, name) {
			found = append(found, name)
		}
	}
	return found
}

// admitted tells whether the ranges that a job asks for have all the pins in
// them.
func admitted(pins []string, asked []venv.Requirement) bool {
	for _, pin := range pins {
		name, version, _ := strings.Cut(pin, "==")
		for _, r := range asked {
			if packageName(r.Line) == name && !admits(r.Line, version) {
				return false
			}
		}
	}
	return true
}

// admits tells whether a requirement takes a version. One that is no plain
// range (an address, a file) takes none.
func admits(line, version string) bool {
	line, _, _ = strings.Cut(line, ";")
	at := strings.IndexAny(line, "=<>!~@")
	if at < 0 {
		return !strings.ContainsAny(line, "/:")
	}
	specs, err := pep440.NewSpecifiers(strings.Trim(strings.TrimSpace(line[at:]), ")"))
	if err != nil {
		return false
	}
	v, err := pep440.Parse(version)
	return err == nil && specs.Check(v)
}

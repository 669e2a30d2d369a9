package local

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

// MLflow is the requirement that brings MLflow whole, at the version that goes
// with the pins below.
const MLflow = "mlflow==3.17.2"

// A Databricks runtime brings Spark, Delta, MLflow and what they work with. A
// task whose code asks for one of these gets them too, at versions that fit
// together, unless its interpreter or its own dependencies have them.
// FLOWCTL_SPARK_ENV=off leaves it to the user.
var runtimePins = map[string][]string{
	"4.1": {"pyspark==4.1.4", "delta-spark==4.4.0", "pandas>=2.2,<3", "numpy>=1.26,<2.4", "pyarrow>=18,<22", MLflow},
	"4.0": {"pyspark==4.0.*", "delta-spark==4.4.0", "pandas>=2.2,<3", "numpy>=1.26,<2.4", "pyarrow>=18,<22", MLflow},
	"3.5": {"pyspark==3.5.*", "delta-spark==3.3.2", "pandas>=2,<2.3", "numpy>=1.26,<2", "pyarrow>=15,<19", MLflow, "setuptools<80"},
}

// mlPins come on top where the cluster's runtime is one for machine learning.
var mlPins = []string{"scikit-learn>=1.5,<1.9", "matplotlib"}

// runtimePackages are the packages of the runtime that an attempt needs and
// has not got.
func runtimePackages(a tasks.Attempt, c python.Context, interpreter string, asked []venv.Requirement) ([]venv.Requirement, error) {
	if os.Getenv("FLOWCTL_SPARK_ENV") == "off" {
		return nil, nil
	}
	have := c.Kind != kindDbt && hasPackage(interpreter, "pyspark")
	if have || !wantsRuntime(c) && !slices.ContainsFunc(asked, bringsRuntimeCode) {
		return nil, nil
	}
	compute, err := clusterOf(a)
	if err != nil {
		return nil, err
	}
	profile := sparkProfile(compute.SparkVersion)
	if profile == "" {
		profile = "4.1"
	}
	if c.Kind == kindDbt {
		return dbtPackages(profile, interpreter, asked), nil
	}
	lines := slices.Clone(runtimePins[profile])
	if strings.Contains(compute.SparkVersion, "-ml-") {
		lines = append(lines, mlPins...)
	}
	var own []string
	for _, r := range asked {
		own = append(own, packageName(r.Line))
	}
	var missing []venv.Requirement
	for _, line := range lines {
		if !slices.Contains(own, packageName(line)) {
			missing = append(missing, venv.Requirement{Line: line, Field: "the runtime that the task's code asks for"})
		}
	}
	return missing, nil
}

// hasPackage tells whether a package lies among an interpreter's own, without
// starting it.
func hasPackage(interpreter, name string) bool {
	prefix := filepath.Dir(filepath.Dir(interpreter))
	for _, pattern := range []string{"lib/python3*/site-packages", "lib/python3*/dist-packages", "local/lib/python3*/dist-packages"} {
		if found, _ := filepath.Glob(filepath.Join(prefix, pattern, name)); len(found) > 0 {
			return true
		}
	}
	return false
}

// wantsRuntime tells whether an attempt's code is Spark's by its kind, or names
// what a runtime brings.
func wantsRuntime(c python.Context) bool {
	switch c.Kind {
	case "sql", "jar", "submit", kindDbt:
		return true
	case "notebook", "script":
		text, err := os.ReadFile(c.Path)
		return err == nil && (filepath.Ext(c.Path) == ".sql" || namesRuntime(text))
	}
	return false
}

var runtimeWord = regexp.MustCompile(`(^|[^\w.#"'/])(spark\.|pyspark\b|mlflow\b)|(^|[\s"])%sql\b`)

// namesRuntime looks for Spark, MLflow and SQL cells in the code of a source
// file or a Jupyter notebook; comments and text cells do not count.
func namesRuntime(text []byte) bool {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 16<<20)
	prose := false
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch magic, is := strings.CutPrefix(line, "# MAGIC"); {
		case strings.HasPrefix(line, "# COMMAND"):
			prose = false
			continue
		case is:
			line = strings.TrimSpace(magic)
			prose = prose || strings.HasPrefix(line, "%md")
		case strings.HasPrefix(line, "#"):
			continue
		}
		// A line of a Jupyter notebook is a JSON string.
		line = strings.TrimPrefix(line, `"`)
		if !prose && !strings.HasPrefix(line, "#") && runtimeWord.MatchString(line) {
			return true
		}
	}
	return false
}

package local

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

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
	"3.5": {"pyspark==3.5.*", "delta-spark==3.3.3", "pandas>=2,<2.3", "numpy>=1.26,<2", "pyarrow>=15,<19", MLflow, "setuptools<80"},
}

// connectPins are what a client of Spark Connect needs, which pipelines are
// defined through and tasks may ask for.
//
// Source: the extra "connect" of pyspark 4.1.4; grpcio of another minor version
// than grpcio-status is not taken.
var connectPins = []string{"grpcio>=1.76,<2", "grpcio-status>=1.76,<2", "googleapis-common-protos>=1.71", "zstandard>=0.25,<1"}

// connectMinor is the oldest minor version of Spark that has a server of Spark
// Connect among its own jars.
const connectMinor = "4.0"

// mlPins come on top where the cluster's runtime is one for machine learning:
// the smaller ones of its packages, which code takes for granted.
//
// Source: the release notes of 15.3, 16.4 and 17 for machine learning. What
// MLflow 2 asks of scikit-learn went with 1.6.
var mlPins = map[string][]string{
	"4.1": {"scikit-learn>=1.5,<1.9", "matplotlib", "lightgbm>=4.3,<5"},
	"4.0": {"scikit-learn>=1.5,<1.9", "matplotlib", "lightgbm>=4.3,<5"},
	"3.5": {"scikit-learn>=1.3,<1.6", "matplotlib", "lightgbm>=4.3,<5"},
}

// sdkPin is the SDK of every runtime, for code that needs no more of one;
// MLflow brings it with it.
//
// Source: the release notes of 13.3 and later, and of the serverless
// environments.
const sdkPin = "databricks-sdk>=0.49,<1"

// runtimePackages are the packages of the runtime that an attempt needs and
// has not got.
func runtimePackages(compute cluster, c python.Context, connect bool, interpreter string, asked []venv.Requirement) []venv.Requirement {
	profile := profileOf(compute)
	if os.Getenv("FLOWCTL_SPARK_ENV") == "off" {
		return nil
	}
	if !profile.ml {
		runtime, sdk := wants(c)
		if !runtime && !slices.ContainsFunc(asked, bringsRuntimeCode) {
			if !sdk || hasPackage(interpreter, "databricks/sdk") || names(asked, "databricks-sdk") {
				return nil
			}
			return []venv.Requirement{{Line: sdkPin, Field: "the runtime that the task's code asks for"}}
		}
	}
	if c.Kind == kindDbt {
		return dbtPackages(profile.minor, interpreter, asked)
	}
	var lines []string
	connect = connect || c.Kind == kindPipeline
	if connect && !(hasPackage(interpreter, "grpc") && hasPackage(interpreter, "grpc_status")) {
		lines = append(lines, connectPins...)
	}
	whole := !hasPackage(interpreter, "pyspark")
	for _, line := range profile.pins() {
		// A client of Spark Connect needs these two, PySpark alone does not.
		if name := packageName(line); whole || connect && (name == "pandas" || name == "pyarrow") && !hasPackage(interpreter, name) {
			lines = append(lines, line)
		}
	}
	var missing []venv.Requirement
	for _, line := range lines {
		if !names(asked, packageName(line)) {
			missing = append(missing, venv.Requirement{Line: line, Field: "the runtime that the task's code asks for"})
		}
	}
	return missing
}

// connectFits refuses a cluster whose runtime's Spark has no Spark Connect here,
// before its packages are fetched.
func connectFits(compute cluster) error {
	if minor := profileOf(compute).minor; minor < connectMinor {
		return invalid("--spark-connect (%s): the cluster's spark_version %s means Spark %s, and Spark Connect is here with Spark %s and newer: "+
			"name a runtime of version 17 or newer, or run the job without it", SparkConnect, compute.SparkVersion, minor, connectMinor)
	}
	return nil
}

// runtimeProfile is the runtime that a cluster names.
type runtimeProfile struct {
	minor string // of Spark
	ml    bool
}

func profileOf(compute cluster) runtimeProfile {
	p := runtimeProfile{minor: sparkProfile(compute.SparkVersion), ml: strings.Contains(compute.SparkVersion, "-ml-")}
	if p.minor == "" {
		p.minor = "4.1"
	}
	return p
}

// pins are its packages.
func (p runtimeProfile) pins() []string {
	lines := slices.Clone(runtimePins[p.minor])
	if p.ml {
		lines = append(lines, mlPins[p.minor]...)
	}
	return lines
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

// wants tells whether an attempt's code is Spark's by its kind, or names what a
// runtime brings, itself or by a module that lies beside it; and else whether
// it imports the SDK in the same way. The SDK's module "runtime" is there
// without: it has what a notebook finds by itself.
func wants(c python.Context) (runtime, sdk bool) {
	switch c.Kind {
	case "sql", "jar", "submit", kindDbt, kindPipeline:
		return true, false
	case "notebook", "script":
		text, err := os.ReadFile(c.Path)
		if err != nil {
			return false, false
		}
		look := func(text []byte) bool {
			sdk = sdk || namesSDK(text)
			return namesRuntime(text)
		}
		runtime = filepath.Ext(c.Path) == ".sql" || look(text) || imports(c, text, look)
	}
	return runtime, sdk
}

var sdkImport = regexp.MustCompile(`(?m)(?:^|[\["])[ \t]*(?:from|import)[ \t]+databricks\.sdk\b(\.runtime\b)?`)

func namesSDK(text []byte) bool {
	for _, found := range sdkImport.FindAllSubmatch(text, -1) {
		if len(found[1]) == 0 {
			return true
		}
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

package taskstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sparkPins are what the tests with real Spark install: the pins of the
// default profile.
var sparkPins = []string{"pyspark==4.1.4", "delta-spark==4.4.0", "pandas==2.3.3", "numpy==2.3.5", "pyarrow==21.0.0", "mlflow==3.17.2"}

// SparkPython is an interpreter with Spark, Delta and MLflow. What it needs is
// installed once into a cache of the user's, jars too. Tests that ask for it
// are skipped unless FLOWCTL_HEAVY is set.
func SparkPython(t *testing.T) string {
	t.Helper()
	if os.Getenv("FLOWCTL_HEAVY") == "" {
		t.Skip("set FLOWCTL_HEAVY=1, as make test does")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "flowctl-test", "spark41")
	t.Setenv("FLOWCTL_SPARK_JARS", filepath.Join(cache, "jars"))
	t.Setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC") // half the time for jobs as short as these
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()                                               //nolint:errcheck // nothing was written
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil { // another package's tests may install too
		t.Fatal(err)
	}
	python := filepath.Join(cache, "venv", "bin", "python")
	want := strings.Join(sparkPins, "\n")
	if have, err := os.ReadFile(filepath.Join(cache, "pins")); err == nil && string(have) == want {
		return python
	}
	for _, argv := range [][]string{
		{"python3", "-m", "venv", "--clear", filepath.Join(cache, "venv")},
		append([]string{python, "-m", "pip", "install", "-q", "--no-input"}, sparkPins...),
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(cache, "pins"), []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	return python
}

package local_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

func TestSparkIsMissingClearly(t *testing.T) {
	l := newLab(t)
	if !l.lacksPySpark() {
		t.Skip("this interpreter has pyspark")
	}
	const mend = "SparkUnavailable: pyspark is not installed for the task's interpreter"
	l.notebook("late", "print('before')", "spark.range(3)")
	assert.Contains(t, l.fails("late").Message, mend)
	assert.Contains(t, l.log(), "before\n")
	l.notebook("early", "print('before')", "# MAGIC %sql\n# MAGIC select 1")
	res := l.fails("early")
	assert.Contains(t, res.Message, mend)
	assert.Contains(t, res.Message, "pyspark==4.1.* and delta-spark==4.4.0")
	assert.NotContains(t, l.log(), "before\n", "a cell that cannot run is seen before any has run")
	l.job = &jobspec.Job{JobClusters: []jobspec.JobCluster{{Key: "c", NewCluster: []byte(`{"spark_version":"15.4.x-scala2.12"}`)}}}
	a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"late"}`)
	a.Task.Compute.JobClusterKey = "c"
	res, _, _ = l.do(a)
	assert.Contains(t, res.Message, "pyspark==3.5.* and delta-spark==3.3.3", "the version goes with the cluster's")
	drivers, err := filepath.Glob(filepath.Join(l.home, "runs", "*", ".spark", "*"))
	require.NoError(t, err)
	assert.Empty(t, drivers)
}

func (l *lab) lacksPySpark() bool {
	l.notebook("probe", "import importlib.util\nprint(importlib.util.find_spec('pyspark') is None)")
	return l.ok("probe") == "True\n"
}

func TestSparkSettings(t *testing.T) {
	l := newLab(t)
	l.notebook("show", `
import json, os
s = json.load(open(os.environ["FLOWCTL_CONTEXT"]))["spark"]
print(s["profile"], s["conf"], s.get("jars"), s.get("packages"), s.get("isolated", False), os.environ["COLOUR"])
print(os.path.basename(s["dir"]))`)
	l.write("lib.jar", "jar")
	l.job = &jobspec.Job{JobClusters: []jobspec.JobCluster{{Key: "c", NewCluster: []byte(
		`{"spark_version":"17.3.x-scala2.13","spark_conf":{"spark.x":"1"},"spark_env_vars":{"COLOUR":"red"}}`)}}}
	l.libs = `[{"jar":"lib.jar"},{"maven":{"coordinates":"a:b:1","exclusions":["c:d"]}}]`
	run := func(change func(a *tasks.Attempt)) (string, string) {
		a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"show"}`)
		a.Task.Compute.JobClusterKey = "c"
		change(&a)
		res, log, _ := l.do(a)
		require.Equal(t, tasks.Success, res.Outcome, res.Message)
		first, dir, _ := strings.Cut(strings.TrimSpace(log), "\n")
		return first, dir
	}
	same := func(*tasks.Attempt) {}
	first, dir := run(same)
	assert.Equal(t, "4.0 {'spark.x': '1'} ['"+filepath.Join(l.dir, "lib.jar")+"'] [{'any': ['a:b:1'], 'excludes': 'c:d'}] False red", first)
	_, again := run(same)
	assert.Equal(t, dir, again, "one driver for the same cluster")
	_, alone := run(func(a *tasks.Attempt) { a.Task.Libraries = nil })
	assert.NotEqual(t, dir, alone, "other jars, another driver")
	l.runners = local.Runners(&local.Options{Cluster: func(_ context.Context, _ tasks.Attempt, id string) (json.RawMessage, error) {
		if id != "made" {
			return nil, nil
		}
		return json.RawMessage(`{"spark_version":"18.0.x-scala2.13","spark_conf":{"spark.y":"2"},"spark_env_vars":{"COLOUR":"blue"}}`), nil
	}})
	made, _ := run(func(a *tasks.Attempt) { a.Task.Compute = jobspec.Compute{ExistingClusterID: "made"} })
	assert.Contains(t, made, "4.1 {'spark.y': '2'}")
	assert.Contains(t, made, " False blue")
	isolated, _ := run(func(a *tasks.Attempt) { a.Code.Env = []string{local.IsolateSpark + "=1"} })
	assert.Contains(t, isolated, "True red")

	for libs, want := range map[string]string{
		`[{"jar":"gone.jar"}]`:              `libraries[0].jar: no file`,
		`[{"maven":{"coordinates":"a:b"}}]`: `libraries[0].maven.coordinates: "a:b" is not group:artifact:version`,
		`[{"jar":"s3://bucket/x.jar"}]`:     `lies in cloud storage`,
	} {
		l.libs = libs
		_, err := l.runners[jobspec.NotebookTask].Run(t.Context(), l.attempt(jobspec.NotebookTask, `{"notebook_path":"show"}`), taskstest.NewRecorder(nil))
		assert.ErrorContains(t, err, want)
	}
}

var update = flag.Bool("update", false, "rewrite expected files")

// What becomes of names with three levels needs no Spark to be told.
func TestSparkRewritesNames(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"spark_rewrite.py", "spark_rewrite.sql"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		l.write(name, string(data))
	}
	res, log, _ := l.script("spark_rewrite.py", filepath.Join(l.dir, "spark_rewrite.sql"))
	require.Equal(t, tasks.Success, res.Outcome, log)
	golden := filepath.Join("testdata", "spark_rewrite.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(log), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), log)
}

// What only Databricks' SQL has is said in Spark's words, or refused.
func TestSparkDialect(t *testing.T) {
	l := newLab(t)
	code, err := os.ReadFile(filepath.Join("testdata", "spark_dialect.py"))
	require.NoError(t, err)
	l.write("dialect.py", string(code))
	res, log, _ := l.script("dialect.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	golden := filepath.Join("testdata", "spark_dialect.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(log), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), log)
}

// Which code starts a driver before it runs: what names spark, not what speaks of it.
func TestSparkIsForeseen(t *testing.T) {
	l := newLab(t)
	l.write("foreseen.py", `
from flowctl_rt import cells, spark
for source, language in [
    ("spark.range(3)", "python"), ("def f():\n    return [spark for _ in range(2)]", "python"), ("from pyspark.sql import functions", "python"),
    ("%pip install x\nawait spark.f()", "python"), ("select 1", "sql"),
    ("# spark\nprint('spark.range')", "python"), ("this does not compile: spark", "python"), ("sparkling = 1", "python"), ("spark", "md"),
]:
    print(spark.wanted([cells.Cell(0, language, source)]))
`)
	res, log, _ := l.script("foreseen.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, strings.Repeat("True\n", 5)+strings.Repeat("False\n", 4), log)
}

// A jar that was cut off is fetched anew: Spark would go on without it, and
// with it without Delta.
func TestSparkFetchesABrokenJarAnew(t *testing.T) {
	l := newLab(t)
	l.write("fetch.py", `
import os, sys, zipfile
from flowctl_rt import spark_driver
here = os.path.dirname(os.path.abspath(__file__))
submit = os.path.join(here, "submit")
with open(submit, "w") as f:
    f.write("#!%s\nimport os, sys, zipfile\nfolder = sys.argv[4].split('=')[1]\nos.makedirs(folder + '/jars', exist_ok=True)\n"
            "zipfile.ZipFile(folder + '/jars/a_b-1.0.jar', 'w').close()\nprint('fetched')\n" % sys.executable)
os.chmod(submit, 0o700)
spec = {"submit": submit, "env": {}, "spark_jars": here}
for cut in (False, False, True):
    if cut:
        open(jars[0], "w").close()
    jars = spark_driver.fetch(spec, {"any": ["g:a:1"]}, here)
    print(zipfile.is_zipfile(jars[0]))
`)
	res, log, _ := l.script("fetch.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, 2, strings.Count(log, "fetched\n"), log)
	assert.Equal(t, 3, strings.Count(log, "True\n"), log)
}

package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

// The option is for Python code: its task knows, and so does PySpark; that of
// another kind does not. A runtime whose Spark has no Spark Connect is refused
// before its packages are fetched.
func TestSparkConnectOption(t *testing.T) {
	l := newLab(t)
	l.notebook("show", `
import json, os
print(json.load(open(os.environ["FLOWCTL_CONTEXT"]))["spark"].get("connect"), os.environ.get("SPARK_CONNECT_MODE_ENABLED"))`)
	assert.Equal(t, "None None\n", l.ok("show"))
	t.Setenv(local.SparkConnect, "0")
	assert.Equal(t, "None None\n", l.ok("show"))
	t.Setenv(local.SparkConnect, "1")
	assert.Equal(t, "True 1\n", l.ok("show"))
	l.write("q.sql", "SELECT 1")
	_, _, _ = l.do(l.attempt(jobspec.SQLTask, `{"warehouse_id":"w","file":{"path":"q.sql"}}`))
	context, err := os.ReadFile(filepath.Join(l.last, "context.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(context), `"connect"`)
	if !l.lacksPySpark() {
		t.Skip("this interpreter has pyspark")
	}
	t.Setenv("FLOWCTL_SPARK_ENV", "")
	l.job = &jobspec.Job{JobClusters: []jobspec.JobCluster{{Key: "c", NewCluster: []byte(`{"spark_version":"15.4.x-scala2.12"}`)}}}
	l.notebook("n", "spark.range(3)")
	a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"n"}`)
	a.Task.Compute.JobClusterKey = "c"
	_, err = l.runners[jobspec.NotebookTask].Run(t.Context(), a, taskstest.NewRecorder(nil))
	require.ErrorContains(t, err, "--spark-connect (FLOWCTL_SPARK_CONNECT): the cluster's spark_version 15.4.x-scala2.12 means Spark 3.5, "+
		"and Spark Connect is here with Spark 4.0 and newer")
}

// What an interpreter lacks is named; so are the names that Spark Connect has
// nothing behind. Parameters of a statement become part of it.
func TestSparkConnectWithoutSpark(t *testing.T) {
	l := newLab(t)
	t.Setenv(local.SparkConnect, "1")
	l.write("old/version.py", `__version__: str = "3.5.6"`)
	l.write("new/version.py", `__version__: str = "4.1.4"`)
	l.write("look.py", `
import os
from flowctl_rt import spark_connect, spark_tokens
def refused(what):
    try:
        print("there is", what())
    except Exception as e:
        print(type(e).__name__, str(e).replace(os.path.dirname(__file__), ""))
refused(lambda: sc.parallelize([1]))
refused(lambda: sqlContext.sql("select 1"))
refused(lambda: spark_connect.fits(os.path.join(os.path.dirname(__file__), "old")))
spark_connect.NEEDS = ("json", "grpc_of_nobody", "google_of_nobody.protobuf")
refused(lambda: spark_connect.fits(os.path.join(os.path.dirname(__file__), "new")))
for text, args in (
    ("select :a, ':a', c:a, :b /* :a */, ::a", {"a": 1}), ("select ? , '?', ?, ?", ["x", 2]), ("select :a", ["x"]), ("select ?", {"a": 1}),
):
    print(spark_tokens.bound(text, args, repr))
`)
	res, log, _ := l.script("look.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	const none = ": Spark Connect has no SparkContext, RDDs or JVM, as serverless and standard compute have none; use spark, or run the job without --spark-connect\n"
	assert.Contains(t, log, "FlowctlUnsupported sc"+none+"FlowctlUnsupported sqlContext"+none)
	assert.Contains(t, log, "is here with Spark 4.0 and newer, and the task's interpreter")
	assert.Contains(t, log, "has pyspark 3.5.6: choose one with pyspark 4.1, or run the job without it\n")
	assert.Contains(t, log, "has not got (grpc_of_nobody, google_of_nobody.protobuf): add pyspark[connect] to the dependencies")
	assert.Contains(t, log, "select 1, ':a', c:a, :b /* :a */, ::a\nselect 'x' , '?', 2, ?\nselect :a\nselect ?\n")
}

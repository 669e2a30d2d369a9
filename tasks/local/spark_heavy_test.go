package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

// sparkLab is a lab whose interpreter has Spark.
func sparkLab(t *testing.T) *lab {
	python := taskstest.SparkPython(t)
	l := newLab(t)
	l.runners = local.Runners(&local.Options{Python: python, WorkspaceID: "42"})
	t.Cleanup(func() { l.endRun(1) })
	return l
}

// endRun ends the drivers of a run and waits until they are gone: the folder
// that they work in is the test's own.
func (l *lab) endRun(run int64) {
	require.NoError(l, local.EndRun(l.home, run))
	for _, life := range l.lives(run) {
		f, err := os.OpenFile(filepath.Join(life, "alive"), os.O_RDWR, 0)
		require.NoError(l, err)
		require.NoError(l, unix.Flock(int(f.Fd()), unix.LOCK_EX), "held as long as the driver lives")
		require.NoError(l, f.Close())
	}
}

// lives are the drivers that a run has had.
func (l *lab) lives(run int64) []string {
	found, err := filepath.Glob(filepath.Join(l.home, "runs", strconv.FormatInt(run, 10), ".spark", "*", "*", "[0-9]*"))
	require.NoError(l, err)
	return found
}

func TestSparkIsSharedByTheTasksOfARun(t *testing.T) {
	l := sparkLab(t)
	l.notebook("first", `
print(spark.sparkContext.applicationId, isinstance(sc.parallelize([1]).count(), int))
spark.range(3).createOrReplaceTempView("mine")
spark.range(3).write.saveAsTable("shared")`)
	l.write("second.py", `
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[7]").appName("x").getOrCreate()
print(spark.sparkContext.applicationId, spark.catalog.tableExists("mine"), spark.table("shared").count())
spark.stop()
print(spark.range(2).count())
`)
	l.notebook("free", "# a comment of spark\nprint('no spark here')")
	assert.Equal(t, "no spark here\n", l.ok("free"))
	assert.Empty(t, l.lives(1), "no driver without need")

	lines := strings.Split(strings.TrimSpace(l.ok("first")), "\n") // the first start may have said that it waits
	app, _, _ := strings.Cut(lines[len(lines)-1], " ")
	res, log, _ := l.script("second.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, app+" False 3\n", "the same application, a session of its own")
	assert.Contains(t, log, "spark.stop() does nothing here")
	assert.True(t, strings.HasSuffix(log, "2\n"), log)
	assert.Len(t, l.lives(1), 1)

	l.arguments()
	l.restartAndChild(app)
	l.cancelled()
	l.driverDies(app)
}

// arguments: NumPy's values reach the driver, and nothing is imported to look for them.
func (l *lab) arguments() {
	l.notebook("arguments", `
import sys
from pyspark.sql.functions import col, lit
print(spark.range(10).filter(col("id") > 5).count(), "pandas" in sys.modules, "unittest" in sys.modules)
import numpy as np
print(spark.range(10).filter(col("id") == np.int64(3)).count(), spark.range(1).select(lit(np.array([1, 2]))).first()[0])`)
	assert.Equal(l, "4 False False\n1 [1, 2]\n", l.ok("arguments"))
}

// restartAndChild: a notebook that restarts Python keeps its session; a child
// notebook has one of its own on the same driver.
func (l *lab) restartAndChild(app string) {
	l.notebook("child", "spark.range(1).createOrReplaceTempView('of_child')\ndbutils.notebook.exit(sc.applicationId)")
	l.notebook("restart", "spark.range(4).createOrReplaceTempView('kept')\nspark.sql('USE main.default')\nx = 1", "dbutils.library.restartPython()",
		"print('x' in globals(), spark.table('kept').count(), spark.catalog.currentCatalog())\nprint(dbutils.notebook.run('./child', 0), spark.catalog.tableExists('of_child'))")
	assert.Equal(l, "False 4 main\n"+app+" False\n", l.ok("restart"))
}

// cancelled: the jobs of a cancelled task end with it.
func (l *lab) cancelled() {
	l.notebook("long", `
import threading, time
def work(i):
    time.sleep(600)
    return i
t = threading.Thread(target=lambda: spark.range(2, numPartitions=1).rdd.map(lambda r: work(1)).count())
sc.setLocalProperty("x", "y")
dbutils.jobs.taskValues.set("begun", 1)
spark.range(2, numPartitions=1).rdd.map(lambda r: work(1)).count()`)
	ctx, cancel := context.WithCancelCause(l.Context())
	rec := taskstest.NewRecorder(nil)
	go func() { rec.WaitValue(ctx, "begun"); cancel(tasks.ErrCanceled) }()
	res, err := l.runners[jobspec.NotebookTask].Run(ctx, l.attempt(jobspec.NotebookTask, `{"notebook_path":"long"}`), rec)
	require.NoError(l, err)
	assert.Equal(l, tasks.Canceled, res.Outcome)
	l.notebook("after", `
tracker = sc.statusTracker()
import time
for _ in range(100):
    if not tracker.getActiveStageIds(): break
    time.sleep(0.1)
print(len(tracker.getActiveStageIds()))`)
	assert.Equal(l, "0\n", l.ok("after"))
}

// driverDies: the task says so with the driver's last lines, and the next one
// gets a new driver.
func (l *lab) driverDies(app string) {
	l.notebook("killer", `
jvm = spark._jvm
jvm.java.lang.Runtime.getRuntime().halt(9)
print("never")`)
	res := l.fails("killer")
	assert.Contains(l, res.Message, "SparkDriverDied: DRIVER_DIED: the Spark driver of this task is gone: it ended with exit status 9")
	l.notebook("next", "print(sc.applicationId)")
	assert.NotEqual(l, app+"\n", l.ok("next"))
	assert.Len(l, l.lives(1), 2)
}

func TestSparkCannotStart(t *testing.T) {
	l := sparkLab(t)
	l.notebook("n", "spark.range(1).count()")
	a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"n"}`)
	a.Code.Env = []string{"JAVA_HOME=" + l.dir}
	res, _, _ := l.do(a)
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Contains(t, res.Message, "SparkUnavailable: Spark needs Java 17, and JAVA_HOME is "+l.dir+", which has no bin/java: install a JDK")

	l.libs = `[{"maven":{"coordinates":"no.such.group:nothing:1.0"}}]`
	res, _, _ = l.do(l.attempt(jobspec.NotebookTask, `{"notebook_path":"n"}`))
	assert.Contains(t, res.Message, "the jars of no.such.group:nothing:1.0 could not be fetched")
}

func TestSparkNames(t *testing.T) {
	l := sparkLab(t)
	code, err := os.ReadFile(filepath.Join("testdata", "spark_names.py"))
	require.NoError(t, err)
	l.write("names.py", string(code))
	out := l.ok("names", "cat=dev")
	want, err := os.ReadFile(filepath.Join("testdata", "spark_names.txt"))
	require.NoError(t, err)
	assert.Equal(t, string(want), out)

	l.endRun(1) // another driver finds the same catalog
	l.write("again.sql", `-- Databricks notebook source
CREATE WIDGET TEXT lim DEFAULT "2";
SELECT * FROM dev.bronze.t2 ORDER BY id, g LIMIT ${lim}
-- COMMAND ----------
SELECT dev.bronze.dbl(4) AS d, n FROM dev.bronze.v WHERE g = 9 AND :lim = '2'
-- COMMAND ----------
-- MAGIC %python
-- MAGIC print(_sqldf.count(), [t.name for t in spark.catalog.listTables("dev.bronze")], spark.table("dev.bronze.pq").count())
-- MAGIC spark.sql("DROP SCHEMA dev.bronze CASCADE")
-- MAGIC print([r[0] for r in spark.sql("SHOW SCHEMAS IN dev").collect()])
`)
	assert.Equal(t, "id  g\n--  -\n0   9\n0   9\nd  n\n-  -\n8  2\n1 ['ext', 'pq', 'streamed', 't2', 'v'] 1\n['default']\n", l.ok("again"))
}

func TestSparkSQLFile(t *testing.T) {
	l := sparkLab(t)
	l.sqlFile()
	l.copyInto()
	l.dialect()
}

// sqlFile: a sql_task has parameters and the output of its kind.
func (l *lab) sqlFile() {
	l.write("q.sql", `USE CATALOG {{cat}};
CREATE SCHEMA IF NOT EXISTS sq;
USE IDENTIFIER({{ schema }});
CREATE OR REPLACE TABLE IDENTIFIER(:cat || '.sq.t') AS SELECT 1 a, :who b;
INSERT INTO main.sq.t VALUES (2, '{{ who }}; --');
CREATE OR REFRESH STREAMING TABLE raw AS SELECT *, 1 AS n FROM STREAM read_files('/Volumes/main/sq/v/in', format => 'csv');
CREATE MATERIALIZED VIEW IF NOT EXISTS daily AS SELECT sum(n) AS n FROM raw;
SELECT * FROM raw, daily;
SELECT count(*) AS trips FROM samples.nyctaxi.trips WHERE fare_amount > 0;
SELECT * FROM t ORDER BY a -- the end`)
	l.notebook("put", "dbutils.fs.put('/Volumes/main/sq/v/in/a.csv', 'x,y\\n7,8\\n')")
	l.ok("put")
	payload := `{"warehouse_id":"w1","file":{"path":"q.sql"},"parameters":{"who":"it's me","cat":"main","schema":"sq"}}`
	res, log, _ := l.do(l.attempt(jobspec.SQLTask, payload))
	require.Equal(l, tasks.Success, res.Outcome, log)
	assert.Contains(l, log, "a  b\n-  -----------\n1  it's me\n2  it's me; --\n")
	assert.Contains(l, log, "x  y  n  n\n-  -  -  -\n7  8  1  1\n")
	assert.Contains(l, log, "trips\n-----\n2000\n")
	assert.Contains(l, log, "samples.nyctaxi.trips is made up here")
	var out struct {
		SQL struct {
			Query struct {
				Text       string `json:"query_text"`
				Warehouse  string `json:"warehouse_id"`
				Statements []any  `json:"sql_statements"`
			} `json:"query_output"`
		} `json:"sql_output"`
	}
	require.NoError(l, json.Unmarshal(res.Output, &out))
	assert.Equal(l, "w1", out.SQL.Query.Warehouse)
	assert.Contains(l, out.SQL.Query.Text, "it\\'s me; --'")
	assert.Len(l, out.SQL.Query.Statements, 10)

	l.write("bad.sql", "SELECT 1; SELECT nope FROM main.sq.t")
	res, log, _ = l.do(l.attempt(jobspec.SQLTask, `{"warehouse_id":"w","file":{"path":"bad.sql"}}`))
	assert.Equal(l, tasks.Failed, res.Outcome)
	assert.Contains(l, res.Message, "[UNRESOLVED_COLUMN")
	assert.Contains(l, log, "statement 2 of 2 failed: SELECT nope")

	l.write("metric.sql", "CREATE OR REPLACE VIEW main.sq.m\nWITH METRICS LANGUAGE YAML AS $$\nversion: 1.0\nsource: main.sq.t\n$$")
	res, log, _ = l.do(l.attempt(jobspec.SQLTask, `{"warehouse_id":"w","file":{"path":"metric.sql"}}`))
	assert.Equal(l, tasks.Failed, res.Outcome)
	assert.Contains(l, res.Message, "Spark has no metric views", log)
}

func TestMLflowStaysHere(t *testing.T) {
	l := sparkLab(t)
	l.notebook("log", `
import mlflow
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
class Plus(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float], params=None) -> list[float]:
        return [x + 1 for x in model_input]
with mlflow.start_run() as run:
    mlflow.log_metric("m", 0.5)
    info = mlflow.pyfunc.log_model(name="model", python_model=Plus(), registered_model_name="main.s.plus", pip_requirements=["mlflow"])
dbutils.notebook.exit(run.info.run_id)`)
	l.notebook("read", `
import mlflow
from mlflow import MlflowClient
c = MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
run = c.get_run(dbutils.widgets.get("id"))
print(c.get_experiment(run.info.experiment_id).name, run.data.metrics["m"])
print([run.data.tags[k] for k in ("flowctl.task_key", "flowctl.run_id", "flowctl.attempt", "mlflow.source.name", "mlflow.source.type")])
c.set_registered_model_alias("main.s.plus", "champion", 1)
print(c.transition_model_version_stage("main.s.plus", 1, "Staging").current_stage)
print("described:", repr(c.get_model_version("main.s.plus", 1).description + c.get_registered_model("main.s.plus").description))
print(mlflow.pyfunc.load_model("models:/main.s.plus@champion").predict([1.0]))`)
	res, log, _ := l.run("log")
	require.Equal(t, tasks.Success, res.Outcome, log)
	var out struct {
		N struct{ Result string } `json:"notebook_output"`
	}
	require.NoError(t, json.Unmarshal(res.Output, &out))
	log = l.ok("read", "id="+out.N.Result)
	assert.Contains(t, log, "/Jobs/lab 0.5\n['t', '1', '0', 'jobs/7/run/1', 'JOB']\n")
	assert.Contains(t, log, "Staging\n")
	assert.Contains(t, log, "described: ''\n", "as on a workspace, where a description that nobody gave is empty")
	assert.Contains(t, log, "[2.0]\n")
	entries, err := os.ReadDir(filepath.Join(l.home, "mlflow"))
	require.NoError(t, err)
	names := fmt.Sprint(entries)
	assert.Contains(t, names, "artifacts")
	assert.Contains(t, names, "mlflow.db")
	assert.Empty(t, l.lives(1), "MLflow alone needs no Spark")
}

// PySpark's own ways in lead to the task's session; workers see the task's
// modules; models and streams lie in Databricks' paths.
func TestSparkAPI(t *testing.T) {
	l := sparkLab(t)
	l.write("helper.py", "def plus(x):\n    return x + 100\n")
	l.notebook("api", `
import helper, pandas as pd
from pyspark.sql import functions as F
plus = F.udf(lambda x: helper.plus(x), "int")  # before anything has touched spark
@F.pandas_udf("double")
def twice(s: pd.Series) -> pd.Series:
    return s * 2.0
print([tuple(r) for r in spark.range(2).select(plus(F.col("id").cast("int")), twice("id")).collect()])`, `
from pyspark.ml.recommendation import ALS, ALSModel
ratings = spark.createDataFrame([(u, i, float(u % 3 + i % 2)) for u in range(4) for i in range(3)], "u int, i int, r double")
ALS(userCol="u", itemCol="i", ratingCol="r", maxIter=1, rank=2).fit(ratings).write().overwrite().save("dbfs:/models/als")
import os
print(ALSModel.load("dbfs:/models/als").rank, os.path.isdir("/dbfs/models/als/metadata"))`, `
from databricks.connect import DatabricksSession
from pyspark.sql import SparkSession
print(DatabricksSession.builder.profile("x").serverless(True).getOrCreate() is spark, SparkSession.getActiveSession().range(4).count())`, `
def keep(frame, batch):
    frame.write.mode("append").saveAsTable("main.default.seen")
spark.range(5).write.saveAsTable("main.default.source")
spark.readStream.table("main.default.source").writeStream.foreachBatch(keep).trigger(availableNow=True).option("checkpointLocation", "dbfs:/ck/1").start()
display(spark.readStream.table("main.default.source"))`)
	out := l.ok("api")
	assert.Contains(t, out, "[(100, 0.0), (101, 2.0)]\n2 True\nTrue 4\na stream of id: its rows are shown where it is written to\n")
	l.notebook("seen", "print(spark.table('main.default.seen').count())")
	assert.Equal(t, "5\n", l.ok("seen"), "the notebook lasted as long as its stream")
}

// A task's process that is killed leaves no job behind in the driver, and
// nothing that is in the way of the table that it was making.
func TestSparkTaskIsKilled(t *testing.T) {
	l := sparkLab(t)
	l.notebook("killed", `
import os, signal, threading, time
def work(r):
    time.sleep(600)
    return 1
spark.udf.register("work", work, "int")
threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
spark.sql("CREATE TABLE main.default.half AS SELECT work(id) AS n FROM range(2)")`)
	assert.Contains(t, l.fails("killed").Message, "signal 9")
	l.notebook("after", `
import time
tracker = sc.statusTracker()
for _ in range(200):
    if not tracker.getActiveStageIds():
        break
    time.sleep(0.1)
print(len(tracker.getActiveStageIds()))`, `
import os
print([r.tableName for r in spark.sql("SHOW TABLES IN main.default").collect()], spark.catalog.tableExists("main.default.half"))
spark.sql("CREATE TABLE main.default.half AS SELECT 1 AS n")
schema = os.path.dirname(spark.sql("DESCRIBE DETAIL main.default.half").first().location[len("file:"):])
for name in ("other", "third", "fourth"):  # as a power cut leaves them
    os.makedirs(schema + "/" + name + "/_delta_log/_staged_commits")
    open(schema + "/" + name + "/part-0.parquet", "w").close()
spark.range(2).write.saveAsTable("main.default.other")
spark.range(3).writeTo("main.default.third").using("delta").create()
spark.sql("DROP TABLE IF EXISTS main.default.fourth")
print([(r.tableName, spark.table("main.default." + r.tableName).count()) for r in spark.sql("SHOW TABLES IN main.default").collect()], os.path.exists(schema + "/fourth"))`)
	assert.Equal(t, "0\n[] False\n[('half', 1), ('other', 2), ('third', 3)] False\n", l.ok("after"))
}

// An interpreter with nothing but itself gets the packages of the runtime.
func TestSparkIsBrought(t *testing.T) {
	taskstest.SparkPython(t) // what is downloaded is in the installer's cache now
	l := newLab(t)
	if !l.lacksPySpark() {
		t.Skip("this interpreter has pyspark")
	}
	t.Cleanup(func() { l.endRun(1) })
	t.Setenv("FLOWCTL_SPARK_ENV", "")
	l.notebook("plain", "print(1)")
	l.ok("plain")
	assert.NoDirExists(t, filepath.Join(l.home, "envs"))
	l.notebook("n", "import mlflow, delta\nprint(spark.version, mlflow.__version__)")
	assert.Contains(t, l.ok("n"), "4.1.4 3.17.2\n")
}

// A jar's main class gets the cluster's settings and its arguments; its
// exception is the task's error.
func TestSparkJarAndSubmit(t *testing.T) {
	l := sparkLab(t)
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Skip("no javac")
	}
	l.write("src/shop/Main.java", `package shop;
import org.apache.spark.sql.SparkSession;
public class Main {
	public static void main(String[] args) {
		SparkSession spark = SparkSession.builder().getOrCreate();
		if (args[0].equals("fail")) throw new IllegalStateException("no goods");
		spark.range(3).write().format("delta").save(args[0]);
		System.out.println(spark.read().format("delta").load(args[0]).count() + " " + spark.conf().get("spark.shop"));
	}
}`)
	python := taskstest.SparkPython(t)
	jars, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(python)), "lib", "python3*", "site-packages", "pyspark", "jars"))
	require.NoError(t, err)
	require.Len(t, jars, 1)
	out, err := exec.Command(javac, "-cp", jars[0]+"/*", "-d", filepath.Join(l.dir, "classes"), filepath.Join(l.dir, "src/shop/Main.java")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(python, "-m", "zipfile", "-c", filepath.Join(l.dir, "shop.jar"), filepath.Join(l.dir, "classes", "shop")).CombinedOutput()
	require.NoError(t, err, "%s", out)

	l.libs = `[{"jar":"shop.jar"}]`
	l.job = &jobspec.Job{JobClusters: []jobspec.JobCluster{{Key: "c", NewCluster: []byte(`{"spark_version":"18.0.x-scala2.13","spark_conf":{"spark.shop":"open","spark.master":"yarn"}}`)}}}
	jar := func(args string) (tasks.Result, string, *taskstest.Recorder) {
		a := l.attempt(jobspec.SparkJarTask, `{"main_class_name":"shop.Main","parameters":[`+args+`]}`)
		a.Task.Compute.JobClusterKey = "c"
		return l.do(a)
	}
	res, log, rec := jar(`"dbfs:/out/t"`)
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "3 open\n")
	assert.DirExists(t, filepath.Join(l.home, "fs", "dbfs", "out", "t", "_delta_log"))
	wrote := facts(t, rec, "wrote")
	require.Len(t, wrote, 1, "its settings mark its commits")
	assert.True(t, wrote[0].Sure)
	assert.Equal(t, n(3), wrote[0].Rows)
	assert.Equal(t, "jar", sources(t, rec)[filepath.Join(l.dir, "shop.jar")].Via)
	require.Len(t, rec.Facts("gap"), 1)
	assert.Contains(t, rec.Facts("gap")[0], "reads is not observed")
	res, _, _ = jar(`"fail"`)
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Equal(t, "ApplicationFailed: shop.Main ended with exit status 1: java.lang.IllegalStateException: no goods", res.Message)

	l.libs = ""
	payload := fmt.Sprintf(`{"parameters":["--master","yarn","--deploy-mode","cluster","--conf","spark.shop=shut","--class","shop.Main",%q,"dbfs:/out/u"]}`, filepath.Join(l.dir, "shop.jar"))
	res, log, _ = l.do(l.attempt(jobspec.SparkSubmitTask, payload))
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "3 shut\n")
}

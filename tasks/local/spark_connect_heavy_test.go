package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

// connectLab is a lab whose tasks have sessions of Spark Connect. What a client
// needs beside PySpark is brought.
func connectLab(t *testing.T) *lab {
	l := sparkLab(t)
	taskstest.KeepEnvs(t, l.home)
	t.Setenv(local.SparkConnect, "1")
	t.Setenv("FLOWCTL_SPARK_ENV", "")
	return l
}

// Code sees the session of serverless compute; what a classic one answers, this
// one answers too.
func TestSparkConnect(t *testing.T) {
	l := connectLab(t)
	l.write("helper.py", "def plus(x):\n    return x + 100\n")
	l.same("spark_connect.py", "spark_connect.txt")
	l.notebook("seen", `print(spark.table("main.c.seen").count(), spark.table("main.c.m").count(), spark.catalog.tableExists("mine"))`)
	assert.Equal(t, "3 2 False\n", l.ok("seen"), "the notebook lasted as long as its stream; temporary views are the task's own")
	l.same("spark_names.py", "spark_names.txt")
	assert.Len(t, l.lives(1), 1, "one driver for all")
	l.connectFacts()
	l.connectEnds()
}

// same runs a notebook of testdata, which prints what a file there has.
func (l *lab) same(code, out string) {
	l.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", code))
	require.NoError(l, err)
	l.write(code, string(data))
	log := l.ok(strings.TrimSuffix(code, ".py"), "cat=dev")
	if *update && out == "spark_connect.txt" {
		require.NoError(l, os.WriteFile(filepath.Join("testdata", out), []byte(log), 0o600))
	}
	want, err := os.ReadFile(filepath.Join("testdata", out))
	require.NoError(l, err)
	assert.Equal(l, string(want), log)
}

// connectFacts: commits carry the attempt's mark, reads are told by the listener.
func (l *lab) connectFacts() {
	const name = "main.facts.ratings"
	l.task("first", `
spark.sql("CREATE SCHEMA IF NOT EXISTS main.facts")
spark.range(5).write.saveAsTable("main.facts.ratings")
spark.range(3).write.mode("append").saveAsTable("main.facts.ratings")`)
	rec := l.task("second", `
print(spark.read.option("versionAsOf", 0).table("main.facts.ratings").filter("id > 1").collect())
spark.sql("SELECT id + 1 AS id FROM main.facts.ratings").write.mode("overwrite").saveAsTable("main.facts.more")
try:
    spark.sql("SELECT nope FROM main.facts.ratings").collect()
except Exception:
    pass`)
	read := of(facts(l.T, rec, "read"), name)
	require.Len(l, read, 2, rec.Facts("read"))
	assert.Equal(l, []*int64{n(0), n(1)}, []*int64{read[0].Version, read[1].Version})
	assert.Equal(l, map[string]string{"versionAsOf": "0"}, read[0].Asked)
	assert.Equal(l, []string{"plan", "plan"}, []string{read[0].How, read[1].How})
	wrote := of(facts(l.T, rec, "wrote"), "main.facts.more")
	require.Len(l, wrote, 1, rec.Facts("wrote"))
	assert.True(l, wrote[0].Sure, "known by the mark")
	assert.Equal(l, n(8), wrote[0].Rows)
	assert.Empty(l, rec.Facts("gap"))
}

// connectTwice: two tasks at once share a new driver and its server; each has a session of its own.
func (l *lab) connectTwice() {
	var both sync.WaitGroup
	logs := make([]string, 2)
	attempts := make([]tasks.Attempt, 2)
	for i := range attempts {
		rows := strconv.Itoa(i + 3)
		l.notebook("both"+rows, "spark.range("+rows+").createOrReplaceTempView('mine')\nprint(spark.table('mine').count(), spark.conf.get('spark.app.id'))")
		attempts[i] = l.attempt(jobspec.NotebookTask, `{"notebook_path":"both`+rows+`"}`)
	}
	for i, a := range attempts {
		both.Go(func() {
			res, err := l.runners[a.Task.Type].Run(l.Context(), a, taskstest.NewRecorder(nil))
			assert.NoError(l, err)
			assert.Equal(l, tasks.Success, res.Outcome, res.Message)
			log, err := os.ReadFile(filepath.Join(a.Dir, "output.log"))
			assert.NoError(l, err)
			logs[i] = string(log)
		})
	}
	both.Wait()
	count, app, _ := strings.Cut(logs[0], " ")
	assert.Equal(l, "3", count)
	assert.Equal(l, "4 "+app, logs[1])
}

// connectEnds: a task that is cancelled or killed leaves nothing running and no
// session; one whose driver dies says so.
func (l *lab) connectEnds() {
	const long = `
import os, signal, threading, time
from pyspark.sql.functions import udf
@udf("int")
def work(i):
    time.sleep(600)
dbutils.jobs.taskValues.set("begun", 1)
`
	l.notebook("long", long+`spark.range(2, numPartitions=1).select(work("id")).collect()`)
	ctx, cancel := context.WithCancelCause(l.Context())
	rec := taskstest.NewRecorder(nil)
	go func() { rec.WaitValue(ctx, "begun"); cancel(tasks.ErrCanceled) }()
	res, err := l.runners[jobspec.NotebookTask].Run(ctx, l.attempt(jobspec.NotebookTask, `{"notebook_path":"long"}`), rec)
	require.NoError(l, err)
	assert.Equal(l, tasks.Canceled, res.Outcome)
	l.notebook("killed", long+`threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
spark.range(2, numPartitions=1).select(work("id")).collect()`)
	assert.Contains(l, l.fails("killed").Message, "signal 9")
	l.notebook("after", `
import time
spark.range(1).count()
from flowctl_rt import spark_attach
jvm = spark_attach.java()[0]
tracker = jvm.org.apache.spark.SparkContext.getOrCreate().statusTracker()
service = getattr(getattr(jvm.org.apache.spark.sql.connect.service, "SparkConnectService$"), "MODULE$")
def left():
    return len(tracker.getActiveStageIds()), service.sessionManager().listActiveSessions().size()
for _ in range(200):
    if left() == (0, 1):
        break
    time.sleep(0.1)
print(*left())`)
	assert.Equal(l, "0 1\n", l.ok("after"))
	l.notebook("dies", `
spark.range(1).count()
from flowctl_rt import spark_attach
try:
    spark_attach.java()[0].java.lang.Runtime.getRuntime().halt(9)
except Exception:
    pass
spark.range(1).count()`)
	assert.Contains(l, l.fails("dies").Message, "SparkDriverDied: DRIVER_DIED: the Spark driver of this task is gone: it ended with exit status 9")
	l.connectTwice()
	assert.Len(l, l.lives(1), 2)
}

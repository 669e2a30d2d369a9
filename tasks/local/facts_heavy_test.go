package local_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// dataFact is a "read" or "wrote" fact.
type dataFact struct {
	Kind, Table, Name, Path, How, Operation, SHA256, Format string
	Version, Before, After, Rows                            *int64
	Asked                                                   map[string]string
	Sure                                                    bool
	Schema                                                  string `json:"schema_sha256"`
	Files                                                   int
}

func facts(t *testing.T, rec *taskstest.Recorder, kind string) []dataFact {
	var list []dataFact
	for _, raw := range rec.Facts(kind) {
		var f dataFact
		require.NoError(t, json.Unmarshal([]byte(raw), &f))
		list = append(list, f)
	}
	return list
}

// of are the facts about one table.
func of(list []dataFact, name string) []dataFact {
	var found []dataFact
	for _, f := range list {
		if f.Name == name || f.Path == name {
			found = append(found, f)
		}
	}
	return found
}

// task runs a notebook of one cell, as the task of that key.
func (l *lab) task(key, code string) *taskstest.Recorder {
	l.Helper()
	l.notebook(key, code)
	a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"`+key+`"}`)
	a.Key = key
	res, log, rec := l.do(a)
	require.Equal(l, tasks.Success, res.Outcome, "%s\n%s", res.Message, log)
	return rec
}

func n(v int64) *int64 { return &v }

func TestSparkFacts(t *testing.T) {
	l := sparkLab(t)
	const name = "main.recsys.ratings"
	rec := l.task("first", `
spark.sql("CREATE SCHEMA IF NOT EXISTS main.recsys")
spark.range(5).write.saveAsTable("main.recsys.ratings")`)
	wrote := of(facts(t, rec, "wrote"), name)
	require.Len(t, wrote, 1, rec.Facts("wrote"))
	first := wrote[0]
	assert.Nil(t, first.Before)
	assert.Equal(t, n(0), first.After)
	assert.Equal(t, n(5), first.Rows)
	assert.Equal(t, "CREATE TABLE AS SELECT", first.Operation)
	assert.Equal(t, "log", first.How)
	assert.True(t, first.Sure)
	assert.NotEmpty(t, first.Table)
	assert.Len(t, first.Schema, 64)
	assert.Empty(t, rec.Facts("gap"))

	rec = l.task("second", `spark.range(5, 12).write.mode("append").saveAsTable("main.recsys.ratings")`)
	wrote = of(facts(t, rec, "wrote"), name)
	require.Len(t, wrote, 1)
	assert.Equal(t, []*int64{n(0), n(1), n(7)}, []*int64{wrote[0].Before, wrote[0].After, wrote[0].Rows})
	assert.Equal(t, first.Table, wrote[0].Table)
	assert.Equal(t, first.Schema, wrote[0].Schema)

	l.readsOldVersions(name, first)
	l.readsByMergeAndFiles(name, first)
	l.authorsOwnMark(name)
	l.twoAtOnce()
}

// readsOldVersions: the version that was read is told, not the head.
func (l *lab) readsOldVersions(name string, first dataFact) {
	rec := l.task("pinned", `
old = spark.read.option("versionAsOf", 0).table("main.recsys.ratings")
assert old.toPandas().shape[0] == 5
assert spark.sql("SELECT * FROM main.recsys.ratings VERSION AS OF 0 WHERE id > 2").collect()`)
	read := of(facts(l.T, rec, "read"), name)
	require.Len(l, read, 1, rec.Facts("read"))
	assert.Equal(l, n(0), read[0].Version)
	assert.Equal(l, map[string]string{"versionAsOf": "0"}, read[0].Asked)
	assert.Equal(l, "plan", read[0].How)
	assert.True(l, read[0].Sure)
	assert.Equal(l, first.Table, read[0].Table)
	assert.Empty(l, facts(l.T, rec, "wrote"))

	rec = l.task("dated", `
when = spark.sql("DESCRIBE HISTORY main.recsys.ratings").filter("version = 0").first()["timestamp"]
print(spark.read.option("timestampAsOf", str(when)).table("main.recsys.ratings").agg({"id": "max"}).collect())
print(spark.table("main.recsys.ratings").count())
df = spark.table("main.recsys.ratings")
df.rdd.map(lambda r: r[0]).sum()`)
	read = of(facts(l.T, rec, "read"), name)
	require.Len(l, read, 2, rec.Facts("read"))
	assert.Equal(l, n(0), read[0].Version)
	assert.Contains(l, read[0].Asked, "timestampAsOf")
	assert.Equal(l, n(1), read[1].Version, "a count that the log answers is a read too")
	assert.Empty(l, read[1].Asked)

	rec = l.task("opened", `print(spark.table("main.recsys.ratings").columns)`)
	read = of(facts(l.T, rec, "read"), name)
	require.Len(l, read, 1)
	assert.Equal(l, "hook", read[0].How)
	assert.False(l, read[0].Sure, "that its rows were read is not known")
}

// readsByMergeAndFiles: sources of a MERGE, of a SQL file, and plain files.
func (l *lab) readsByMergeAndFiles(name string, first dataFact) {
	volume := filepath.Join(l.home, "fs", "volumes", "main", "recsys", "in")
	require.NoError(l, os.MkdirAll(volume, 0o700))
	require.NoError(l, os.WriteFile(filepath.Join(volume, "a.csv"), []byte("id\n3\n99\n"), 0o600))
	rec := l.task("merge", `
spark.read.option("header", True).option("inferSchema", True).csv("/Volumes/main/recsys/in/a.csv").createOrReplaceTempView("new")
spark.sql("MERGE INTO main.recsys.ratings t USING new s ON t.id = s.id WHEN MATCHED THEN UPDATE SET t.id = s.id + 100 WHEN NOT MATCHED THEN INSERT *")
spark.table("main.recsys.ratings").filter("id > 1").write.parquet("/Volumes/main/recsys/in/out")
spark.table("main.recsys.ratings").write.save("/Volumes/main/recsys/in/copy")`)
	wrote := of(facts(l.T, rec, "wrote"), name)
	require.Len(l, wrote, 1, rec.Facts("wrote"))
	assert.Equal(l, []*int64{n(1), n(2), n(2)}, []*int64{wrote[0].Before, wrote[0].After, wrote[0].Rows})
	assert.Equal(l, "MERGE", wrote[0].Operation)
	read := of(facts(l.T, rec, "read"), filepath.Join(volume, "a.csv"))
	require.Len(l, read, 1, rec.Facts("read"))
	assert.Equal(l, sum("id\n3\n99\n"), read[0].SHA256)
	assert.Equal(l, "CSV", read[0].Format)
	files := of(facts(l.T, rec, "wrote"), filepath.Join(volume, "out"))
	require.Len(l, files, 1)
	assert.Equal(l, "Parquet", files[0].Format)
	copied := of(facts(l.T, rec, "wrote"), filepath.Join(volume, "copy"))
	require.Len(l, copied, 1, "a table that only a path names")
	assert.Equal(l, n(0), copied[0].After)
	assert.True(l, copied[0].Sure)

	l.write("q.sql", "CREATE OR REPLACE TABLE main.recsys.top AS SELECT * FROM main.recsys.ratings VERSION AS OF 1;\nSELECT count(*) FROM main.recsys.top")
	res, log, rec := l.do(l.attempt(jobspec.SQLTask, `{"file":{"path":"q.sql"},"warehouse_id":"w"}`))
	require.Equal(l, tasks.Success, res.Outcome, log)
	read = of(facts(l.T, rec, "read"), name)
	require.Len(l, read, 1, rec.Facts("read"))
	assert.Equal(l, n(1), read[0].Version)
	assert.Equal(l, map[string]string{"versionAsOf": "1"}, read[0].Asked)
	assert.Len(l, of(facts(l.T, rec, "wrote"), "main.recsys.top"), 1)
	assert.Contains(l, sources(l.T, rec), "q.sql")
	assert.Equal(l, first.Table, read[0].Table)
}

// authorsOwnMark: what the author says of a commit stays; the time tells whose it is.
func (l *lab) authorsOwnMark(name string) {
	rec := l.task("own", `
spark.range(1).write.mode("append").option("userMetadata", "mine").saveAsTable("main.recsys.ratings")
print(spark.sql("DESCRIBE HISTORY main.recsys.ratings LIMIT 1").first()["userMetadata"])`)
	assert.Contains(l, l.log(), "mine\n")
	wrote := of(facts(l.T, rec, "wrote"), name)
	require.Len(l, wrote, 1)
	assert.Equal(l, n(3), wrote[0].After)
	assert.False(l, wrote[0].Sure)
}

// twoAtOnce: each attempt is told its own commits, by their mark.
func (l *lab) twoAtOnce() {
	attempts, recs := []tasks.Attempt{}, []*taskstest.Recorder{taskstest.NewRecorder(nil), taskstest.NewRecorder(nil)}
	for i, rows := range []string{"10", "20"} {
		key := "w" + rows
		l.notebook(key, "for i in range(3):\n    spark.range("+rows+").write.mode('append').save('/Volumes/main/recsys/in/copy')")
		a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"`+key+`"}`)
		a.Key, a.Number = "w", i
		attempts = append(attempts, a)
	}
	var all sync.WaitGroup
	for i, a := range attempts {
		all.Go(func() {
			res, err := l.runners[a.Task.Type].Run(l.Context(), a, recs[i])
			assert.NoError(l, err)
			assert.Equal(l, tasks.Success, res.Outcome, res.Message)
		})
	}
	all.Wait()
	versions := map[int64]bool{}
	for i, rec := range recs {
		wrote := facts(l.T, rec, "wrote")
		assert.Len(l, wrote, 3)
		for _, w := range wrote {
			assert.True(l, w.Sure)
			assert.Equal(l, n(int64(10*(i+1))), w.Rows)
			assert.False(l, versions[*w.After], "version %d belongs to one", *w.After)
			versions[*w.After] = true
		}
	}
}

// MLflow's runs are named with their declared inputs, model versions with the
// run and the digest of what they are; a model that is loaded was read.
func TestMLflowFacts(t *testing.T) {
	l := sparkLab(t)
	rec := l.task("train", `
import mlflow, pandas as pd
class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
with mlflow.start_run():
    mlflow.log_metric("rmse", 0.9)
    mlflow.log_input(mlflow.data.from_pandas(pd.DataFrame({"x": [1]}), name="ratings"), context="training")
    info = mlflow.pyfunc.log_model(name="model", python_model=Twice())
made = mlflow.register_model(info.model_uri, "engine")
client = mlflow.MlflowClient()
client.set_registered_model_alias("engine", "champion", made.version)
client.transition_model_version_stage("engine", made.version, "Staging")
print(mlflow.pyfunc.load_model("models:/engine@champion").metadata.run_id)`)
	type said struct {
		Op, Experiment, Status, Name, Version, Digest, Alias, Stage string
		RunID                                                       string `json:"run_id"`
		SourceRun                                                   string `json:"source_run"`
		Inputs                                                      []struct{ Name, Digest, Context string }
	}
	all := func(kind string) map[string]said {
		found := map[string]said{}
		for _, raw := range rec.Facts(kind) {
			var s said
			require.NoError(t, json.Unmarshal([]byte(raw), &s))
			found[s.Op] = s
		}
		return found
	}
	runs, models := all("mlflow_run"), all("model")
	assert.Equal(t, "/Jobs/lab", runs["started"].Experiment)
	id := runs["started"].RunID
	assert.NotEmpty(t, id)
	assert.Equal(t, id, runs["ended"].RunID)
	assert.Equal(t, "FINISHED", runs["ended"].Status)
	require.Len(t, runs["ended"].Inputs, 1)
	assert.Equal(t, "ratings", runs["ended"].Inputs[0].Name)
	assert.Equal(t, "training", runs["ended"].Inputs[0].Context)
	assert.Equal(t, id, models["logged"].SourceRun)
	created := models["created"]
	assert.Equal(t, []string{"engine", "1", id}, []string{created.Name, created.Version, created.SourceRun})
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", created.Digest)
	assert.Equal(t, "champion", models["alias"].Alias)
	assert.Equal(t, "Staging", models["stage"].Stage)
	var read []said
	for _, raw := range rec.Facts("read") {
		var s said
		require.NoError(t, json.Unmarshal([]byte(raw), &s))
		read = append(read, s)
	}
	require.Len(t, read, 1, "%v %v", rec.Facts("read"), rec.Facts("gap"))
	assert.Equal(t, []string{"engine", "1"}, []string{read[0].Name, read[0].Version})
	assert.Empty(t, rec.Facts("gap"))
	var versions string
	for _, raw := range rec.Facts("runtime") {
		versions += raw
	}
	assert.Contains(t, versions, `"mlflow":"3.17.2"`)
}

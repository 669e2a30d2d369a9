package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/taskstest"
)

// pipelineFiles are a pipeline of Python with dlt's names, SQL and a notebook,
// and a job that keeps it up to date and tells what is in its tables.
var pipelineFiles = map[string]string{
	"bundle.yml": `resources:
  pipelines:
    lab:
      name: lab
      catalog: main
      schema: lab
      libraries: [{file: {path: old.py}}, {glob: {include: sql/**}}, {notebook: {path: note}}]
  jobs:
    lab:
      tasks:
        - {task_key: refresh, pipeline_task: {pipeline_id: "${resources.pipelines.lab.id}"}}
        - {task_key: show, depends_on: [{task_key: refresh}], notebook_task: {notebook_path: show}}
`,
	"old.py": `import dlt
from pyspark.sql.functions import col


@dlt.table(name="bronze")
@dlt.expect("all pass", "amount > 10")
def anything():
    return spark.readStream.format("cloudFiles").option("cloudFiles.format", "csv").option("cloudFiles.inferColumnTypes", "true").load("/Volumes/main/lab/in")


@dlt.table
@dlt.expect_all_or_drop({"large": "amount > 10"})
def large():
    return dlt.read("bronze")


dlt.create_streaming_table("twice")


@dlt.append_flow(target="twice")
def once():
    return dlt.read_stream("bronze").select("id")


@dlt.append_flow(target="twice")
def again():
    return spark.readStream.table("bronze").select((col("id") + 100).alias("id"))
`,
	"sql/files.sql": `CREATE OR REFRESH STREAMING TABLE files (CONSTRAINT large EXPECT (amount > 10) ON VIOLATION DROP ROW)
AS SELECT * FROM STREAM read_files('/Volumes/main/lab/in', format => 'csv');
CREATE OR REFRESH MATERIALIZED VIEW counted COMMENT 'how many' AS SELECT count(*) AS n FROM files;
`,
	"note.py": `# Databricks notebook source
from pyspark import pipelines as dp

@dp.materialized_view
def noted():
    return spark.sql("SELECT count(*) AS n FROM main.lab.large")

# COMMAND ----------

# MAGIC %sql
# MAGIC CREATE OR REFRESH MATERIALIZED VIEW more AS SELECT n + 1 AS n FROM noted
`,
	"show.py": `# Databricks notebook source
import json
tables = ("bronze", "large", "twice", "files")
found = {t: sorted(r.id for r in spark.table("main.lab." + t).select("id").collect()) for t in tables}
found.update({t: spark.table("main.lab." + t).first().n for t in ("counted", "noted", "more")})
dbutils.notebook.exit(json.dumps(found))
`,
}

// A pipeline is kept up to date: its streams go on from where they were, so
// that rows stay whose files are gone, and its views are made anew. A row that
// may not be ends an update, with the names of the flow and the expectation.
func TestPipelineTwice(t *testing.T) {
	t.Setenv("FLOWCTL_PYTHON", taskstest.SparkPython(t))
	dir, home := t.TempDir(), t.TempDir()
	taskstest.KeepEnvs(t, home)
	for name, text := range pipelineFiles {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	in := filepath.Join(home, "fs", "volumes", "main", "lab", "in")
	require.NoError(t, os.MkdirAll(in, 0o700))
	update := func() (int, string, map[string]any) {
		var stdout, stderr bytes.Buffer
		code := execute(context.Background(), []string{"--home", home, "run", filepath.Join(dir, "bundle.yml"), "-o", "json"}, strings.NewReader(""), &stdout, &stderr)
		var run struct{ Tasks []gotTask }
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &run), stderr.String())
		found, message := map[string]any{}, stderr.String()
		for _, task := range run.Tasks {
			message += task.Output.Error
			if task.Output.Notebook.Result != "" {
				require.NoError(t, json.Unmarshal([]byte(task.Output.Notebook.Result), &found))
			}
		}
		return code, message, found
	}

	require.NoError(t, os.WriteFile(filepath.Join(in, "1.csv"), []byte("id,amount\n1,5\n2,50\n"), 0o600))
	code, message, found := update()
	require.Equal(t, 0, code, message)
	assert.Equal(t, map[string]any{
		"bronze": []any{1., 2.}, "large": []any{2.}, "twice": []any{1., 2., 101., 102.}, "files": []any{2.}, "counted": 1., "noted": 1., "more": 2.,
	}, found)

	require.NoError(t, os.Remove(filepath.Join(in, "1.csv")))
	require.NoError(t, os.WriteFile(filepath.Join(in, "2.csv"), []byte("id,amount\n3,60\n"), 0o600))
	code, message, found = update()
	require.Equal(t, 0, code, message)
	assert.Equal(t, map[string]any{
		"bronze": []any{1., 2., 3.}, "large": []any{2., 3.}, "twice": []any{1., 2., 3., 101., 102., 103.}, "files": []any{2., 3.},
		"counted": 2., "noted": 2., "more": 3.,
	}, found)

	strict := strings.Replace(pipelineFiles["old.py"], "expect_all_or_drop", "expect_all_or_fail", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old.py"), []byte(strict), 0o600))
	code, message, _ = update()
	assert.Equal(t, 1, code)
	assert.Contains(t, message, "'main.lab.large' has FAILED")
	assert.Contains(t, message, "expectation large is not met by a row")
}

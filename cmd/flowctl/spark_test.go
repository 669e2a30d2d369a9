package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/taskstest"
)

// Two runs at once on one data directory, each with a driver of its own, see
// the same tables; five tasks of one cluster start one driver.
func TestSparkRunsAtOnce(t *testing.T) {
	t.Setenv("FLOWCTL_PYTHON", taskstest.SparkPython(t))
	dir, home := t.TempDir(), t.TempDir()
	notebook := `# Databricks notebook source
spark.sql("CREATE SCHEMA IF NOT EXISTS main.shop")
spark.sql("CREATE TABLE IF NOT EXISTS main.shop.visits (who STRING)")
spark.sql("INSERT INTO main.shop.visits VALUES (:who)", args={"who": dbutils.widgets.get("who")})
dbutils.notebook.exit(sc.applicationId)
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "visit.py"), []byte(notebook), 0o600))
	var list []map[string]any
	for i, key := range []string{"a", "b", "c", "d", "e"} {
		task := map[string]any{"task_key": key, "job_cluster_key": "c", "notebook_task": map[string]any{"notebook_path": "visit"}}
		if i > 2 {
			task["depends_on"] = []any{map[string]any{"task_key": "a"}}
		}
		list = append(list, task)
	}
	job, err := json.Marshal(map[string]any{
		"name": "visits", "parameters": []any{map[string]any{"name": "who", "default": "x"}}, "tasks": list,
		"job_clusters": []any{map[string]any{"job_cluster_key": "c", "new_cluster": map[string]any{"spark_version": "18.0.x-scala2.13", "num_workers": 1}}},
	})
	require.NoError(t, err)
	file := filepath.Join(dir, "job.json")
	require.NoError(t, os.WriteFile(file, job, 0o600))

	outs := make([]bytes.Buffer, 2)
	codes := make([]int, 2)
	errs := make([]bytes.Buffer, 2)
	var both sync.WaitGroup
	for i, who := range []string{"ann", "ben"} {
		both.Go(func() {
			codes[i] = execute(context.Background(), []string{"--home", home, "run", file, "-o", "json", "--param", "who=" + who}, strings.NewReader(""), &outs[i], &errs[i])
		})
	}
	both.Wait()
	apps := map[string]bool{}
	for i := range outs {
		require.Equal(t, 0, codes[i], errs[i].String())
		var run struct{ Tasks []gotTask }
		require.NoError(t, json.Unmarshal(outs[i].Bytes(), &run))
		for _, task := range run.Tasks {
			apps[task.Output.Notebook.Result] = true
		}
	}
	assert.Len(t, apps, 2, "one driver a run, not one a task: %v", apps)
	lives, err := filepath.Glob(filepath.Join(home, "runs", "*", ".spark", "*", "*", "[0-9]*"))
	require.NoError(t, err)
	assert.Len(t, lives, 2)
	for _, life := range lives {
		assert.FileExists(t, filepath.Join(life, "end"), "the run's end is the driver's")
	}
	visits, err := filepath.Glob(filepath.Join(home, "spark", "warehouse", "main", "shop", "visits", "_delta_log", "*.json"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(visits), 11, "made once, and written ten times")
}

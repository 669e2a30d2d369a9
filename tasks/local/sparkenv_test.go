package local

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

func TestWhatNamesTheRuntime(t *testing.T) {
	for text, want := range map[string]bool{
		"spark.range(3)":                     true,
		"x = spark.table('t')":               true,
		"import pyspark.sql":                 true,
		"from pyspark.sql import x":          true,
		"import mlflow":                      true,
		"# MAGIC %sql\n# MAGIC x":            true,
		`   "spark.range(3)\n",`:             true,
		`"%sql\n",`:                          true,
		"# spark.range(3)":                   false,
		"sparkling = 1":                      false,
		"my.spark.range(3)":                  false,
		"print('no spark here')":             false,
		"# MAGIC %md\n# MAGIC import mlflow": false,
		"# MAGIC %md x\n# COMMAND ----------\nimport mlflow": true,
		"open('conf/spark.yml')":                             false,
	} {
		assert.Equal(t, want, namesRuntime([]byte(text)), text)
	}
}

// A wheel of the job's own finds on a workspace what it does not require.
func TestWheelsNameTheRuntime(t *testing.T) {
	dir := t.TempDir()
	wheel := func(name, file, text string) venv.Requirement {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		require.NoError(t, err)
		z := zip.NewWriter(f)
		w, err := z.Create(file)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.NoError(t, f.Close())
		return venv.Requirement{Line: path, Path: path}
	}
	broken := filepath.Join(dir, "broken.whl")
	require.NoError(t, os.WriteFile(broken, []byte("no zip"), 0o600))
	project := filepath.Join(dir, "project")
	require.NoError(t, os.MkdirAll(filepath.Join(project, "src", "p"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(project, ".venv"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(project, ".venv", "x.py"), []byte("import pyspark"), 0o600))
	folder := venv.Requirement{Line: "-e " + project, Path: project}
	for _, c := range []struct {
		r    venv.Requirement
		want bool
	}{
		{wheel("a.whl", "p/taxis.py", "from pyspark.sql import DataFrame"), true},
		{wheel("b.whl", "p/hello.py", "print('hello')"), false},
		{wheel("c.whl", "p/README.md", "import pyspark"), false},
		{venv.Requirement{Line: broken, Path: broken}, false},
		{venv.Requirement{Line: "gone.whl", Path: filepath.Join(dir, "gone.whl")}, false},
		{venv.Requirement{Line: "cowsay"}, false},
		{folder, false},
	} {
		got := runtimePackages(cluster{}, python.Context{Kind: "wheel"}, false, filepath.Join(dir, "bin", "python"), []venv.Requirement{c.r})
		assert.Equal(t, c.want, len(got) > 0, c.r.Line)
	}
	require.NoError(t, os.WriteFile(filepath.Join(project, "src", "p", "x.py"), []byte("import mlflow"), 0o600))
	assert.True(t, bringsRuntimeCode(folder))
}

func TestRuntimePackages(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "n.py")
	require.NoError(t, os.WriteFile(file, []byte("spark.range(3)"), 0o600))
	interpreter := filepath.Join(dir, "bin", "python")
	var compute cluster
	connect := false
	lines := func(asked ...venv.Requirement) string {
		var all []string
		for _, r := range runtimePackages(compute, python.Context{Kind: "notebook", Path: file}, connect, interpreter, asked) {
			all = append(all, r.Line)
		}
		return strings.Join(all, " ")
	}
	assert.Equal(t, "pyspark==4.1.4 delta-spark==4.4.0 pandas>=2.2,<3 numpy>=1.26,<2.4 pyarrow>=18,<22 mlflow==3.17.2", lines())
	assert.Equal(t, "pyspark==4.1.4 pandas>=2.2,<3 numpy>=1.26,<2.4 pyarrow>=18,<22", lines(venv.Requirement{Line: "MLflow[x]>=2"}, venv.Requirement{Line: "delta_spark"}))
	connect = true
	assert.Equal(t, strings.Join(connectPins, " ")+" pyspark==4.1.4 delta-spark==4.4.0 pandas>=2.2,<3 numpy>=1.26,<2.4 pyarrow>=18,<22 mlflow==3.17.2", lines())
	for _, name := range []string{"pyspark", "pyarrow"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "connected", "lib", "python3.11", "site-packages", name), 0o700))
	}
	interpreter = filepath.Join(dir, "connected", "bin", "python")
	assert.Equal(t, strings.Join(connectPins, " ")+" pandas>=2.2,<3", lines(), "what PySpark alone does not need")
	interpreter, connect = filepath.Join(dir, "bin", "python"), false
	compute.SparkVersion = "15.4.x-cpu-ml-scala2.12"
	assert.Contains(t, lines(), "pyspark==3.5.* delta-spark==3.3.3")
	assert.Contains(t, lines(), "scikit-learn")

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "lib", "python3.11", "site-packages", "pyspark"), 0o700))
	assert.Empty(t, lines(), "the interpreter has it")
	interpreter = filepath.Join(dir, "other", "python")
	t.Setenv("FLOWCTL_SPARK_ENV", "off")
	assert.Empty(t, lines())
}

// A notebook that leaves the work to modules of its own, or to notebooks that it
// runs, needs the runtime as those do.
func TestImportsNameTheRuntime(t *testing.T) {
	wantsRuntime := func(c python.Context) bool {
		runtime, _ := wants(c)
		return runtime
	}
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("steps/deploy.py", "from mlflow import MlflowClient\n")
	write("steps/plain.py", "import json, plain\n")
	write("steps/way.py", "from . import plain\nfrom .deploy import deploy\n")
	write("steps/notebooks/setup.ipynb", `{"cells": [{"source": [ "df = spark.range(3)\n" ]}]}`)
	write("lib/etl/load.py", "import pyspark\n")
	write("lib/etl/__init__.py", "")
	for text, want := range map[string]bool{
		"from deploy import deploy":            true,
		"import json, deploy as d":             true,
		"from way import x":                    true,
		"from plain import x\nimport nowhere":  false,
		"from lib.etl import load":             true,
		"# MAGIC %run ./setup":                 true,
		`{"source": ["from deploy import x"]}`: true,
		"# from deploy import deploy":          false,
		"print('import deploy')":               false,
	} {
		path := filepath.Join(root, "steps", "notebooks", "n.py")
		write("steps/notebooks/n.py", text)
		assert.Equal(t, want, wantsRuntime(python.Context{Kind: "notebook", Path: path, CodeDir: root}), text)
	}
	notebook := filepath.Join(root, "steps", "notebooks", "n.py")
	write("steps/notebooks/n.py", "import deploy")
	assert.True(t, wantsRuntime(python.Context{Kind: "notebook", Path: notebook}), "without a root")
	assert.False(t, wantsRuntime(python.Context{Kind: "notebook", Path: notebook, CodeDir: filepath.Dir(notebook)}), "above the root")
	assert.False(t, wantsRuntime(python.Context{Kind: "script", Path: filepath.Join(root, "steps", "plain.py")}))
	assert.True(t, wantsRuntime(python.Context{Kind: "script", Path: filepath.Join(root, "steps", "way.py")}))
}

// The SDK is of every runtime: code that imports it, by itself or by a module,
// has it without asking for it. Its runtime module is there without.
func TestImportsOfTheSDK(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "main.py")
	require.NoError(t, os.WriteFile(filepath.Join(root, "way.py"), []byte("import databricks.sdk as sdk\n"), 0o600))
	for text, want := range map[string]bool{
		"from databricks.sdk import WorkspaceClient":                                true,
		"    from databricks.sdk.service import jobs":                               true,
		`"from databricks.sdk import WorkspaceClient\n",`:                           true,
		"from way import w":                                                         true,
		"from databricks.sdk.runtime import dbutils":                                false,
		"import databricks.sdk.runtime\nfrom databricks.sdk.errors import NotFound": true,
		"# from databricks.sdk import WorkspaceClient":                              false,
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		got := runtimePackages(cluster{}, python.Context{Kind: "script", Path: path}, false, filepath.Join(root, "bin", "python"), nil)
		assert.Equal(t, want, len(got) == 1 && got[0].Line == sdkPin, "%s: %v", text, got)
	}
	require.NoError(t, os.WriteFile(path, []byte("from databricks.sdk import WorkspaceClient"), 0o600))
	assert.Empty(t, runtimePackages(cluster{}, python.Context{Kind: "script", Path: path}, false, filepath.Join(root, "bin", "python"), []venv.Requirement{{Line: "databricks-sdk==0.60.0"}}))
}

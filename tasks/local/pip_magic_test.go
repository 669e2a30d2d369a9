package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// %pip installs beside the interpreter's packages, from this cell on and after
// a restart of Python; a later run with the same lines finds it done.
func TestPipOverlay(t *testing.T) {
	needPip(t)
	l := newLab(t)
	l.wheel("base", "", "word = 'based'")
	l.wheel("needy", "Requires-Dist: base\n", "import base\ndef main():\n    print('needy is', base.word)\n")
	l.write("requirements.txt", "./base-1.0-py3-none-any.whl\n")
	l.notebook("n",
		"try:\n    import base\n    print('there already')\nexcept ImportError:\n    print('not yet')",
		"name = 'needy'",
		"%pip install --no-index -q -r requirements.txt",
		"%pip install --no-index -q ./{name}-1.0-py3-none-any.whl\n%restart_python",
		"import subprocess, sys\nimport needy\nneedy.main()\nsubprocess.run([sys.executable, '-c', 'import needy; needy.main()'])",
		"%pip freeze")
	for range 2 {
		log := l.ok("n")
		assert.Contains(t, log, "not yet\n")
		assert.Contains(t, log, "needy is based\nneedy is based\n")
		assert.Contains(t, log, "needy @ file://")
		assert.Len(t, l.overlays(), 2, "an overlay for each line, used again")
	}
	assert.Contains(t, l.facts("environment")[1], `"packages": ["needy==1.0"]`)

	l.wheel("base", "", "word = 'changed'")
	assert.Contains(t, l.ok("n"), "needy is changed\n")
	assert.Len(t, l.overlays(), 4, "another content is another overlay")
}

// On a cluster the runtime's Spark comes before all that a notebook installs,
// which requirements of old projects count on: they name another.
func TestPipLeavesSpark(t *testing.T) {
	needPip(t)
	l := newLab(t)
	l.wheelOf("pyspark", "", map[string]string{"pyspark/__init__.py": "word = 'of the notebook'"})
	require.NoError(t, os.Mkdir(filepath.Join(l.dir, "new"), 0o700))
	require.NoError(t, os.Rename(filepath.Join(l.dir, "pyspark-1.0-py3-none-any.whl"), filepath.Join(l.dir, "new", "pyspark-1.0-py3-none-any.whl")))
	l.wheelOf("pyspark", "", map[string]string{"pyspark/__init__.py": "word = 'of the runtime'"})
	l.wheel("tiny", "", "word = 'tiny'")
	l.libs = `[{"whl":"pyspark-1.0-py3-none-any.whl"}]`
	l.notebook("n", "%pip install --no-index --force-reinstall ./new/pyspark-1.0-py3-none-any.whl ./tiny-1.0-py3-none-any.whl", "import pyspark, tiny\nprint(pyspark.word, tiny.word)")
	assert.Contains(t, l.ok("n"), "of the runtime tiny\n")
}

// What pip refuses leaves nothing behind, and an uninstallation takes nothing
// from others.
func TestPipMistakes(t *testing.T) {
	needPip(t)
	l := newLab(t)
	l.wheel("tiny", "", "def main():\n    print('tiny')\n")
	l.write("types.py", "raise SystemExit(7)")
	l.notebook("pip", "%pip install --no-index ./gone-1.0-py3-none-any.whl")
	assert.Contains(t, l.fails("pip").Message, "%pip install --no-index ./gone-1.0-py3-none-any.whl failed with exit status 1")
	assert.Empty(t, l.overlays())
	l.notebook("un", "%pip install --no-index ./tiny-1.0-py3-none-any.whl", "%pip uninstall -y tiny", "import tiny\ntiny.main()")
	log := l.ok("un")
	assert.Contains(t, log, "warning: %pip uninstall -y tiny: packages stay installed here")
	assert.Contains(t, log, "tiny\n")
}

// Paths of volumes and of the workspace mean the same to %pip as elsewhere.
func TestPipPaths(t *testing.T) {
	if testing.Short() {
		t.Skip("starts pip several times")
	}
	needPip(t)
	l := newLab(t)
	volume := filepath.Join(l.home, "fs", "volumes", "main", "s", "v")
	workspace := filepath.Join(l.home, "fs", "workspace", "Shared")
	require.NoError(t, os.MkdirAll(volume, 0o700))
	require.NoError(t, os.MkdirAll(workspace, 0o700))
	for name, folder := range map[string]string{"one": volume, "two": volume} {
		l.wheel(name, "", "print('module "+name+"')")
		require.NoError(t, os.Rename(filepath.Join(l.dir, name+"-1.0-py3-none-any.whl"), filepath.Join(folder, name+"-1.0-py3-none-any.whl")))
	}
	require.NoError(t, os.WriteFile(filepath.Join(workspace, "r.txt"), []byte("/Volumes/main/s/v/two-1.0-py3-none-any.whl\n"), 0o600))
	l.notebook("n", "%pip install --no-index /Volumes/main/s/v/one-1.0-py3-none-any.whl", "%pip install --no-index -r /Workspace/Shared/r.txt", "import one, two")
	for range 2 {
		log := l.ok("n")
		assert.Contains(t, log, "module one\nmodule two\n")
		assert.Len(t, l.overlays(), 2)
	}
}

// facts runs nothing: it is what the last attempt's own process reported.
func (l *lab) facts(kind string) []string {
	l.Helper()
	_, _, rec := l.run("n")
	return rec.Facts(kind)
}

// A notebook may ask for packages itself; an environment of its task beats that.
func TestInlineEnvironment(t *testing.T) {
	l := newLab(t)
	l.wheel("own", "", "word = 'own'")
	l.wheel("tasks", "", "word = 'of the task'")
	l.write("n.py", "# Databricks notebook source\n# /// script\n# [tool.databricks.environment]\n# environment_version = \"4\"\n# dependencies = [\"./own-1.0-py3-none-any.whl\"]\n# ///\n"+
		"# COMMAND ----------\nfor name in ('own', 'tasks'):\n    try:\n        print(__import__(name).word)\n    except ImportError:\n        print('no', name)\n")
	assert.Equal(t, "own\nno tasks\n", l.ok("n"))
	in := l.inEnvironment("./tasks-1.0-py3-none-any.whl")
	res, log, _ := l.do(in(l.attempt("notebook_task", `{"notebook_path":"n"}`)))
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, "no own\nof the task\n", log)
	cluster := l.attempt(jobspec.NotebookTask, `{"notebook_path":"n"}`)
	cluster.Task.Compute.NewCluster = []byte(`{"num_workers":0}`)
	res, log, _ = l.do(cluster)
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, "no own\nno tasks\n", log, "a cluster has none of it")
	l.write("bad.py", "# Databricks notebook source\n# /// script\n# [tool.databricks.environment]\n# dependencies = [\"./gone-1.0.whl\"]\n# ///\n")
	invalid := l.invalid(l.attempt("notebook_task", `{"notebook_path":"bad"}`))
	assert.Contains(t, invalid.Message, "bad.py:2: environment.dependencies[0]: no file")
}

// A notebook's relative paths start at its own folder: a job that a client
// uploaded has no other.
func TestInlineEnvironmentBesideTheNotebook(t *testing.T) {
	l := newLab(t)
	tree := filepath.Join(l.home, "fs", "workspace", "Shared", "app")
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "src"), 0o700))
	l.wheel("beside", "", "word = 'beside'")
	require.NoError(t, os.Rename(filepath.Join(l.dir, "beside-1.0-py3-none-any.whl"), filepath.Join(tree, "beside-1.0-py3-none-any.whl")))
	book := `{"nbformat":4,"nbformat_minor":0,"metadata":{"application/vnd.databricks.v1+notebook":{"environmentMetadata":{"dependencies":["../beside-1.0-py3-none-any.whl"]}}},` +
		`"cells":[{"cell_type":"code","metadata":{},"outputs":[],"source":["import beside\n","dbutils.notebook.exit(beside.word)"]}]}`
	require.NoError(t, os.WriteFile(filepath.Join(tree, "src", "nb.ipynb"), []byte(book), 0o600))
	a := l.attempt(jobspec.NotebookTask, `{"notebook_path":"/Shared/app/src/nb"}`)
	a.Code.Dir = ""
	res, log, _ := l.do(a)
	require.Equal(t, tasks.Success, res.Outcome, "%s %s", res.Message, log)
	assert.Contains(t, string(res.Output), `"beside"`)
}

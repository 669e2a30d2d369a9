package local_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
)

func TestNotebookNamespaceAndOutput(t *testing.T) {
	l := newLab(t)
	l.notebook("n",
		"# DBTITLE 1,A title\nx = 40",
		"# MAGIC %md\n# MAGIC # not code",
		"x + 2",
		"'text'",
		"x;",
		"import asyncio\nawait asyncio.sleep(0)\n_ + '!'",
		"# COMMAND is a word here\nprint(__name__, '__file__' in globals())",
		"display([{'a': 1, 'b': None}])",
	)
	assert.Equal(t, "42\n'text'\n'text!'\n__main__ False\na  b\n-  -\n1\n", l.ok("n"))
	cells, err := os.ReadFile(filepath.Join(l.last, "cells.jsonl"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(cells)), "\n")
	assert.Len(t, lines, 8)
	var first struct{ Title, Source, Status string }
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	assert.Equal(t, "A title", first.Title)
	assert.Equal(t, "SUCCESS", first.Status)
}

func TestWidgetsAndParameters(t *testing.T) {
	l := newLab(t)
	l.params = map[string]string{"shared": "job"}
	l.notebook("n", `
dbutils.widgets.text("a", "default")
dbutils.widgets.text("b", "default", "a label")
dbutils.widgets.dropdown(name="c", defaultValue="x", choices=["x", "y"])
dbutils.widgets.multiselect("d", "x", ["x", "y"])
print(dbutils.widgets.get("a"), dbutils.widgets.get("b"), dbutils.widgets.get("c"), dbutils.widgets.get("shared"))
print(getArgument("zz", "fallback"), sorted(dbutils.widgets.getAll().items()))
dbutils.widgets.remove("b")
try:
    dbutils.widgets.get("b")
except Exception as e:
    print(type(e).__name__, "InputWidgetNotDefined" in str(e))
try:
    dbutils.widgets.dropdown("e", "q", ["x"])
except ValueError as e:
    print(e)
dbutils.widgets.removeAll()
print(dbutils.notebook.entry_point.getCurrentBindings()["a"])
# So MLflow 2 asks for what it logs in with.
print(dbutils.entry_point.getDbutils().notebook().getContext().apiToken().isEmpty(), dbutils.entry_point.getDriverConf().workflowSslTrustAll())`)
	assert.Equal(t, "given default x job\n"+
		"fallback [('a', 'given'), ('b', 'default'), ('c', 'x'), ('d', 'x'), ('shared', 'job')]\n"+
		"InputWidgetNotDefined True\nwidget e: the default 'q' is not among its choices ['x']\ngiven\nTrue False\n", l.ok("n", "a=given"))
}

// Modules are found in the working folder too, after it has changed.
func TestModulesOfTheWorkingFolder(t *testing.T) {
	l := newLab(t)
	l.write("src/rules.py", "word = 'of src'")
	l.write("src/notebooks/n.py", "# Databricks notebook source\n# MAGIC %cd ..\n# COMMAND ----------\nimport rules\nprint(rules.word)")
	assert.Contains(t, l.ok("src/notebooks/n"), "of src\n")
}

func TestExit(t *testing.T) {
	l := newLab(t)
	l.notebook("plain", "dbutils.notebook.exit('result')", "print('never')")
	l.notebook("caught", "try:\n    dbutils.notebook.exit({'a': 1})\nexcept Exception:\n    print('no')", "print('never')")
	l.notebook("bare", "try:\n    dbutils.notebook.exit('bare')\nexcept:\n    pass\nprint('the cell goes on')", "print('never')")
	l.notebook("none", "1")
	l.notebook("sysexit", "import sys\nsys.exit(0)", "print('never')")
	l.notebook("inner", "dbutils.notebook.exit('from below')")
	l.notebook("outer", "# MAGIC %run ./inner", "print('never')")
	for path, want := range map[string]string{"plain": "result", "caught": "{'a': 1}", "bare": "bare", "none": "", "sysexit": "", "outer": "from below"} {
		res, log, _ := l.run(path)
		require.Equal(t, tasks.Success, res.Outcome, path)
		var out struct {
			N struct {
				Result    string
				Truncated bool
			} `json:"notebook_output"`
		}
		require.NoError(t, json.Unmarshal(res.Output, &out))
		assert.Equal(t, want, out.N.Result, path)
		assert.NotContains(t, log, "never", path)
	}
	l.notebook("bad", "import sys\nsys.exit(3)")
	assert.Equal(t, "SystemExit: 3", l.fails("bad").Message)
	l.notebook("large", "dbutils.notebook.exit('é' * (3 << 20))")
	res, _, _ := l.run("large")
	assert.Contains(t, string(res.Output), `"truncated":true`)
}

func TestErrorsNameTheCell(t *testing.T) {
	l := newLab(t)
	l.notebook("lib", "def deep():\n    raise KeyError('missing')")
	l.notebook("n", "# MAGIC %run ./lib", "1", "def f():\n    deep()\n\nf()")
	res := l.fails("n")
	assert.Equal(t, "KeyError: 'missing'", res.Message)
	assert.Contains(t, res.Trace, `n.py#cmd3", line 4, in <module>`)
	assert.Contains(t, res.Trace, `lib.py#cmd1", line 2, in deep`)
	assert.Contains(t, res.Trace, "    raise KeyError('missing')")
	assert.NotContains(t, res.Trace, "flowctl")

	l.notebook("chain", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('outer\\nline') from e")
	res = l.fails("chain")
	assert.Equal(t, "RuntimeError: outer line", res.Message)
	assert.Contains(t, res.Trace, "ZeroDivisionError")
	assert.Contains(t, res.Trace, "direct cause")

	l.notebook("syntax", "ok = 1", "def broken(:\n    pass")
	res = l.fails("syntax")
	assert.Contains(t, res.Message, "SyntaxError")
	assert.Contains(t, res.Trace, "syntax.py#cmd2")
}

func TestRunMagic(t *testing.T) {
	l := newLab(t)
	l.notebook("sub/b", "value_b = dbutils.widgets.get('x')")
	l.notebook("sub/a", "# MAGIC %run ./b", "value_a = 'a'")
	l.notebook("n", "# MAGIC %run ./sub/a $x=\"given here\"", "print(value_a, value_b)")
	assert.Equal(t, "a given here\n", l.ok("n"))
	l.notebook("gone", "# MAGIC %run ./nothing")
	assert.Contains(t, l.fails("gone").Message, "no notebook")
	l.notebook("self", "# MAGIC %run ./self")
	assert.Contains(t, l.fails("self").Message, "nested too deep")
}

func TestShellMagics(t *testing.T) {
	l := newLab(t)
	l.notebook("n",
		"# MAGIC %sh\n# MAGIC echo one; false\n# MAGIC echo two",
		"!echo three",
		"import os\nprint(os.path.basename(os.getcwd()) == os.path.basename('"+l.dir+"'))",
		"# MAGIC %fs ls /",
		"# MAGIC %python\n# MAGIC print('py')",
	)
	log := l.ok("n")
	assert.Contains(t, log, "one\ntwo\nthree\nTrue\n")
	assert.Contains(t, log, "py\n")
	l.notebook("e", "# MAGIC %sh -e\n# MAGIC false\n# MAGIC echo never")
	assert.Contains(t, l.fails("e").Message, "exit status 1")
	assert.NotContains(t, l.log(), "never")
}

func TestUnsupportedCellsAreRefusedBeforeAnyRuns(t *testing.T) {
	l := newLab(t)
	l.notebook("n", "print('ran')", "# MAGIC %scala\n# MAGIC val x = 1", "# MAGIC %r\n# MAGIC x <- 1")
	res := l.fails("n")
	assert.Contains(t, res.Message, "cell 2 (scala), cell 3 (r)")
	assert.NotContains(t, l.log(), "ran\n")
}

func TestJupyter(t *testing.T) {
	l := newLab(t)
	l.write("j.ipynb", `{"nbformat":4,"metadata":{"language_info":{"name":"python"}},"cells":[
 {"cell_type":"markdown","source":["# no code"]},
 {"cell_type":"code","source":["x = 1\n","print(x)"]},
 {"cell_type":"code","source":"%md\nno"},
 {"cell_type":"code","source":"dbutils.notebook.exit(x)"}]}`)
	res, log, _ := l.run("j")
	assert.Equal(t, "1\n", log)
	assert.Contains(t, string(res.Output), `"result":"1"`)
	l.write("bad.ipynb", `{"cells": `)
	_, err := l.runners[jobspec.NotebookTask].Run(t.Context(), l.attempt(jobspec.NotebookTask, `{"notebook_path":"bad"}`), nil)
	assert.Error(t, err)
}

func TestRestartPython(t *testing.T) {
	l := newLab(t)
	l.notebook("lib", "in_lib = True", "dbutils.library.restartPython()", "after_restart = True")
	l.notebook("n",
		"import os\nbefore = 1\nfirst = os.getpid()\ndbutils.widgets.text('w', 'kept')\nopen('pid', 'w').write(str(first))\nprint('once')",
		"# MAGIC %run ./lib",
		"print('before' in globals(), 'in_lib' in globals(), after_restart, dbutils.widgets.get('w'))\nprint(int(open('pid').read()) == __import__('os').getpid())",
		"%restart_python",
		"print('after_restart' in globals())")
	assert.Equal(t, "once\nFalse False True kept\nTrue\nFalse\n", l.ok("n"))
}

func TestNotebookRun(t *testing.T) {
	l := newLab(t)
	l.notebook("child", "dbutils.notebook.exit(dbutils.widgets.get('x') * 2)")
	l.notebook("bad", "raise ValueError('inside')")
	l.notebook("slow", "import time\ntime.sleep(600)")
	l.notebook("n", `
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(3) as pool:
    print(list(pool.map(lambda x: dbutils.notebook.run("./child", 60, {"x": x}), ["a", "b", "c"])))
try:
    dbutils.notebook.run("bad", 0)
except Exception as e:
    print("FAILED" in str(e), "inside" in str(e))
try:
    dbutils.notebook.run("slow", 1)
except Exception as e:
    print("TIMEDOUT" in str(e))`)
	log := l.ok("n")
	assert.Contains(t, log, "['aa', 'bb', 'cc']\n")
	assert.Contains(t, log, "True True\n")
	assert.True(t, strings.HasSuffix(log, "True\n"))
}

func TestContext(t *testing.T) {
	l := newLab(t)
	l.notebook("n", `
import json
c = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
print(c.notebookPath().get(), c.jobId().get(), c.currentRunId().isDefined(), c.userName().getOrElse("nobody"), c.apiUrl().getOrElse("none"))
t = json.loads(c.toJson())
print(t["tags"]["jobId"], t["tags"]["user"], t["attributes"]["orgId"], dbutils.notebook.getContext().tags().get("taskKey").get())`)
	assert.Equal(t, "/Users/me/"+filepath.Base(l.dir)+"/n 7 True me none\n7 me 42 t\n", l.ok("n"))
}

func TestHelp(t *testing.T) {
	l := newLab(t)
	l.notebook("n", "dbutils.help()", "dbutils.fs.help()", "dbutils.jobs.taskValues.help('set')", "dbutils.widgets.help()")
	log := l.ok("n")
	assert.Contains(t, log, "ls: List a directory.")
	assert.Contains(t, log, "set: Publish a value")
}

// A notebook that is called like one of Python's modules does not stand in its way.
func TestNotebookCalledLikeAModule(t *testing.T) {
	l := newLab(t)
	l.write("helper.py", "NAME = 'helper'")
	l.notebook("colorsys", "import colorsys, helper\nprint(dbutils.widgets.get('n'), colorsys.rgb_to_hsv(0, 0, 0), helper.NAME)")
	assert.Equal(t, "1 (0.0, 0.0, 0) helper\n", l.ok("colorsys", "n=1"))
}

// A notebook finds its folder by the path that it is told, as code does that
// was written for a workspace; so does one that another one runs.
func TestNotebookKnowsItsPlace(t *testing.T) {
	l := newLab(t)
	l.write("src/beside.txt", "here")
	const find = `
import os
path = dbutils.notebook.entry_point.getDbutils().notebook().getContext().notebookPath().get()
folder = "/Workspace/" + os.path.dirname(path)
`
	l.notebook("src/child", find+`dbutils.notebook.exit(path + " " + open(folder + "/beside.txt").read())`)
	l.notebook("src/parent", find+`
os.chdir(folder)
print(path, open("beside.txt").read())
print(dbutils.notebook.run("./child", 60))
try:
    dbutils.notebook.run("./gone", 60)
except Exception as e:
    print(type(e).__name__, "NotebookExecutionException: FAILED: Unable to access the notebook ./gone" in str(e))`)
	home := "/Users/me/" + filepath.Base(l.dir)
	assert.Equal(t, home+"/src/parent here\n"+home+"/src/child here\nWorkflowException True\n", l.ok("./src/parent"))
}

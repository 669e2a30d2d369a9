package local_test

import (
	"archive/zip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

func TestTaskValues(t *testing.T) {
	l := newLab(t)
	values := filepath.Join(l.home, "runs", "1", "values")
	require.NoError(t, os.MkdirAll(values, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(values, "up.json"), []byte(`{"n":3,"f":1.0,"o":{"k":[true,null]}}`), 0o600))
	l.write("s.py", `
tv = dbutils.jobs.taskValues
print(tv.get("up", "n") + 1, tv.get(taskKey="up", key="f"), tv.get("up", "o", debugValue="ignored"))
print(tv.get("up", "none", default="d"), tv.get(key="x", taskKey="nobody", default=0))
for call in (lambda: tv.get("up", "none"), lambda: tv.get("nobody", "x"), lambda: tv.set("k", {1, 2}), lambda: tv.set("k", float("nan")), lambda: tv.set("k", "x" * 49151)):
    try:
        call()
    except (ValueError, TypeError) as e:
        print(type(e).__name__, e)
tv.set("own", (1, "é"))
print(tv.get("t", "own"))
tv.set("fits", "x" * 49150)`)
	res, log, rec := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "4 1.0 {'k': [True, None]}\nd 0\n")
	assert.Contains(t, log, `ValueError Task value does not exist: task up has not set 'none'; it has set ['f', 'n', 'o']`)
	assert.Contains(t, log, "ValueError Task key does not exist in run")
	assert.Contains(t, log, "TypeError task value 'k': Object of type set is not JSON serializable")
	assert.Contains(t, log, "ValueError task value 'k': Out of range float values")
	assert.Contains(t, log, "ValueError task value 'k' is 49153 bytes as JSON; at most 49152 (48 KiB) are allowed")
	assert.Contains(t, log, "[1, 'é']")
	assert.JSONEq(t, `[1,"é"]`, string(rec.Values()["own"]))
	assert.Len(t, rec.Values()["fits"], 49152)
}

// What any process appends is held against the same rules.
func TestValuesFromAnyProcess(t *testing.T) {
	l := newLab(t)
	l.write("ok.py", `
import subprocess
subprocess.run(["sh", "-c", 'printf \'{"t":"value","key":"n","value": {"a" : 1}}\\n\' >> "$FLOWCTL_EVENTS"'], check=True)`)
	_, _, rec := l.script("ok.py")
	assert.Equal(t, `{"a":1}`, string(rec.Values()["n"]))
	l.write("big.py", `
import os
with open(os.environ["FLOWCTL_EVENTS"], "a") as f:
    f.write('{"t":"value","key":"big","value":"' + "x" * 50000 + '"}\n')`)
	res, _, _ := l.script("big.py")
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Equal(t, `task value "big" is 50002 bytes as JSON; at most 49152 (48 KiB) are allowed`, res.Message)
}

func TestFiles(t *testing.T) {
	l := newLab(t)
	l.notebook("n", `
import os, pathlib, shutil, glob, json
fs = dbutils.fs
print(fs.mkdirs("/Volumes/main/s/v/d"), fs.put("dbfs:/tmp/a.txt", "hello", True), fs.head("/tmp/a.txt"))
with open("/Volumes/main/s/v/d/x.json", "w") as f:
    json.dump({"a": 1}, f)
print(pathlib.Path("/Volumes/main/s/v/d/x.json").read_text(), os.path.exists("/dbfs/tmp/a.txt"), glob.glob("/Volumes/main/s/v/d/*"))
shutil.copytree("/Volumes/main/s/v/d", "/dbfs/copy")
print([i.name for i in fs.ls("dbfs:/")], fs.ls("dbfs:/tmp/a.txt")[0].path, fs.ls("dbfs:/tmp")[0].size, fs.ls("/")[0].isDir())
for call in (lambda: fs.ls("/gone"), lambda: fs.put("/tmp/a.txt", "x"), lambda: fs.rm("/copy"), lambda: open("/Volumes/main/../../etc"), lambda: fs.ls("s3://bucket"), lambda: fs.mount("a", "/mnt/a")):
    try:
        call()
        print("no error")
    except Exception as e:
        print(type(e).__name__, str(e)[:60])
print(fs.rm("/copy", True), fs.rm("/copy"), fs.mv("/tmp/a.txt", "/tmp/b.txt"), fs.head("/tmp/b.txt", 2))
os.rename("/dbfs/tmp/b.txt", "/Volumes/main/s/v/moved.txt")
print(open("/Volumes/main/s/v/moved.txt").read())`)
	log := l.ok("n")
	assert.Contains(t, log, "True True hello\n")
	assert.Contains(t, log, `{"a": 1} True ['/Volumes/main/s/v/d/x.json']`)
	assert.Contains(t, log, "['copy/', 'tmp/'] dbfs:/tmp/a.txt 5 True\n")
	assert.Contains(t, log, "ExecutionError java.io.FileNotFoundException: No such file or directory: /g")
	assert.Contains(t, log, "ExecutionError java.nio.file.FileAlreadyExistsException")
	assert.Contains(t, log, "ExecutionError java.io.IOException: Cannot delete a non-empty")
	assert.Contains(t, log, "PermissionError path leads out of its root")
	assert.Contains(t, log, "FlowctlUnsupported file system of 's3://bucket'")
	assert.Contains(t, log, "FlowctlUnsupported dbutils.fs.mount")
	assert.Contains(t, log, "[Truncated to first 2 bytes]\nTrue False True he\n")
	assert.FileExists(t, filepath.Join(l.home, "fs", "volumes", "main", "s", "v", "moved.txt"))
}

// Making folders from the top down stays inside the data directory.
func TestMakedirsFromTheTop(t *testing.T) {
	l := newLab(t)
	l.notebook("n", `
import os
os.makedirs("/Volumes/flowctl_test/a/b/c")
os.makedirs("/dbfs/flowctl_test/x", exist_ok=True)
print(os.listdir("/dbfs"), os.path.isdir("/Workspace"), os.path.isdir("/Volumes/flowctl_test/a"))`)
	assert.Equal(t, "['flowctl_test'] True True\n", l.ok("n"))
	for _, top := range []string{"/Volumes/flowctl_test", "/dbfs/flowctl_test"} {
		_, err := os.Stat(top)
		assert.ErrorIs(t, err, os.ErrNotExist, "the machine's own root is untouched")
	}
}

// Without the SDK its runtime module is there all the same.
func TestRuntimeModuleWithoutSDK(t *testing.T) {
	if exec.Command("python3", "-c", "import databricks.sdk").Run() == nil {
		t.Skip("this interpreter has the SDK")
	}
	l := newLab(t)
	l.write("s.py", `
from databricks.sdk.runtime import dbutils, spark, display
dbutils.jobs.taskValues.set("n", 1)
display("shown")
try:
    from databricks.sdk import WorkspaceClient
except ImportError as e:
    print(e)`)
	res, log, rec := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "shown\ndatabricks.sdk.WorkspaceClient: databricks-sdk is not installed")
	assert.Equal(t, "1", string(rec.Values()["n"]))
}

// A secret does not reach the log, whoever prints it and however it is cut.
func TestSecrets(t *testing.T) {
	l := newLab(t)
	t.Setenv("FLOWCTL_SECRET_MY_SCOPE__API_KEY", "hunter2-hunter2")
	l.notebook("n", `
import subprocess, sys, os
s = dbutils.secrets.get(scope="my-scope", key="api.key")
print("value:", s)
subprocess.run(["sh", "-c", "echo child: $0", s])
sys.stdout.write(s[:5]); sys.stdout.flush(); sys.stdout.write(s[5:] + "\n")
os.write(2, b"stderr: " + s.encode() + b"\n")
print(dbutils.secrets.getBytes("my-scope", "api.key") == s.encode(), len(s))
try:
    dbutils.secrets.get("my-scope", "other")
except Exception as e:
    print(e)`, `raise ValueError("leaks " + s)`)
	res, log, _ := l.run("n")
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Equal(t, "ValueError: leaks [REDACTED]", res.Message)
	for _, text := range []string{log, res.Trace} {
		assert.NotContains(t, text, "hunter2-hunter2")
	}
	assert.Contains(t, log, "value: [REDACTED]\nchild: [REDACTED]\n[REDACTED]\nstderr: [REDACTED]\nTrue 15\n")
	assert.Contains(t, log, "Secret does not exist with scope: my-scope and key: other")
}

func TestScript(t *testing.T) {
	l := newLab(t)
	l.write("beside.py", "value = 'imported'")
	l.write("s.py", `
import sys, os, beside
print(sys.argv[1:], os.path.basename(__file__), __name__, beside.value)
print(os.environ["DATABRICKS_RUNTIME_VERSION"] != "", sys.modules["__main__"].__file__ == __file__)
from dbruntime import UserNamespaceInitializer
print(sorted(UserNamespaceInitializer.getOrCreate().get_namespace_globals())[:3])
import multiprocessing
def work(x):
    dbutils.jobs.taskValues.set("w%d" % x, x)
    return x * x
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as p:
        print(p.map(work, [1, 2, 3]))`)
	res, log, rec := l.script("s.py", "a b", "{}")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, "['a b', '{}'] s.py __main__ imported\nTrue True\n['dbutils', 'display', 'displayHTML']\n[1, 4, 9]\n", log)
	assert.Len(t, rec.Values(), 3)
}

func TestPaths(t *testing.T) {
	l := newLab(t)
	for _, where := range []string{"fs/workspace/Users/me/nb.py", "fs/volumes/main/s/v/s.py", "fs/dbfs/jobs/s.py"} {
		path := filepath.Join(l.home, filepath.FromSlash(where))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("# Databricks notebook source\nprint('found')"), 0o600))
	}
	for _, p := range []string{"/Workspace/Users/me/nb", "/Users/me/nb"} {
		assert.Equal(t, "found\n", l.ok(p))
	}
	for _, p := range []string{"/Volumes/main/s/v/s.py", "dbfs:/Volumes/main/s/v/s.py", "dbfs:/jobs/s.py", "/Workspace/Users/me/nb.py"} {
		res, log, _ := l.script(p)
		assert.Equal(t, tasks.Success, res.Outcome, p)
		assert.Equal(t, "found\n", log, p)
	}
	for path, want := range map[string]string{
		"s3://bucket/x.py": "cloud storage", "gone.py": "no file", "": "no path is given", "/Workspace/gone/x.py": "no folder",
	} {
		raw, err := json.Marshal(map[string]string{"python_file": path})
		require.NoError(t, err)
		_, err = l.runners[jobspec.SparkPythonTask].Run(t.Context(), l.attempt(jobspec.SparkPythonTask, string(raw)), taskstest.NewRecorder(nil))
		assert.ErrorContains(t, err, want, path)
	}
}

// wheel builds a pure Python wheel of one module.
func (l *lab) wheel(name, metadata, code string) {
	l.wheelOf(name, metadata, map[string]string{name + ".py": code, "INFO/entry_points.txt": "[any]\nmain = " + name + ":main\n"})
}

// wheelOf builds a wheel of these files; INFO stands for its metadata's folder.
func (l *lab) wheelOf(name, metadata string, files map[string]string) {
	f, err := os.Create(filepath.Join(l.dir, name+"-1.0-py3-none-any.whl"))
	require.NoError(l, err)
	z := zip.NewWriter(f)
	info := name + "-1.0.dist-info/"
	all := map[string]string{
		info + "METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n" + metadata,
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":   "",
	}
	for path, text := range files {
		all[strings.Replace(path, "INFO/", info, 1)] = text
	}
	for path, text := range all {
		w, err := z.Create(path)
		require.NoError(l, err)
		_, err = w.Write([]byte(text))
		require.NoError(l, err)
	}
	require.NoError(l, z.Close())
	require.NoError(l, f.Close())
}

func TestWheel(t *testing.T) {
	l := newLab(t)
	l.wheel("shop", "", "import sys\ndef main():\n    print(sys.argv[1:])\n    return 0\ndef other():\n    print('by name')\n")
	l.libs = `[{"whl":"shop-1.0-py3-none-any.whl"}]`
	run := func(payload string) (tasks.Result, string) {
		res, log, _ := l.do(l.attempt(jobspec.PythonWheelTask, payload))
		return res, log
	}
	_, log := run(`{"package_name":"shop","entry_point":"main","parameters":["a","b"]}`)
	assert.Equal(t, "['a', 'b']\n", log)
	_, log = run(`{"package_name":"shop","entry_point":"main","named_parameters":{"z":"1","a":"2"}}`)
	assert.Equal(t, "['--z=1', '--a=2']\n", log, "in the order written")
	_, log = run(`{"package_name":"shop","entry_point":"other"}`)
	assert.Equal(t, "by name\n", log)
	res, _ := run(`{"package_name":"shop","entry_point":"gone"}`)
	assert.Contains(t, res.Message, "no entry point 'gone' (it declares: main)")
	res, _ = run(`{"package_name":"shop","entry_point":"sys"}`)
	assert.Equal(t, "TypeError: entry point 'sys' of package 'shop' is a module, not a function", res.Message)
	l.libs = ""
	res, _ = run(`{"package_name":"nowhere","entry_point":"x"}`)
	assert.Contains(t, res.Message, "package 'nowhere' is not installed; list its wheel")
	envs, err := filepath.Glob(filepath.Join(l.home, "envs", "*", "lib", "*", "*", "shop.py"))
	require.NoError(t, err)
	assert.Len(t, envs, 1, "installed once")
	l.libs = `[{"whl":"gone-*.whl"}]`
	_, err = l.runners[jobspec.PythonWheelTask].Run(t.Context(), l.attempt(jobspec.PythonWheelTask, `{"package_name":"a","entry_point":"b"}`), taskstest.NewRecorder(nil))
	assert.ErrorContains(t, err, "libraries[0].whl: no file")
}

package local_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks"
	"flowctl/tasks/python"
	"flowctl/tasks/taskstest"
)

// packages installs requirements into a folder that later test runs find
// again, and returns it.
func packages(t *testing.T, reqs ...string) string {
	if testing.Short() {
		t.Skip("installs from PyPI")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	interpreter, err := python.Find(t.Context(), "")
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(interpreter + strings.Join(reqs, "\n")))
	dir := filepath.Join(cache, "flowctl-test", hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(dir), 0o755))
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	require.NoError(t, err)
	args := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", tmp}, reqs...)
	out, err := exec.Command(interpreter, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	if err := os.Rename(tmp, dir); err != nil {
		require.DirExists(t, dir, "another test was quicker")
	}
	return dir
}

// The genuine Databricks SDK takes our runtime for Databricks', unchanged.
func TestGenuineSDK(t *testing.T) {
	t.Setenv("PYTHONPATH", packages(t, "databricks-sdk==0.130.0"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/api/2.0/preview/scim/v2/Me" {
			assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
			fmt.Fprint(w, `{"id":"1","userName":"me@here"}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code":"ENDPOINT_NOT_FOUND","message":"no"}`)
	}))
	defer server.Close()
	t.Setenv("DATABRICKS_HOST", server.URL)
	t.Setenv("DATABRICKS_TOKEN", "secret")
	l := newLab(t)
	l.write("s.py", `
from databricks.sdk.runtime import dbutils, spark, display
dbutils.jobs.taskValues.set(key="n", value=42)
print(dbutils.jobs.taskValues.get("t", "n"), dbutils.widgets.getAll())
display("shown")
from databricks.sdk import WorkspaceClient
w = WorkspaceClient()
print(type(w.dbutils).__module__, w.current_user.me().user_name)
w.dbutils.fs.put("/tmp/x", "via the client", True)
print(dbutils.fs.head("/tmp/x"))`)
	res, log, rec := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "42 {}\nshown\n")
	assert.Contains(t, log, "flowctl_rt.dbutils me@here\n")
	assert.Contains(t, log, "via the client\n")
	assert.Equal(t, "42", string(rec.Values()["n"]))
}

// %pip installs into the attempt's own overlay, from this cell on.
func TestPipMagic(t *testing.T) {
	wheels := packages(t, "wheel==0.45.1") // any small package: only that the index answers
	assert.DirExists(t, wheels)
	l := newLab(t)
	l.wheel("tiny", "", "def main():\n    return 'tiny'\n")
	l.notebook("n",
		"try:\n    import tiny\n    print('there already')\nexcept ImportError:\n    print('not yet')",
		"name = 'tiny'",
		"%pip install ./{name}-1.0-py3-none-any.whl\n%restart_python",
		"import tiny\nprint(tiny.main())",
		"# MAGIC %pip install ./gone-1.0-py3-none-any.whl")
	res := l.fails("n")
	assert.Contains(t, l.log(), "not yet\n")
	assert.Contains(t, l.log(), "tiny\n")
	assert.Contains(t, res.Message, "%pip install ./gone-1.0-py3-none-any.whl failed with exit status")
}

// A requirement of a task is installed before it starts; one that cannot be
// had names the field that asks for it.
func TestRequirements(t *testing.T) {
	packages(t, "wheel==0.45.1")
	l := newLab(t)
	l.wheel("needy", "Requires-Dist: six==1.16.0\n", "import six\ndef main():\n    print(six.__version__)\n")
	l.libs = `[{"whl":"needy-1.0-py3-none-any.whl"}]`
	l.write("s.py", "import needy\nneedy.main()")
	res, log, _ := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "1.16.0\n")
	l.libs = `[{"pypi":{"package":"six==1.16.0"}},{"pypi":{"package":"no-such-package-of-flowctl==1"}}]`
	_, err := l.runners["spark_python_task"].Run(t.Context(), l.attempt("spark_python_task", `{"python_file":"s.py"}`), taskstest.NewRecorder(nil))
	var invalid *tasks.Invalid
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "LIBRARY_INSTALLATION_ERROR", invalid.Code)
	assert.Contains(t, invalid.Message, `libraries[1].pypi.package: "no-such-package-of-flowctl==1" cannot be installed`)
}

// IPython is there for the cells that need it, with our namespace.
func TestIPython(t *testing.T) {
	t.Setenv("PYTHONPATH", packages(t, "ipython==8.18.1"))
	l := newLab(t)
	l.notebook("n",
		"x = 20",
		"%env FLOWCTL_X=1\nx = x + 1",
		"files = !echo one two\nprint(files[0].split(), x)",
		"%%time\nx * 2",
		"print(get_ipython().user_ns is globals(), get_ipython().ns_table['user_global']['dbutils'] is dbutils)",
		"import IPython\nprint(IPython.get_ipython() is get_ipython())",
		"%run ./lib",
		"print(from_lib)",
		"%unknown_magic",
	)
	l.notebook("lib", "from_lib = 'lib'")
	l.notebook("first", "import IPython\nprint(IPython.get_ipython().user_ns['dbutils'] is dbutils)")
	assert.Equal(t, "True\n", l.ok("first"), "as MLflow asks for it")
	res, log, _ := l.run("n")
	assert.Contains(t, log, "['one', 'two'] 21\n")
	assert.Contains(t, log, "True True\nTrue\nlib\n")
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Contains(t, log+res.Message, "unknown_magic")
	l.notebook("bad", "%env A=1\nraise ValueError('in ipython')")
	bad := l.fails("bad")
	assert.Equal(t, "ValueError: in ipython", bad.Message)
	l.notebook("exit", "%env A=1\ndbutils.notebook.exit('left')", "print('never')")
	out, log, _ := l.run("exit")
	assert.Contains(t, string(out.Output), `"result":"left"`)
	assert.NotContains(t, log, "never")
}

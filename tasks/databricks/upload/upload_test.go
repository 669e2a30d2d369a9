package upload_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/databricks/upload"
	"flowctl/tasks/databricks/workspacetest"
	"flowctl/tasks/taskstest"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o600))
	}
	return dir
}

const nb = "# Databricks notebook source\nprint(1)\n"

var code = map[string]string{
	"jobs/job.json": "{}", "jobs/nb.py": nb, "src/main.py": "import lib.a", "src/lib/a.py": "x = 1", "src/q.sql": "select 1",
	"dist/etl-1.0-py3-none-any.whl": "wheel", "jobs/req.txt": "six\n", ".venv/big.py": "", "src/__pycache__/a.cpython-311.pyc": "",
}

const job = `{"name":"etl","tasks":[
 {"task_key":"a","notebook_task":{"notebook_path":"./nb"},"libraries":[{"whl":"../dist/*.whl"},{"pypi":{"package":"six"}}]},
 {"task_key":"b","spark_python_task":{"python_file":"../src/main.py"},"environment_key":"e"},
 {"task_key":"c","for_each_task":{"inputs":"[1]","task":{"task_key":"n","notebook_task":{"notebook_path":"/Repos/ml/nb"}}}},
 {"task_key":"d","sql_task":{"warehouse_id":"1","file":{"path":"../src/q.sql"}}},
 {"task_key":"e","notebook_task":{"notebook_path":"/Shared/theirs"}}],
 "environments":[{"environment_key":"e","spec":{"dependencies":["six","-r req.txt","../dist/etl-1.0-py3-none-any.whl"]}}]}`

func TestPutAndRewrite(t *testing.T) {
	w := workspacetest.Start(t, taskstest.Func(taskstest.Success), nil)
	c := w.Client(t)
	dir := tree(t, code)
	src := upload.Source{Dir: filepath.Join(dir, "jobs"), Roots: map[string]string{"/Repos/ml": filepath.Join(dir, "jobs")}}
	p, err := upload.Find(t.Context(), src, json.RawMessage(job))
	require.NoError(t, err)
	assert.Equal(t, dir, p.Base)
	var names []string
	for _, f := range p.Files {
		names = append(names, f.Name)
	}
	assert.Equal(t, []string{"dist/etl-1.0-py3-none-any.whl", "jobs/job.json", "jobs/nb", "jobs/req.txt", "src/lib/a.py", "src/main.py", "src/q.sql"}, names)

	folder := p.Folder(workspacetest.User, "etl: daily")
	require.Equal(t, "/Workspace/Users/ann@example.com/.flowctl/etl_ daily/"+p.Hash, folder)
	stats, err := p.Put(t.Context(), c, folder, upload.Options{})
	require.NoError(t, err)
	assert.Equal(t, 7, stats.Files)
	w.Requests()
	stats, err = p.Put(t.Context(), c, folder, upload.Options{})
	require.NoError(t, err)
	assert.True(t, stats.Unchanged)
	assert.Equal(t, []string{"GET /api/2.0/workspace/get-status"}, w.Requests())

	var info workspace.ObjectInfo
	require.NoError(t, c.Get(t.Context(), "/api/2.0/workspace/get-status", url.Values{"path": {folder + "/jobs/nb"}}, &info))
	assert.Equal(t, workspace.ObjectTypeNotebook, info.ObjectType)

	out, err := p.Map(folder).Job(json.RawMessage(job))
	require.NoError(t, err)
	var got struct {
		Tasks []struct {
			Notebook  struct{ Notebook_path string } `json:"notebook_task"`
			Script    struct{ Python_file string }   `json:"spark_python_task"`
			Libraries []struct{ Whl string }
			ForEach   struct {
				Task struct {
					Notebook struct{ Notebook_path string } `json:"notebook_task"`
				}
			} `json:"for_each_task"`
			SQL struct{ File struct{ Path string } } `json:"sql_task"`
		}
		Environments []struct {
			Spec struct{ Dependencies []string }
		}
	}
	require.NoError(t, json.Unmarshal(out, &got))
	assert.Equal(t, folder+"/jobs/nb", got.Tasks[0].Notebook.Notebook_path)
	assert.Equal(t, folder+"/dist/etl-1.0-py3-none-any.whl", got.Tasks[0].Libraries[0].Whl)
	assert.Equal(t, folder+"/src/main.py", got.Tasks[1].Script.Python_file)
	assert.Equal(t, folder+"/jobs/nb", got.Tasks[2].ForEach.Task.Notebook.Notebook_path)
	assert.Equal(t, folder+"/src/q.sql", got.Tasks[3].SQL.File.Path)
	assert.Equal(t, "/Shared/theirs", got.Tasks[4].Notebook.Notebook_path)
	assert.Equal(t, []string{"six", "-r " + folder + "/jobs/req.txt", folder + "/dist/etl-1.0-py3-none-any.whl"}, got.Environments[0].Spec.Dependencies)
}

func TestFindReportsEveryProblem(t *testing.T) {
	dir := tree(t, map[string]string{"plain.py": "x"})
	_, err := upload.Find(t.Context(), upload.Source{Dir: dir}, json.RawMessage(`{"tasks":[
	 {"task_key":"a","notebook_task":{"notebook_path":"nothing"}},
	 {"task_key":"b","notebook_task":{"notebook_path":"plain.py"}},
	 {"task_key":"c","spark_python_task":{"python_file":"gone.py"},"libraries":[{"whl":"dist/*.whl"}]}]}`))
	for _, at := range []string{"tasks[0].notebook_task.notebook_path", "tasks[1].notebook_task.notebook_path", "tasks[2].spark_python_task.python_file", "tasks[2].libraries[0].whl"} {
		require.ErrorContains(t, err, at)
	}
}

func TestTwoFilesOfOneName(t *testing.T) {
	for _, files := range []map[string]string{{"a.py": nb, "a.ipynb": `{"cells":[],"nbformat":4,"metadata":{}}`}, {"a.py": nb, "a/b.py": "x"}} {
		files["job.py"] = "x"
		_, err := upload.Find(t.Context(), upload.Source{Dir: tree(t, files)}, json.RawMessage(`{"tasks":[{"task_key":"a","spark_python_task":{"python_file":"job.py"}}]}`))
		require.ErrorContains(t, err, "rename one")
	}
}

// What an upload that was cut off left behind is not sent again, and a
// thousand files that did not change cost one request.
func TestCutOffAndUnchanged(t *testing.T) {
	files := map[string]string{"job.py": "x"}
	for i := range 1000 {
		files[fmt.Sprintf("p%d/f%d.py", i%10, i)] = fmt.Sprint("x = ", i)
	}
	var imports, broken atomic.Int64
	w := workspacetest.Start(t, taskstest.Func(taskstest.Success), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if path.Base(r.URL.Path) == "import" && imports.Add(1) > 500 && broken.Load() == 0 {
				http.Error(rw, `{"error_code":"PERMISSION_DENIED","message":"no more"}`, http.StatusForbidden)
				return
			}
			next.ServeHTTP(rw, r)
		})
	})
	p, err := upload.Find(t.Context(), upload.Source{Dir: tree(t, files)}, json.RawMessage(`{"tasks":[{"task_key":"a","spark_python_task":{"python_file":"job.py"}}]}`))
	require.NoError(t, err)
	folder := p.Folder(workspacetest.User, "big")
	_, err = p.Put(t.Context(), w.Client(t), folder, upload.Options{})
	require.ErrorContains(t, err, "no more")
	broken.Store(1)
	stats, err := p.Put(t.Context(), w.Client(t), folder, upload.Options{})
	require.NoError(t, err)
	assert.Equal(t, 1001, stats.Files+stats.Kept)
	assert.InDelta(t, 500, stats.Kept, 8, "what was on its way when the upload ended may have been lost")
	w.Requests()
	_, err = p.Put(t.Context(), w.Client(t), folder, upload.Options{})
	require.NoError(t, err)
	assert.Len(t, w.Requests(), 2, "the login's well-known address, and the manifest")
}

// A wheel that the job's file says how to build is built, goes along, and is
// the same code as long as its project is the same.
func TestArtifact(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a package twice")
	}
	dir := tree(t, map[string]string{
		"pkg/pyproject.toml":       "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\n",
		"pkg/src/demo/__init__.py": "x = 1\n",
	})
	src := upload.Source{Dir: dir, Artifacts: []upload.Artifact{{
		Name: "demo", Type: "whl", Path: filepath.Join(dir, "pkg"), Build: "rm -rf build && python3 -m pip wheel -q --no-deps -w dist .",
	}}}
	settings := json.RawMessage(`{"tasks":[{"task_key":"a","python_wheel_task":{"package_name":"demo","entry_point":"main"},"libraries":[{"whl":"pkg/dist/*.whl"}]}]}`)
	find := func() string {
		p, err := upload.Find(t.Context(), src, settings)
		require.NoError(t, err)
		return p.Hash
	}
	first := find()
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "pkg/src/demo/__init__.py"), later, later))
	assert.Equal(t, first, find())

	src.Artifacts[0].Build = "echo no compiler here; exit 3"
	_, err := upload.Find(t.Context(), src, settings)
	require.ErrorContains(t, err, "artifacts.demo")
	require.ErrorContains(t, err, "no compiler here")
}

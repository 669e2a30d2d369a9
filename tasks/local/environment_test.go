package local_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/python/venv"
	"flowctl/tasks/taskstest"
)

// What a workspace's environments can hold beside lines: a base, jars, a
// version of Python that is not here.
func TestEnvironmentSpec(t *testing.T) {
	l := newLab(t)
	l.wheel("low", "", "word = 'low'")
	l.wheel("high", "", "import low\nword = 'high over ' + low.word")
	l.write("base.yaml", "environment_version: '2'\ndependencies:\n  - ./low-1.0-py3-none-any.whl\n")
	l.write("x.jar", "")
	l.write("s.py", "import high, os, sys\nprint(high.word, os.environ['VIRTUAL_ENV'] == sys.prefix, os.environ['PATH'].split(':')[0] == sys.prefix + '/bin')")
	in := func(spec string) tasks.Attempt {
		l.job = &jobspec.Job{Environments: []jobspec.Environment{{Key: "env", Spec: json.RawMessage(spec)}}}
		a := l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)
		a.Task.Compute.EnvironmentKey = "env"
		return a
	}
	res, log, rec := l.do(in(`{"environment_version":"99","base_environment":"./base.yaml","dependencies":["./high-1.0-py3-none-any.whl","databricks-connect"],"java_dependencies":["./x.jar","a:b:1"]}`))
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "high over low True True\n")
	assert.Equal(t, []string{
		"environments[0].spec.dependencies[1]: databricks-connect is left out: here it would replace the runtime's own Spark",
	}, rec.Notes())
	var fact struct {
		Key, Python  string
		Requirements []string
		Packages     []string
		MadeBy       string `json:"made_by"`
	}
	require.Len(t, rec.Facts("environment"), 1)
	require.NoError(t, json.Unmarshal([]byte(rec.Facts("environment")[0]), &fact))
	assert.Equal(t, []string{"high==1.0", "low==1.0"}, fact.Packages)
	assert.Equal(t, "flowctl", fact.MadeBy)
	assert.Len(t, fact.Requirements, 2)

	l.write("broken.yaml", "dependencies: {")
	for spec, want := range map[string]string{
		`{"dependencies":"a"}`:                                  "environments[0].spec: json: cannot unmarshal string",
		`{"base_environment":"gone.yaml"}`:                      "environments[0].spec.base_environment: no file",
		`{"base_environment":"broken.yaml"}`:                    "environments[0].spec.base_environment: " + filepath.Join(l.dir, "broken.yaml"),
		`{"dependencies":["a\nb"]}`:                             `environments[0].spec.dependencies[0]: "a\nb" is more than one line`,
		`{"dependencies":["","-r gone.txt"]}`:                   "environments[0].spec.dependencies[1]: no file",
		`{"java_dependencies":["gone.jar"]}`:                    "environments[0].spec.java_dependencies[0]: no file",
		`{"dependencies":["/Volumes/a/b/c/x-1.0-py3-any.whl"]}`: "environments[0].spec.dependencies[0]: no file",
	} {
		assert.Contains(t, l.invalid(in(spec)).Message, want)
	}
	res, log, _ = l.do(in(`{"base_environment":"workspace-base-environments/databricks_ai_v4","environment_version":"4"}`))
	assert.Equal(t, tasks.Failed, res.Outcome, "an environment without packages has none")
	assert.Contains(t, log, "is of the workspace alone; the environment begins with this machine's Python")
}

// A project of the run's git checkout is installed by its content, so that the
// next run at that commit finds it installed.
func TestEnvironmentFromGit(t *testing.T) {
	needPip(t)
	l, o := newLab(t), newOrigin(t)
	for name, text := range map[string]string{
		"proj/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
		"proj/backend.py": `
import zipfile, os
def build_wheel(directory, config=None, metadata=None):
    name = "proj-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as z:
        z.writestr("proj.py", "word = 'from git'")
        for file, text in (("METADATA", "Metadata-Version: 2.1\nName: proj\nVersion: 1.0\n"), ("RECORD", ""),
                           ("WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")):
            z.writestr("proj-1.0.dist-info/" + file, text)
    return name
`,
	} {
		path := filepath.Join(o.dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	o.commit("x")
	require.NoError(t, os.WriteFile(filepath.Join(o.dir, "s.py"), []byte("import proj\nprint(proj.word)"), 0o600))
	o.git("commit", "--quiet", "-am", "uses it")
	for run := 1; run <= 2; run++ {
		l.inEnvironment("-e ./proj")
		l.job.Git = &jobspec.GitSource{URL: o.dir, Branch: "main"}
		a := l.inRun(run, l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`))
		a.Job, a.Task.Compute.EnvironmentKey, a.Code.Dir = l.job, "env", ""
		rec := taskstest.NewRecorder(nil)
		res, err := l.runners[jobspec.SparkPythonTask].Run(t.Context(), a, rec)
		require.NoError(t, err)
		assert.Equal(t, tasks.Success, res.Outcome, res.Message)
		assert.Len(t, l.overlays(), 1)
		assert.Equal(t, run == 1, strings.Contains(strings.Join(rec.Notes(), "\n"), "environment built"))
	}
}

// An environment is held as long as a process runs in it, also after Python
// was started anew; so is what %pip installed.
func TestEnvironmentIsHeld(t *testing.T) {
	needPip(t)
	l := newLab(t)
	l.wheel("low", "", "")
	l.wheel("more", "", "")
	check := `
import fcntl, glob, os
for lock in sorted(glob.glob("` + l.home + `/envs/*.lock")):
    try:
        fcntl.flock(os.open(lock, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("free")
    except BlockingIOError:
        print("held")
`
	l.notebook("n", check, "%pip install -q --no-index ./more-1.0-py3-none-any.whl", "dbutils.library.restartPython()", "print('anew')", check, "import low, more")
	in := l.inEnvironment("./low-1.0-py3-none-any.whl")
	res, log, _ := l.do(in(l.attempt("notebook_task", `{"notebook_path":"n"}`)))
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, "held\nanew\nheld\nheld\n", log)
	gone, err := venv.Store{Dir: filepath.Join(l.home, "envs")}.Prune(time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Len(t, gone, 2, "nobody holds them any more")
}

// A wheel that was built before its source was changed is used, and that is said.
func TestOldWheel(t *testing.T) {
	l := newLab(t)
	l.wheel("shop", "", "def main():\n    print('old')\n")
	l.write("dist/x.txt", "")
	wheel := filepath.Join(l.dir, "dist", "shop-1.0-py3-none-any.whl")
	require.NoError(t, os.Rename(filepath.Join(l.dir, "shop-1.0-py3-none-any.whl"), wheel))
	l.write("pyproject.toml", "")
	l.write("src/shop/main.py", "")
	l.write("s.py", "import shop\nshop.main()")
	l.libs = `[{"whl":"dist/*.whl"}]`
	at := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(l.dir, "src", "shop", "main.py"), at, at.Add(-time.Hour)))
	require.NoError(t, os.Chtimes(wheel, at, at))
	_, log, _ := l.script("s.py")
	assert.Equal(t, "old\n", log)
	require.NoError(t, os.Chtimes(filepath.Join(l.dir, "src", "shop", "main.py"), at, at.Add(time.Minute)))
	_, log, rec := l.script("s.py")
	assert.Contains(t, log, "old\n")
	assert.Equal(t, []string{"libraries[0].whl: shop-1.0-py3-none-any.whl is older than " + filepath.Join(l.dir, "src", "shop", "main.py") + "; build it anew if that matters"}, rec.Notes())
}

package local_test

import (
	"archive/zip"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// needPip skips a test where the interpreter has no installer.
func needPip(t *testing.T) {
	if exec.Command("python3", "-m", "pip", "--version").Run() != nil {
		t.Skip("this interpreter has no pip")
	}
}

// inEnvironment makes the next attempts be in an environment of these lines.
func (l *lab) inEnvironment(lines ...string) func(tasks.Attempt) tasks.Attempt {
	spec, err := json.Marshal(map[string]any{"environment_version": "2", "dependencies": lines})
	require.NoError(l, err)
	l.job = &jobspec.Job{Environments: []jobspec.Environment{{Key: "other"}, {Key: "env", Spec: spec}}}
	return func(a tasks.Attempt) tasks.Attempt {
		a.Job, a.Task.Compute = l.job, jobspec.Compute{EnvironmentKey: "env"}
		return a
	}
}

func (l *lab) invalid(a tasks.Attempt) *tasks.Invalid {
	l.Helper()
	_, err := l.runners[a.Task.Type].Run(l.Context(), a, taskstest.NewRecorder(nil))
	var invalid *tasks.Invalid
	require.ErrorAs(l, err, &invalid)
	return invalid
}

func (l *lab) overlays() []string {
	list, err := filepath.Glob(filepath.Join(l.home, "envs", "*", "env.json"))
	require.NoError(l, err)
	return list
}

// The lines of an environment go to the installer as they are; paths lead to
// where the job's paths lead.
func TestEnvironmentLines(t *testing.T) {
	needPip(t)
	l := newLab(t)
	require.NoError(t, os.Mkdir(filepath.Join(l.dir, "dist"), 0o700))
	l.wheel("base", "", "word = 'based'")
	l.wheel("needy", "Requires-Dist: base\n", "import base\ndef main():\n    print(base.word)\n")
	for _, name := range []string{"base-1.0-py3-none-any.whl", "needy-1.0-py3-none-any.whl"} {
		require.NoError(t, os.Rename(filepath.Join(l.dir, name), filepath.Join(l.dir, "dist", name)))
	}
	l.write("requirements.txt", "needy==1.0  # pinned\n")
	l.write("s.py", "import needy\nneedy.main()")
	in := l.inEnvironment("", "# a comment", "--no-index", "--find-links ./dist", "-r requirements.txt")
	res, log, rec := l.do(in(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)))
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "based\n")
	require.GreaterOrEqual(t, len(rec.Notes()), 2, "more if it takes its time")
	assert.Contains(t, rec.Notes()[0], "building environment: --no-index, --find-links "+l.dir)
	assert.Regexp(t, `^environment built in [0-9.]+ s by (pip|uv) [0-9.]+, 2 packages$`, rec.Notes()[len(rec.Notes())-1])
	require.Len(t, rec.Facts("environment"), 1)
	assert.Contains(t, rec.Facts("environment")[0], `"packages":["base==1.0","needy==1.0"]`)
	_, _, rec = l.do(in(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)))
	assert.Empty(t, rec.Notes(), "what is installed is used again")
	assert.Len(t, l.overlays(), 1)

	in = l.inEnvironment("--no-index", "needy", "nothing-of-this-name")
	invalid := l.invalid(in(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)))
	assert.Equal(t, "LIBRARY_INSTALLATION_ERROR", invalid.Code)
	assert.Contains(t, invalid.Message, `environments[1].spec.dependencies[1]: "needy"`)
	assert.Len(t, l.overlays(), 1, "nothing half done is left")
}

// An overlay is of its content: a wheel that was built anew is installed anew.
func TestLibrariesFollowTheirContent(t *testing.T) {
	l := newLab(t)
	l.write("s.py", "import shop\nshop.main()")
	l.libs = `[{"whl":"shop-*.whl"},{"jar":"x.jar"},{"maven":{"coordinates":"a:b:1"}}]`
	l.write("x.jar", "")
	for _, text := range []string{"old", "new"} {
		l.wheel("shop", "", "def main():\n    print('"+text+"')\n")
		res, log, rec := l.script("s.py")
		require.Equal(t, tasks.Success, res.Outcome, log)
		assert.Contains(t, log, text+"\n")
		assert.Empty(t, rec.Notes(), "jars are Spark's, which this task does not touch")
	}
	assert.Len(t, l.overlays(), 2)
	l.libs = ""
	require.NoError(t, os.MkdirAll(filepath.Join(l.home, "fs", "volumes", "main", "s", "v"), 0o700))
	require.NoError(t, os.Rename(filepath.Join(l.dir, "shop-1.0-py3-none-any.whl"), filepath.Join(l.home, "fs", "volumes", "main", "s", "v", "shop-1.0-py3-none-any.whl")))
	in := l.inEnvironment("/Volumes/main/s/v/shop-1.0-py3-none-any.whl")
	res, log, _ := l.do(in(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)))
	assert.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "new\n")
}

// A wheel that is more than its files is left to the installer.
func TestWheelWithData(t *testing.T) {
	needPip(t)
	l := newLab(t)
	l.wheel("tool", "", "def main():\n    print('tool')\n")
	file := filepath.Join(l.dir, "tool-1.0-py3-none-any.whl")
	old, err := zip.OpenReader(file)
	require.NoError(t, err)
	f, err := os.Create(file + ".new")
	require.NoError(t, err)
	z := zip.NewWriter(f)
	for _, e := range old.File {
		require.NoError(t, z.Copy(e))
	}
	w, err := z.Create("tool-1.0.data/purelib/tool_more.py")
	require.NoError(t, err)
	_, err = w.Write([]byte("x = 'more'\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	require.NoError(t, old.Close())
	require.NoError(t, os.Rename(file+".new", file))
	l.libs = `[{"whl":"tool-1.0-py3-none-any.whl"}]`
	l.write("s.py", "import tool_more\nprint(tool_more.x)")
	res, log, _ := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Contains(t, log, "more\n")
}

func TestLibraryMistakes(t *testing.T) {
	l := newLab(t)
	l.write("s.py", "")
	l.wheel("a", "", "")
	l.wheel("ab", "", "")
	l.write("ab-2.0-py3-none-any.whl", "")
	l.write("pyproject.toml", "")
	l.write("dist/other.txt", "")
	l.write("loop.txt", "-r ./loop.txt")
	l.write("nested.txt", "-r deep/more.txt\n")
	l.write("deep/more.txt", "# first\n./gone-1.0.whl\n")
	l.write("bad-1.0-py3-none-any.whl", "no zip")
	for libs, want := range map[string]string{
		`[{"whl":"ab-*.whl"}]`:                       "libraries[0].whl: ab-*.whl matches several files of one package: ab-1.0-py3-none-any.whl, ab-2.0-py3-none-any.whl",
		`[{"whl":"dist/x-*.whl"}]`:                   "build it first: uv build",
		`[{"whl":"A-1.0-py3-none-any.whl"}]`:         "did you mean",
		`[{"whl":"gone/x-1.0-py3-none-any.whl"}]`:    "there is no folder",
		`[{"whl":"s3://b/x-1.0-py3-none-any.whl"}]`:  "lies in cloud storage",
		`[{"whl":"bad-1.0-py3-none-any.whl"}]`:       "zip: not a valid zip file",
		`[{"pypi":{"package":"x"}},{"egg":"x.egg"}]`: "libraries[1].egg: x.egg is an egg",
		`[{"jar":"x.jar"}]`:                          "libraries[0].jar: no file",
		`[{"requirements":"loop.txt"}]`:              "loop.txt includes itself",
		`[{"requirements":"nested.txt"}]`:            "libraries[0].requirements (nested.txt:1) (more.txt:2): no file",
		`[{"cran":{"package":"x"}}]`:                 "R packages cannot be installed here",
		`[{"requirements":"none.txt"}]`:              "libraries[0].requirements: no file",
	} {
		l.libs = libs
		invalid := l.invalid(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`))
		assert.Equal(t, "LIBRARY_INSTALLATION_ERROR", invalid.Code, libs)
		assert.Contains(t, invalid.Message, want, libs)
	}
	for libs, want := range map[string]string{
		`[{"maven":{"coordinates":"a:b"}}]`: `libraries[0].maven.coordinates: "a:b" is not group:artifact:version`,
		`[{"cran":null}]`:                   "libraries[0]: names no library",
	} {
		l.libs = libs
		invalid := l.invalid(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`))
		assert.Equal(t, "INVALID_RUN_CONFIGURATION", invalid.Code, libs)
		assert.Contains(t, invalid.Message, want)
	}
	l.libs = `{"whl":1}`
	assert.Equal(t, "INVALID_RUN_CONFIGURATION", l.invalid(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)).Code)
}

// An installation that hangs can be broken off, with all that it has started,
// also by those that wait for it.
func TestInstallationHangs(t *testing.T) {
	needPip(t)
	l := newLab(t)
	fifo := filepath.Join(l.dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	l.write("pkg/pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = 'hang'\nbackend-path = ['.']\n")
	l.write("pkg/hang.py", "import os, time\nwith open('"+fifo+"', 'w') as f:\n    f.write(str(os.getpid()))\ntime.sleep(600)\n")
	l.write("s.py", "")
	in := l.inEnvironment("./pkg")
	ctx, stop := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		a := in(l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`))
		wg.Go(func() {
			res, err := l.runners[jobspec.SparkPythonTask].Run(ctx, a, taskstest.NewRecorder(nil))
			assert.NoError(t, err)
			assert.Equal(t, tasks.Canceled, res.Outcome)
		})
	}
	pid, err := os.ReadFile(fifo)
	require.NoError(t, err)
	stop(tasks.ErrCanceled)
	wg.Wait()
	state, err := exec.Command("ps", "-o", "stat=", "-p", string(pid)).Output()
	assert.True(t, err != nil || state[0] == 'Z', "the build is gone: %s", state)
}

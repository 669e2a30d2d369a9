package local_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/local"
	"flowctl/tasks/taskstest"
)

// ran is a file of a "source" fact.
type ran struct {
	Path, SHA256, Via, Unread string
	Size                      int64
	Blob, Changed             bool
}

// sources are the files that an attempt said it ran, by path.
func sources(t *testing.T, rec *taskstest.Recorder) map[string]ran {
	found := map[string]ran{}
	for _, raw := range rec.Facts("source") {
		var f struct{ Files []ran }
		require.NoError(t, json.Unmarshal([]byte(raw), &f))
		for _, s := range f.Files {
			if old, ok := found[s.Path]; ok { // by the processes of a child notebook and its parent
				assert.Equal(t, old, s)
			}
			found[s.Path] = s
		}
	}
	return found
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func (l *lab) text(name string) string {
	data, err := os.ReadFile(filepath.Join(l.dir, name))
	require.NoError(l, err)
	return string(data)
}

func (l *lab) blob(sum string) string {
	path := filepath.Join(l.home, "blobs", sum)
	st, err := os.Stat(path)
	require.NoError(l, err)
	assert.Equal(l, os.FileMode(0o600), st.Mode().Perm())
	data, err := os.ReadFile(path)
	require.NoError(l, err)
	return string(data)
}

// What ran is told with its digest, and kept: the notebook, what it %runs,
// child notebooks, and the modules of the job's folder that were imported.
func TestSourceFacts(t *testing.T) {
	l := newLab(t)
	l.write("lib/__init__.py", "")
	l.write("lib/helper.py", "word = 1")
	l.write("lib/unused.py", "word = 2")
	l.write("lib/secrets_of_ours.py", "password = 'x'")
	l.write("lib/large.py", "x = 1\n"+strings.Repeat("#", 1<<20))
	l.notebook("shared", "import lib.helper")
	l.notebook("child", "import lib.large\ndbutils.notebook.exit('done')")
	l.notebook("main", "%run ./shared", "import lib.secrets_of_ours, json\nprint(dbutils.notebook.run('child', 0))", "dbutils.library.restartPython()", "print(1)")
	res, log, rec := l.run("main")
	require.Equal(t, tasks.Success, res.Outcome, log)
	got := sources(t, rec)
	for path, via := range map[string]string{
		"main.py": "notebook", "shared.py": "%run", "child.py": "dbutils.notebook.run",
		"lib/__init__.py": "import", "lib/helper.py": "import", "lib/secrets_of_ours.py": "import", "lib/large.py": "import",
	} {
		s := got[path]
		assert.Equal(t, via, s.Via, path)
		assert.Equal(t, sum(l.text(path)), s.SHA256, path)
		assert.Equal(t, int64(len(l.text(path))), s.Size, path)
		if kept := path != "lib/secrets_of_ours.py" && path != "lib/large.py"; assert.Equal(t, kept, s.Blob, path) && kept {
			assert.Equal(t, l.text(path), l.blob(s.SHA256))
		} else {
			assert.NoFileExists(t, filepath.Join(l.home, "blobs", s.SHA256))
		}
	}
	assert.Len(t, got, 7, "neither what was not imported nor anybody else's modules: %v", got)

	l.write("plain.py", "import lib.helper, os, time\nos.utime(lib.helper.__file__, (time.time() + 9,) * 2)")
	res, log, rec = l.script("plain.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	got = sources(t, rec)
	assert.Equal(t, "script", got["plain.py"].Via)
	assert.True(t, got["lib/helper.py"].Changed, "what ran was what was there before")
	assert.Len(t, got, 3)

	l.write("bad.py", "import lib.helper\nraise SystemExit(3)")
	_, _, rec = l.script("bad.py")
	assert.Len(t, sources(t, rec), 3, "a failed attempt tells too")
}

// An interpreter that is used as it is tells its packages: their list is kept once.
func TestPlainEnvironmentFact(t *testing.T) {
	l := newLab(t)
	site := filepath.Join(l.dir, "x", "site-packages")
	l.write("x/site-packages/Some_Thing-1.5.dist-info/METADATA", "")
	l.write("x/site-packages/Old-2.0-py3.11.egg-info", "")
	l.write("s.py", "print(1)")
	a := l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)
	a.Code.Env = []string{"TZ=Asia/Tokyo", "PYTHONHASHSEED=7", "FLOWCTL_NOTHING=" + site}
	t.Setenv("PYTHONPATH", site)
	res, log, rec := l.do(a)
	require.Equal(t, tasks.Success, res.Outcome, log)
	require.Len(t, rec.Facts("environment"), 1)
	var env struct {
		Python, Packages string
		Count            int
		Sum              string `json:"packages_sha256"`
	}
	require.NoError(t, json.Unmarshal([]byte(rec.Facts("environment")[0]), &env))
	assert.Equal(t, "blob:"+env.Sum, env.Packages)
	lines := strings.Split(strings.TrimSpace(l.blob(env.Sum)), "\n")
	assert.Len(t, lines, env.Count)
	assert.Contains(t, lines, "Some-Thing==1.5")
	assert.Contains(t, lines, "Old==2.0")
	var run struct {
		Python, Platform, TZ string
		Seed                 string `json:"hash_seed"`
	}
	require.Len(t, rec.Facts("runtime"), 1)
	require.NoError(t, json.Unmarshal([]byte(rec.Facts("runtime")[0]), &run))
	assert.Equal(t, env.Python, run.Python)
	assert.Equal(t, "Asia/Tokyo", run.TZ)
	assert.Equal(t, "7", run.Seed)
	assert.Regexp(t, `^(linux|darwin)-`, run.Platform)
}

// Facts are bounded, and nothing that is no fact becomes one.
func TestFactsAreBounded(t *testing.T) {
	l := newLab(t)
	l.write("loud.py", `
import os
f = open(os.environ["FLOWCTL_EVENTS"], "a")
for i in range(600):
    f.write('{"t":"fact","kind":"mine","data":{"n":%d,"x":"%s"}}\n' % (i % 400, "x" * 1000))
f.write('{"t":"fact","kind":"mine"}\n{"t":"fact","data":{}}\n')
`)
	res, log, rec := l.script("loud.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Greater(t, len(rec.Facts("mine")), 200)
	assert.Less(t, len(rec.Facts("mine")), 270, "each once, and no more than 256 KiB")
	require.Len(t, rec.Facts("gap"), 1)
	assert.Contains(t, rec.Facts("gap")[0], "facts of the task's process are left out")
}

// Files that plain Python reads and writes by a workspace's paths are inputs and outputs.
func TestFileFacts(t *testing.T) {
	l := newLab(t)
	l.write("s.py", `
import io, os
os.makedirs("/Volumes/c/s/v")
open("/Volumes/c/s/v/out.txt", "w").write("one")
with io.open(file="/dbfs/in.csv", mode="rb") as f:
    f.read()
open(__file__).read()
try:
    open("/Volumes/c/s/v/absent")
except FileNotFoundError:
    pass
`)
	in := filepath.Join(l.home, "fs", "dbfs", "in.csv")
	require.NoError(t, os.MkdirAll(filepath.Dir(in), 0o700))
	require.NoError(t, os.WriteFile(in, []byte("id\n1\n"), 0o600))
	res, log, rec := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	require.Len(t, rec.Facts("read"), 1)
	assert.Contains(t, rec.Facts("read")[0], `"path": "`+in+`"`)
	assert.Contains(t, rec.Facts("read")[0], `"workspace_path": "/dbfs/in.csv"`)
	assert.Contains(t, rec.Facts("read")[0], sum("id\n1\n"))
	require.Len(t, rec.Facts("wrote"), 1)
	assert.Contains(t, rec.Facts("wrote")[0], `"workspace_path": "/Volumes/c/s/v/out.txt"`)
	assert.Contains(t, rec.Facts("wrote")[0], sum("one"))
}

// A secret that the code has read is in no fact.
func TestFactsHoldNoSecrets(t *testing.T) {
	l := newLab(t)
	l.runners = local.Runners(&local.Options{Secrets: func(context.Context, tasks.Attempt) (map[string]map[string]string, error) {
		return map[string]map[string]string{"s": {"k": "hunter22hunter22"}}, nil
	}})
	l.write("s.py", `
word = dbutils.secrets.get("s", "k")
open("/dbfs/" + word, "w").write("x")
`)
	require.NoError(t, os.MkdirAll(filepath.Join(l.home, "fs", "dbfs"), 0o700))
	res, log, rec := l.script("s.py")
	require.Equal(t, tasks.Success, res.Outcome, log)
	require.Len(t, rec.Facts("wrote"), 1)
	assert.Contains(t, rec.Facts("wrote")[0], "/dbfs/[REDACTED]")
	assert.NotContains(t, rec.Facts("wrote")[0], "hunter22")
}

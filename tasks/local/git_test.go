package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// origin is a repository that tests fetch from.
type origin struct {
	*testing.T
	dir string
}

func newOrigin(t *testing.T) origin {
	o := origin{t, t.TempDir()}
	o.git("init", "--quiet", "--initial-branch=main")
	return o
}

func (o origin) git(args ...string) string {
	cmd := exec.Command("git", append([]string{"-c", "user.name=n", "-c", "user.email=e@x"}, args...)...)
	cmd.Dir = o.dir
	out, err := cmd.CombinedOutput()
	require.NoError(o, err, string(out))
	return strings.TrimSpace(string(out))
}

// commit writes a script that prints a text, and returns the commit.
func (o origin) commit(text string) string {
	require.NoError(o, os.WriteFile(filepath.Join(o.dir, "s.py"), fmt.Appendf(nil, "print(%q)", text), 0o600))
	require.NoError(o, os.MkdirAll(filepath.Join(o.dir, "lib"), 0o700))
	require.NoError(o, os.WriteFile(filepath.Join(o.dir, "lib", "x.py"), nil, 0o600))
	o.git("add", ".")
	o.git("commit", "--quiet", "-m", text)
	return o.git("rev-parse", "HEAD")
}

// inRun makes the next attempts be of another run.
func (l *lab) inRun(run int, a tasks.Attempt) tasks.Attempt {
	a.JobRunID = int64(run)
	a.ValuesDir = filepath.Join(l.home, "runs", fmt.Sprint(run), "values")
	a.Dir = filepath.Join(l.home, "runs", fmt.Sprint(run), "t", fmt.Sprint(l.n))
	l.last = a.Dir
	return a
}

func (l *lab) fromGit(run int, source jobspec.GitSource, script string) (string, *taskstest.Recorder) {
	l.Helper()
	l.job = &jobspec.Job{Git: &source}
	raw, err := json.Marshal(map[string]string{"python_file": script})
	require.NoError(l, err)
	res, log, rec := l.do(l.inRun(run, l.attempt(jobspec.SparkPythonTask, string(raw))))
	require.Equal(l, tasks.Success, res.Outcome, log)
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return lines[len(lines)-1], rec
}

func (l *lab) gitFails(run int, source jobspec.GitSource, script string) *tasks.Invalid {
	l.Helper()
	l.job = &jobspec.Job{Git: &source}
	raw, err := json.Marshal(map[string]string{"python_file": script})
	require.NoError(l, err)
	a := l.inRun(run, l.attempt(jobspec.SparkPythonTask, string(raw)))
	_, err = l.runners[jobspec.SparkPythonTask].Run(l.Context(), a, taskstest.NewRecorder(nil))
	var invalid *tasks.Invalid
	require.ErrorAs(l, err, &invalid)
	return invalid
}

// A run keeps the commit that it began with; the next one asks again.
func TestGitSource(t *testing.T) {
	l, o := newLab(t), newOrigin(t)
	first := o.commit("first")
	main := jobspec.GitSource{URL: o.dir, Branch: "main"}
	log, rec := l.fromGit(1, main, "s.py")
	assert.Equal(t, "first", log)
	assert.Equal(t, []string{`{"commit":"` + first + `","url":"` + o.dir + `"}`}, rec.Facts("git_snapshot"))
	assert.Contains(t, rec.Notes()[0], "fetching "+o.dir+", branch main")

	o.git("tag", "v1")
	second := o.commit("second")
	log, rec = l.fromGit(1, main, "s.py")
	assert.Equal(t, "first", log)
	assert.Empty(t, rec.Facts("git_snapshot"))
	log, _ = l.fromGit(2, main, "s.py")
	assert.Equal(t, "second", log)
	log, _ = l.fromGit(3, jobspec.GitSource{URL: o.dir, Tag: "v1"}, "s.py")
	assert.Equal(t, "first", log)
	log, _ = l.fromGit(4, jobspec.GitSource{URL: o.dir, Commit: second}, "s.py")
	assert.Equal(t, "second", log)

	// What the tasks find is a repository of their run's own.
	checkouts, err := filepath.Glob(filepath.Join(l.home, "runs", "2", ".code-*"))
	require.NoError(t, err)
	require.Len(t, checkouts, 1)
	head, err := exec.Command("git", "-C", checkouts[0], "log", "-1", "--format=%H %s").Output()
	require.NoError(t, err)
	assert.Equal(t, second+" second\n", string(head))

	// Gone from the network, what was fetched before still is here.
	require.NoError(t, os.Rename(o.dir, o.dir+".gone"))
	log, _ = l.fromGit(5, jobspec.GitSource{URL: o.dir, Commit: first}, "s.py")
	assert.Equal(t, "first", log)
	invalid := l.gitFails(6, main, "s.py")
	assert.Equal(t, "REPOSITORY_CHECKOUT_FAILED", invalid.Code)
	assert.Contains(t, invalid.Message, "git_source: git fetch:")
}

func TestGitCommitOfNoBranch(t *testing.T) {
	l, o := newLab(t), newOrigin(t)
	o.commit("first")
	o.git("checkout", "--quiet", "--detach")
	lost := o.commit("tagged only")
	o.git("tag", "v9")
	o.git("checkout", "--quiet", "main")
	o.commit("main goes on")
	l.fromGit(1, jobspec.GitSource{URL: o.dir, Branch: "main"}, "s.py")
	log, _ := l.fromGit(2, jobspec.GitSource{URL: o.dir, Commit: lost[:10]}, "s.py")
	assert.Equal(t, "tagged only", log)
	assert.Contains(t, l.gitFails(3, jobspec.GitSource{URL: o.dir, Commit: strings.Repeat("0", 40)}, "s.py").Message, "has no commit 000")
}

func TestGitSparse(t *testing.T) {
	l, o := newLab(t), newOrigin(t)
	o.commit("x")
	require.NoError(t, os.MkdirAll(filepath.Join(o.dir, "other"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(o.dir, "other", "y.py"), nil, 0o600))
	o.commit("y")
	l.fromGit(1, jobspec.GitSource{URL: o.dir, Branch: "main", SparseCheckout: json.RawMessage(`{"patterns":["lib"]}`)}, "lib/x.py")
	found, err := filepath.Glob(filepath.Join(l.home, "runs", "1", ".code-*", "*"))
	require.NoError(t, err)
	var names []string
	for _, f := range found {
		names = append(names, filepath.Base(f))
	}
	assert.Equal(t, []string{".git", "lib", "s.py"}, names)
}

func TestGitMistakes(t *testing.T) {
	l, o := newLab(t), newOrigin(t)
	o.commit("x")
	for want, source := range map[string]jobspec.GitSource{
		"couldn't find remote ref refs/heads/gone": {URL: o.dir, Branch: "gone"},
		"couldn't find remote ref refs/tags/gone":  {URL: o.dir, Tag: "gone"},
		"does not appear to be a git repository":   {URL: filepath.Join(o.dir, "nowhere"), Branch: "main"},
		"cannot begin with a dash":                 {URL: "--upload-pack=touch x", Branch: "main"},
		"transport 'ext' not allowed":              {URL: "ext::sh -c id", Branch: "main"},
	} {
		invalid := l.gitFails(1, source, "s.py")
		assert.Equal(t, "REPOSITORY_CHECKOUT_FAILED", invalid.Code)
		assert.Contains(t, invalid.Message, want)
		assert.NotContains(t, invalid.Message, "\n")
	}
	main := jobspec.GitSource{URL: o.dir, Branch: "main"}
	assert.Contains(t, l.gitFails(1, main, "../x.py").Message, "leads out of the git checkout")
	gone := l.gitFails(1, main, "S.py")
	assert.Equal(t, "RESOURCE_NOT_FOUND", gone.Code)
	assert.Contains(t, gone.Message, "did you mean")
	l.job = nil
	_, err := l.runners[jobspec.SparkPythonTask].Run(t.Context(), l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py","source":"GIT"}`), taskstest.NewRecorder(nil))
	assert.ErrorContains(t, err, "source is GIT, but the job has no git_source")
}

// Another git's variables, as a hook has them, and the locks of one that was
// killed do not matter; nor do several runs at once.
func TestGitSurroundings(t *testing.T) {
	l, o := newLab(t), newOrigin(t)
	o.commit("first")
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "elsewhere"))
	l.fromGit(1, jobspec.GitSource{URL: o.dir, Branch: "main"}, "s.py")
	cache, err := filepath.Glob(filepath.Join(l.home, "git", "*", "HEAD"))
	require.NoError(t, err)
	require.Len(t, cache, 1)
	for _, name := range []string{"shallow.lock", "refs/heads/main.lock", "packed-refs.lock"} {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(cache[0]), name), nil, 0o600))
	}
	t.Setenv("GIT_DIR", "")
	require.NoError(t, os.Unsetenv("GIT_DIR"))
	o.commit("second")
	l.job = &jobspec.Job{Git: &jobspec.GitSource{URL: o.dir, Branch: "main"}}
	var wg sync.WaitGroup
	for i := range 6 {
		a := l.inRun(2+i/2, l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`))
		wg.Go(func() {
			res, err := l.runners[jobspec.SparkPythonTask].Run(t.Context(), a, taskstest.NewRecorder(nil))
			assert.NoError(t, err)
			assert.Equal(t, tasks.Success, res.Outcome)
			log, err := os.ReadFile(filepath.Join(a.Dir, "output.log"))
			assert.NoError(t, err)
			assert.Contains(t, string(log), "second\n")
		})
	}
	wg.Wait()
}

// A fetch that does not come to an end can be broken off, also by those that
// wait for it.
func TestGitHangs(t *testing.T) {
	l := newLab(t)
	bin := t.TempDir()
	fifo := filepath.Join(bin, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\necho here >"+fifo+"\nexec sleep 600\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	l.job = &jobspec.Job{Git: &jobspec.GitSource{URL: "http://nowhere.invalid/x", Branch: "main"}}
	for _, cause := range []error{tasks.ErrCanceled, tasks.ErrDetach} {
		ctx, stop := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			a := l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)
			wg.Go(func() {
				res, err := l.runners[jobspec.SparkPythonTask].Run(ctx, a, taskstest.NewRecorder(nil))
				if cause == tasks.ErrDetach { //nolint:errorlint // the cause itself
					assert.ErrorIs(t, err, tasks.ErrDetach)
					return
				}
				assert.NoError(t, err)
				assert.Equal(t, tasks.Canceled, res.Outcome)
			})
		}
		_, err := os.ReadFile(fifo) // git runs
		require.NoError(t, err)
		stop(cause)
		wg.Wait()
	}
}

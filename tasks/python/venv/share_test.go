package venv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python/venv"
)

// TestMain makes this program an asker of its own for the tests that need one
// that can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("VENV_TEST_STORE"); dir != "" {
		os.Exit(asker(dir))
	}
	os.Exit(m.Run())
}

// asker asks for an environment and says what it hears.
func asker(dir string) int {
	var reqs []venv.Requirement
	for _, path := range strings.Split(os.Getenv("VENV_TEST_PATHS"), ":") {
		reqs = append(reqs, venv.Requirement{Line: path, Path: path, Field: "test"})
	}
	env, err := venv.Store{Dir: dir}.Ensure(context.Background(), venv.Spec{Interpreter: os.Getenv("VENV_TEST_PYTHON"), Requirements: reqs},
		func(text string) { fmt.Println("said", text) })
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("has", env.Key, env.Packages)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // holds it until told
	return 0
}

// periodic are the lines that come only if something takes its time.
var periodic = regexp.MustCompile(`^said .* \(\d+ s\)`)

// start starts an asker of its own; its lines come through next.
func (b *bench) start(paths ...string) (cmd *exec.Cmd, next func() string, finish func()) {
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "VENV_TEST_STORE="+b.store.Dir, "VENV_TEST_PYTHON="+b.python, "VENV_TEST_PATHS="+strings.Join(paths, ":"))
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	lines := bufio.NewReader(out)
	return cmd, func() string {
			for {
				line, err := lines.ReadString('\n')
				if err != nil || !periodic.MatchString(line) {
					return strings.TrimSpace(line)
				}
			}
		}, func() {
			_ = in.Close()
			_ = cmd.Wait()
		}
}

// slowProject is a project whose build says that it has begun and waits to be let on.
type slowProject struct {
	testing.TB
	dir         string
	begun, goOn string // fifos
}

func (b *bench) project() slowProject {
	p := slowProject{b, b.TempDir(), filepath.Join(b.wheels, "begun"), filepath.Join(b.wheels, "go")}
	require.NoError(b, syscall.Mkfifo(p.begun, 0o600))
	require.NoError(b, syscall.Mkfifo(p.goOn, 0o600))
	for name, text := range map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'slow'\nbackend-path = ['.']\n",
		"slow.py": fmt.Sprintf(`
import os, zipfile
def build_wheel(directory, config=None, metadata=None):
    with open(%q, "w") as f:
        f.write("begun")
    with open(%q) as f:
        f.read()
    name = "slow-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as z:
        z.writestr("slow.py", "")
        z.writestr("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
        z.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr("slow-1.0.dist-info/RECORD", "")
    return name
`, p.begun, p.goOn),
	} {
		require.NoError(b, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	return p
}

// wait waits until a build has begun.
func (p slowProject) wait() {
	text, err := os.ReadFile(p.begun)
	require.NoError(p, err)
	require.Equal(p, "begun", string(text))
}

// letOn lets the build that has begun go on.
func (p slowProject) letOn() {
	f, err := os.OpenFile(p.goOn, os.O_WRONLY, 0)
	require.NoError(p, err)
	require.NoError(p, f.Close())
}

// Of two processes that ask at once one builds, the other waits and says so.
// While one holds it, an environment is not removed.
func TestTwoAtOnce(t *testing.T) {
	b := newBench(t)
	b.by("pip")
	project := b.project()
	_, first, finish := b.start(project.dir)
	assert.Contains(t, first(), "said building environment: /")
	project.wait()
	_, second, finishSecond := b.start(project.dir)
	assert.Equal(t, "said waiting for another task that builds the same environment", second())
	project.letOn()
	assert.Contains(t, first(), "said environment built in")
	has := first()
	assert.Contains(t, has, "[slow==1.0")
	assert.Equal(t, has, second())

	future := time.Now().Add(time.Hour)
	gone, err := b.store.Prune(future)
	require.NoError(t, err)
	assert.Empty(t, gone)
	list, err := b.store.List()
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.True(t, list[0].InUse && list[0].Whole)
	finish()
	finishSecond()
	gone, err = b.store.Prune(future.Add(-2 * time.Hour))
	require.NoError(t, err)
	assert.Empty(t, gone, "it was used since")
	gone, err = b.store.Prune(future)
	require.NoError(t, err)
	require.Len(t, gone, 1)
	assert.Positive(t, gone[0].Size)
	entries, err := os.ReadDir(b.store.Dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "the lock is gone too")
}

// A build whose process is killed does no harm: as long as its installer goes
// on others wait for that, and then build anew.
func TestKilledBuild(t *testing.T) {
	b := newBench(t)
	b.by("pip")
	project := b.project()
	cmd, first, finish := b.start(project.dir)
	first()
	project.wait()
	require.NoError(t, cmd.Process.Kill())
	finish()
	list, err := b.store.List()
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.False(t, list[0].Whole)
	assert.True(t, list[0].InUse, "its installer lives")

	_, second, finishSecond := b.start(project.dir)
	assert.Equal(t, "said waiting for another task that builds the same environment", second())
	project.letOn()
	assert.Contains(t, second(), "said building environment: /")
	project.wait()
	project.letOn()
	assert.Contains(t, second(), "said environment built in")
	assert.Contains(t, second(), "[slow==1.0")
	finishSecond()
}

// Waiting and building end with their context, and the next one builds.
func TestCanceled(t *testing.T) {
	b := newBench(t)
	b.by("pip")
	project := b.project()
	reqs := lines(project.dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_, err := b.store.Ensure(ctx, venv.Spec{Interpreter: b.python, Requirements: reqs}, func(string) {})
			assert.ErrorIs(t, err, why)
		})
	}
	project.wait()
	cancel(why)
	group.Wait()
	assert.Empty(t, b.folders())
}

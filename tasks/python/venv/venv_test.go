package venv_test

import (
	"archive/zip"
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
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

// bench is a store with a folder of wheels.
type bench struct {
	*testing.T
	store  venv.Store
	wheels string
	python string
	said   []string
	index  bool // the package index may be asked
}

func newBench(t *testing.T) *bench {
	for _, name := range []string{"PIP_CONFIG_FILE", "UV_CONFIG_FILE"} { // the machine's own settings are not the test's
		t.Setenv(name, "/dev/null")
	}
	t.Setenv("PIP_NO_INDEX", "1") // for the builds of projects too
	interpreter, err := python.Find(t.Context(), "")
	require.NoError(t, err)
	return &bench{T: t, store: venv.Store{Dir: filepath.Join(t.TempDir(), "envs")}, wheels: t.TempDir(), python: interpreter}
}

// by lets pip or uv install.
func (b *bench) by(installer string) {
	if installer == "uv" {
		if _, err := exec.LookPath("uv"); err != nil {
			b.Skip("uv is not on PATH")
		}
		return
	}
	if exec.Command(b.python, "-m", "pip", "--version").Run() != nil {
		b.Skip("this interpreter has no pip")
	}
	b.Setenv("PATH", "/usr/bin:/bin")
}

// wheel builds a pure wheel and returns its path.
func (b *bench) wheel(name, version, metadata string, files map[string]string) string {
	path := filepath.Join(b.wheels, fmt.Sprintf("%s-%s-py3-none-any.whl", name, version))
	f, err := os.Create(path)
	require.NoError(b, err)
	z := zip.NewWriter(f)
	info := name + "-" + version + ".dist-info/"
	all := map[string]string{
		info + "METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" + metadata,
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":   "",
	}
	for file, text := range files {
		all[strings.Replace(file, "INFO/", info, 1)] = text
	}
	for file, text := range all {
		w, err := z.Create(file)
		require.NoError(b, err)
		_, err = w.Write([]byte(text))
		require.NoError(b, err)
	}
	require.NoError(b, z.Close())
	require.NoError(b, f.Close())
	return path
}

// lines are requirements in the order of the job's list.
func lines(text ...string) []venv.Requirement {
	var reqs []venv.Requirement
	for i, line := range text {
		r := venv.Requirement{Line: line, Field: fmt.Sprintf("dependencies[%d]", i)}
		if strings.HasPrefix(line, "/") {
			r.Path = line
		}
		reqs = append(reqs, r)
	}
	return reqs
}

func (b *bench) ensure(reqs ...string) (*venv.Env, error) {
	b.said = nil
	if !b.index && slices.ContainsFunc(reqs, func(r string) bool { return !strings.HasPrefix(r, "/") }) {
		reqs = append(reqs, "--no-index")
	}
	return b.store.Ensure(b.Context(), venv.Spec{Interpreter: b.python, Requirements: lines(reqs...)}, func(text string) { b.said = append(b.said, text) })
}

func (b *bench) must(reqs ...string) *venv.Env {
	b.Helper()
	env, err := b.ensure(reqs...)
	require.NoError(b, err)
	b.Cleanup(func() { _ = env.Close() })
	return env
}

// in runs code in an environment and returns what it prints.
func (b *bench) in(env *venv.Env, code string) string {
	b.Helper()
	out, err := exec.Command(env.Program(), "-c", code).CombinedOutput()
	require.NoError(b, err, string(out))
	return string(out)
}

// What pip and uv make is the same to those who use it.
func TestInstallers(t *testing.T) {
	for _, by := range []string{"pip", "uv"} {
		t.Run(by, func(t *testing.T) {
			b := newBench(t)
			b.by(by)
			b.wheel("base_words", "1.0", "", map[string]string{"base_words.py": "word = 'based'\n"})
			b.wheel("needy", "2.1", "Requires-Dist: base-words\n", map[string]string{
				"needy.py":              "import base_words\ndef main():\n    print(base_words.word)\n",
				"INFO/entry_points.txt": "[console_scripts]\nneedy-tool = needy:main\n",
			})
			env := b.must("--find-links "+b.wheels, "needy>=2")
			assert.Equal(t, "based\n", b.in(env, "import needy; needy.main()"))
			out, err := exec.Command(filepath.Join(env.Bin(), "needy-tool")).CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Equal(t, "based\n", string(out))
			var names []string
			for _, p := range env.Packages {
				name, _, _ := strings.Cut(p, " ")
				names = append(names, strings.ReplaceAll(name, "_", "-"))
			}
			assert.Equal(t, []string{"base-words==1.0", "needy==2.1"}, names)
			assert.Contains(t, env.MadeBy, by+" ")
			assert.Contains(t, b.said[0], "building environment: --find-links ")
			lock, err := os.ReadFile(filepath.Join(env.Dir, "lock.txt"))
			require.NoError(t, err)
			assert.Contains(t, string(lock), "needy==2.1\n")

			again := b.must("--find-links "+b.wheels, "needy>=2")
			assert.Equal(t, env.Key, again.Key)
			assert.Empty(t, b.said)

			_, err = b.ensure("--find-links "+b.wheels, "needy>=2", "nothing-like-this==9")
			refused := new(venv.Error)
			require.ErrorAs(t, err, &refused)
			require.Len(t, refused.Blamed, 1, refused.Error())
			assert.Equal(t, "dependencies[2]", refused.Blamed[0].Field)
			assert.Contains(t, err.Error(), `dependencies[2]: "nothing-like-this==9" cannot be installed: `)
			_, err = b.ensure("--find-links "+b.wheels, "not a requirement")
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, "dependencies[1]", refused.Blamed[0].Field, err)
			assert.Len(t, b.folders(), 1, "nothing is left of what failed")
		})
	}
}

// Both installers keep to the versions that the interpreter has, and go on to
// others only if they must.
func TestBaseVersions(t *testing.T) {
	for _, by := range []string{"pip", "uv"} {
		t.Run(by, func(t *testing.T) {
			b := newBench(t)
			b.by(by)
			low := b.must(b.wheel("low", "1.0", "", map[string]string{"low.py": "x = 1\n"}))
			b.wheel("low", "2.0", "", map[string]string{"low.py": "x = 2\n"})
			b.wheel("asks", "1.0", "Requires-Dist: low\n", map[string]string{"asks.py": "import low\n"})
			b.wheel("insists", "1.0", "Requires-Dist: low>=2\n", map[string]string{"insists.py": "import low\n"})
			b.python = low.Program()
			assert.Equal(t, "1\n", b.in(b.must("--find-links "+b.wheels, "asks"), "import asks; print(asks.low.x)"))
			assert.Equal(t, "2\n", b.in(b.must("--find-links "+b.wheels, "insists"), "import insists; print(insists.low.x)"))
		})
	}
}

// The package index answers, with a lock of all that came.
func TestIndex(t *testing.T) {
	if testing.Short() {
		t.Skip("installs from the package index")
	}
	for _, by := range []string{"pip", "uv"} {
		t.Run(by, func(t *testing.T) {
			interpreter, err := python.Find(t.Context(), "")
			require.NoError(t, err)
			b := &bench{T: t, store: venv.Store{Dir: filepath.Join(t.TempDir(), "envs")}, python: interpreter, index: true}
			b.by(by)
			env := b.must("python-dateutil==2.9.0.post0", "six==1.16.0")
			assert.Equal(t, "1.16.0 2020\n", b.in(env, "import six, dateutil.parser as p; print(six.__version__, p.parse('2020-01-01').year)"))
			lock, err := os.ReadFile(filepath.Join(env.Dir, "lock.txt"))
			require.NoError(t, err)
			assert.Contains(t, string(lock), "python-dateutil==2.9.0.post0\n")
			assert.Contains(t, string(lock), "six==1.16.0\n")
			_, err = b.ensure("six==1.16.0", "six-is-not-the-name-of-this==1")
			assert.ErrorContains(t, err, `dependencies[1]: "six-is-not-the-name-of-this==1" cannot be installed`)
		})
	}
}

// Wheels that bring the same file are left to the installer; a store may have
// a blank and a long name.
func TestStrangePlaces(t *testing.T) {
	b := newBench(t)
	b.by("pip")
	b.store.Dir = filepath.Join(t.TempDir(), "a place with blanks "+strings.Repeat("and a long name ", 8), "envs")
	tool := b.wheel("tool", "1.0", "", map[string]string{"tool.py": "def main():\n    print('ran')\n", "INFO/entry_points.txt": "[console_scripts]\ntool = tool:main\n"})
	runs := func(env *venv.Env) {
		t.Helper()
		out, err := exec.Command(filepath.Join(env.Bin(), "tool")).CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Equal(t, "ran\n", string(out))
	}
	runs(b.must(tool))
	both := b.must(tool, b.wheel("rival", "1.0", "", map[string]string{"tool.py": "def main():\n    print('rival')\n"}))
	assert.Contains(t, both.MadeBy, "pip ")
	blank := filepath.Join(t.TempDir(), "my wheels")
	require.NoError(t, os.Mkdir(blank, 0o700))
	moved := filepath.Join(blank, filepath.Base(tool))
	require.NoError(t, os.Rename(tool, moved))
	b.wheel("other", "1.0", "", nil)
	runs(b.must(moved, "other", "--find-links "+b.wheels))
}

// folders are what lies in the store besides locks.
func (b *bench) folders() []string {
	entries, err := os.ReadDir(b.store.Dir)
	require.NoError(b, err)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// Pure wheels need no installer; the interpreter's own packages stay visible,
// behind those of the environment; an environment may be the base of another.
func TestLayers(t *testing.T) {
	b := newBench(t)
	t.Setenv("PATH", "/usr/bin:/bin")
	low := b.must(b.wheel("low", "1.0", "Requires-Python: >=3.6\n", map[string]string{
		"low/__init__.py": "x = 'low'\n", "low_only.py": "",
		"INFO/entry_points.txt": "[console_scripts]\n# one\nlow-tool = low.tool:run [extra]\n", "low/tool.py": "def run():\n    return 3\n",
	}))
	assert.Equal(t, "flowctl", low.MadeBy)
	assert.Equal(t, []string{"low==1.0"}, low.Packages)
	err := exec.Command(filepath.Join(low.Bin(), "low-tool")).Run()
	assert.ErrorContains(t, err, "exit status 3", "what the function returns is the program's status")
	b.python = low.Program()
	high := b.must(b.wheel("low", "2.0", "", map[string]string{"low/__init__.py": "x = 'high'\n"}))
	assert.Equal(t, "high\n", b.in(high, "import low, low_only; print(low.x)"))
	assert.Equal(t, []string{"low==2.0"}, high.Packages)
	assert.NotContains(t, high.Base, "low==1.0", "what is hidden is not said to be there")
	assert.Equal(t, "low\n", b.in(low, "import low; print(low.x)"), "the base is as it was")
}

// A key is of content: of files wherever they lie, of passwords never.
func TestKeys(t *testing.T) {
	b := newBench(t)
	first := b.must(b.wheel("shop", "1.0", "", map[string]string{"shop.py": "x = 1\n"}))
	moved := filepath.Join(t.TempDir(), "with blank", "shop-1.0-py3-none-any.whl")
	require.NoError(t, os.MkdirAll(filepath.Dir(moved), 0o700))
	require.NoError(t, os.Rename(filepath.Join(b.wheels, "shop-1.0-py3-none-any.whl"), moved))
	assert.Equal(t, first.Key, b.must(moved).Key)
	assert.NotEqual(t, first.Key, b.must(b.wheel("shop", "1.0", "", map[string]string{"shop.py": "x = 2\n"})).Key)
	t.Setenv("PIP_INDEX_URL", "https://me:first@index.invalid/simple")
	with := b.must(moved)
	assert.NotEqual(t, first.Key, with.Key)
	t.Setenv("PIP_INDEX_URL", "https://me:second@index.invalid/simple")
	assert.Equal(t, with.Key, b.must(moved).Key)
	data, err := os.ReadFile(filepath.Join(with.Dir, "env.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(data), "first@")
}

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
			line, _ := lines.ReadString('\n')
			return strings.TrimSpace(line)
		}, func() {
			_ = in.Close()
			_ = cmd.Wait()
		}
}

// slow is a project whose build says that it has begun and waits to be let on.
type slow struct {
	testing.TB
	dir         string
	begun, goOn string // fifos
}

func (b *bench) slow() slow {
	p := slow{b, b.TempDir(), filepath.Join(b.wheels, "begun"), filepath.Join(b.wheels, "go")}
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
func (p slow) wait() {
	text, err := os.ReadFile(p.begun)
	require.NoError(p, err)
	require.Equal(p, "begun", string(text))
}

// letOn lets the build that has begun go on.
func (p slow) letOn() {
	f, err := os.OpenFile(p.goOn, os.O_WRONLY, 0)
	require.NoError(p, err)
	require.NoError(p, f.Close())
}

// Of two processes that ask at once one builds, the other waits and says so.
// While one holds it, an environment is not removed.
func TestTwoAtOnce(t *testing.T) {
	b := newBench(t)
	b.by("pip")
	project := b.slow()
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
	project := b.slow()
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
	project := b.slow()
	reqs := lines(project.dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := fmt.Errorf("enough")
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

// A disk that is full, as an installer tells of it, is an error of the
// machine; the next build finds nothing of it.
func TestFullDisk(t *testing.T) {
	b := newBench(t)
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "uv"), []byte("#!/bin/sh\necho 'error: Failed to install: x.whl' >&2\necho '  cause: No space left on device (os error 28)' >&2\nexit 2\n"), 0o700))
	b.by("pip")
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	b.wheel("shop", "1.0", "", map[string]string{"shop.py": ""})
	_, err := b.ensure("--find-links "+b.wheels, "shop")
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.ErrorContains(t, err, "build environment in "+b.store.Dir)
	assert.Empty(t, b.folders())
	t.Setenv("PATH", "/usr/bin:/bin")
	b.must("--find-links "+b.wheels, "shop")
}

// An environment whose interpreter is gone, or whose manifest is torn, is
// made anew.
func TestBroken(t *testing.T) {
	b := newBench(t)
	whl := b.wheel("shop", "1.0", "", map[string]string{"shop.py": "x = 1\n"})
	env := b.must(whl)
	require.NoError(t, env.Close())
	require.NoError(t, os.Remove(env.Program()))
	env = b.must(whl)
	require.NoError(t, env.Close())
	require.NoError(t, os.WriteFile(filepath.Join(env.Dir, "env.json"), []byte(`{"created":`), 0o600))
	assert.Equal(t, "1\n", b.in(b.must(whl), "import shop; print(shop.x)"))
	b.python = filepath.Join(t.TempDir(), "python3")
	_, err := b.ensure(whl)
	assert.ErrorContains(t, err, b.python)
}

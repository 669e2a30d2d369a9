package venv_test

import (
	"archive/zip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

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

// slow leaves a test that starts an installer several times to the whole run.
func slow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts installers several times")
	}
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

			assert.NoFileExists(t, filepath.Join(env.Dir, "requirements.txt"), "an index's password may be in it")

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
	slow(t)
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
	slow(t)
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

// Code that runs pip in its environment changes it for itself, not for those
// that come after it.
func TestChangedByCode(t *testing.T) {
	slow(t)
	b := newBench(t)
	b.by("pip")
	shop := b.wheel("shop", "1.0", "", map[string]string{"shop.py": "x = 1\n"})
	more := b.wheel("more", "1.0", "", map[string]string{"more.py": ""})
	first, second := b.must(shop), b.must(shop)
	b.in(first, "import subprocess, sys; subprocess.check_call([sys.executable, '-m', 'pip', 'install', '-q', '"+more+"'])")
	b.in(first, "import more")
	third := b.must(shop)
	require.Len(t, b.said, 1)
	assert.Contains(t, b.said[0], "it is in use, so it is taken as it is")
	for _, env := range []*venv.Env{first, second, third} {
		require.NoError(t, env.Close())
	}
	again := b.must(shop)
	assert.Contains(t, b.said[0], "it is built anew")
	assert.Equal(t, "False\n", b.in(again, "import importlib.util as u; print(u.find_spec('more') is not None)"))
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

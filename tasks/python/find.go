package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNone says that this machine has no interpreter that can run tasks.
var ErrNone = errors.New("no Python interpreter")

// oldest is the first minor version of Python 3 that the runtime can run in.
const oldest = 9

// Interpreter is a Python to run tasks with.
type Interpreter struct {
	Path string
	// Version is like "3.11.7", or "3.11" where only that can be told without
	// starting it, or empty. The runtime itself refuses one that is too old.
	Version string
}

// Find is Locate for callers that want only the path and keep no cache.
func Find(ctx context.Context, want string) (string, error) {
	i, err := Locate(ctx, want, "")
	return i.Path, err
}

// Locate finds the interpreter to run tasks with: want if it is given (a path
// or a name), else $FLOWCTL_PYTHON, else the active virtual environment's
// python, else the first of python3 and python on PATH that is no older than
// 3.9.
//
// A version manager's shim costs some 60 ms at every start, so what stands
// behind it is found once and that is returned: without starting anything for
// pyenv's layout, by asking the shim otherwise. The answer is kept in
// cacheFile, if that is given, as long as nothing that the answer depends on
// changes. The error is an ErrNone.
func Locate(ctx context.Context, want, cacheFile string) (Interpreter, error) {
	if want == "" {
		want = os.Getenv("FLOWCTL_PYTHON")
	}
	if want != "" {
		path, err := exec.LookPath(want)
		if err != nil {
			return Interpreter{}, fmt.Errorf("%w: %q cannot be found; give the path of a Python 3.%d or newer with --python or $FLOWCTL_PYTHON", ErrNone, want, oldest)
		}
		return resolve(ctx, path, cacheFile)
	}
	var refused []string
	for _, path := range candidates() {
		i, err := resolve(ctx, path, cacheFile)
		if err == nil || !errors.Is(err, ErrNone) {
			return i, err
		}
		refused = append(refused, strings.TrimPrefix(err.Error(), ErrNone.Error()+": "))
	}
	if len(refused) > 0 {
		return Interpreter{}, fmt.Errorf("%w: %s; install Python 3.%d or newer, or name one with --python or $FLOWCTL_PYTHON", ErrNone, strings.Join(refused, "; "), oldest)
	}
	return Interpreter{}, fmt.Errorf("%w: neither python3 nor python is on PATH; install Python 3.%d or newer, or name one with --python or $FLOWCTL_PYTHON", ErrNone, oldest)
}

// candidates are the interpreters to try when none is asked for: that of the
// active virtual environment, then all of PATH, python3 before python.
func candidates() []string {
	var paths []string
	if venv := os.Getenv("VIRTUAL_ENV"); venv != "" {
		paths = append(paths, filepath.Join(venv, "bin", "python"))
	}
	for _, name := range []string{"python3", "python"} {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if filepath.IsAbs(dir) {
				paths = append(paths, filepath.Join(dir, name))
			}
		}
	}
	found := paths[:0]
	for _, path := range paths {
		if runnable(path) {
			found = append(found, path)
		}
	}
	return found
}

func runnable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// resolve finds what runs when path is started. The error is an ErrNone if
// that is no Python that can be used.
func resolve(ctx context.Context, path, cacheFile string) (Interpreter, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Interpreter{}, fmt.Errorf("find Python: %w", err)
	}
	i := Interpreter{Path: path, Version: versionOf(path)}
	if isShim(path) {
		if i = pyenv(path); i.Path == "" {
			if i, err = ask(ctx, path, cacheFile); err != nil {
				return Interpreter{}, err
			}
		}
	}
	if tooOld(i.Version) {
		return Interpreter{}, fmt.Errorf("%w: %s is Python %s, which is too old", ErrNone, i.Path, i.Version)
	}
	return i, nil
}

// isShim tells whether a program is a version manager's stand-in: a script in
// a folder "shims" (pyenv, asdf), or a link there to the manager itself (mise).
// Any other script may set things up for its Python and is taken as it is.
func isShim(path string) bool {
	if filepath.Base(filepath.Dir(path)) != "shims" {
		return false
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if !strings.HasPrefix(filepath.Base(real), "python") {
		return true
	}
	f, err := os.Open(real)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	head := make([]byte, 2)
	_, err = f.Read(head)
	return err == nil && bytes.Equal(head, []byte("#!"))
}

// versionOf tells an interpreter's version without starting it: from the
// virtual environment that it belongs to, or from its own name behind links.
// Empty if neither tells.
func versionOf(path string) string {
	if data, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(path)), "pyvenv.cfg")); err == nil {
		for line := range strings.Lines(string(data)) {
			key, value, _ := strings.Cut(line, "=")
			if key = strings.TrimSpace(key); key == "version" || key == "version_info" {
				return firstWord(value)
			}
		}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	version := strings.TrimPrefix(filepath.Base(real), "python")
	if _, minor, _ := strings.Cut(version, "."); !isNumber(minor) {
		return ""
	}
	return version
}

// tooOld tells whether a version is known and cannot run the runtime.
func tooOld(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(major)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(minor)
	return m < 3 || m == 3 && err == nil && n < oldest
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

func firstWord(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

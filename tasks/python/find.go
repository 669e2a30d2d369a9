package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNone says that this machine has no interpreter that can run tasks.
var ErrNone = errors.New("no Python interpreter")

// Find returns the path of the interpreter to run tasks with: want if it is
// given (a path or a name), else $FLOWCTL_PYTHON, else python3 or python of the
// active virtual environment or of PATH.
//
// A version manager's shim costs some 60 ms at every start, so what stands
// behind it is found once and that is returned: without starting anything for
// pyenv's layout, by asking the shim otherwise.
func Find(ctx context.Context, want string) (string, error) {
	if want == "" {
		want = os.Getenv("FLOWCTL_PYTHON")
	}
	names := []string{want}
	if want == "" {
		names = []string{"python3", "python"}
		if venv := os.Getenv("VIRTUAL_ENV"); venv != "" {
			names = append([]string{filepath.Join(venv, "bin", "python")}, names...)
		}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return "", fmt.Errorf("find Python: %w", err)
		}
		return behindShim(ctx, path)
	}
	if want != "" {
		return "", fmt.Errorf("%w: %q cannot be found; give the path of a Python 3.9 or newer with --python or $FLOWCTL_PYTHON", ErrNone, want)
	}
	return "", fmt.Errorf("%w: neither python3 nor python is on PATH; install Python 3.9 or newer, or name one with --python or $FLOWCTL_PYTHON", ErrNone)
}

// behindShim resolves a script that stands for an interpreter.
func behindShim(ctx context.Context, path string) (string, error) {
	head := make([]byte, 2)
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("find Python: %w", err)
	}
	_, err = f.Read(head)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil || !bytes.Equal(head, []byte("#!")) {
		return path, nil // a program, not a script
	}
	if real := pyenv(path); real != "" {
		return real, nil
	}
	out, err := exec.CommandContext(ctx, path, "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s does not run: %w", ErrNone, path, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// pyenv reads what pyenv's shim would run: the version that $PYENV_VERSION,
// a .python-version file of this folder or one above it, or pyenv's own
// setting names. Empty if that cannot be told.
func pyenv(shim string) string {
	if filepath.Base(filepath.Dir(shim)) != "shims" {
		return ""
	}
	root := filepath.Dir(filepath.Dir(shim))
	version := os.Getenv("PYENV_VERSION")
	if version == "" {
		version = versionFile(root)
	}
	version, _, _ = strings.Cut(version, ":")
	version = strings.TrimSpace(version)
	if version == "" || version == "system" {
		return ""
	}
	real := filepath.Join(root, "versions", version, "bin", filepath.Base(shim))
	if _, err := os.Stat(real); err != nil {
		return ""
	}
	return real
}

func versionFile(root string) string {
	dir, err := os.Getwd()
	for err == nil {
		if data, rerr := os.ReadFile(filepath.Join(dir, ".python-version")); rerr == nil {
			return firstWord(data)
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	data, err := os.ReadFile(filepath.Join(root, "version"))
	if err != nil {
		return ""
	}
	return firstWord(data)
}

func firstWord(data []byte) string {
	words := strings.Fields(string(data))
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

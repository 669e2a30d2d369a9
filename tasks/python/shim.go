package python

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pyenv reads what pyenv's shim would run: the first of the versions that
// $PYENV_VERSION, a .python-version file of this folder or one above it, or
// pyenv's own setting names. Without a Path if that cannot be told.
func pyenv(shim string) Interpreter {
	root := filepath.Dir(filepath.Dir(shim))
	versions := strings.FieldsFunc(os.Getenv("PYENV_VERSION"), func(r rune) bool { return r == ':' })
	if len(versions) == 0 {
		versions = versionFile(root)
	}
	for _, version := range versions {
		version = exactVersion(root, version)
		path := filepath.Join(root, "versions", version, "bin", filepath.Base(shim))
		if version == "" || !runnable(path) {
			continue
		}
		known := versionOf(path) // a virtual environment of pyenv has a name, not a number
		if major, _, dotted := strings.Cut(version, "."); dotted && isNumber(major) {
			known = version
		}
		return Interpreter{Path: path, Version: known}
	}
	return Interpreter{}
}

// versionFile reads the versions that hold in this folder. A line may begin
// with a comment sign.
func versionFile(root string) []string {
	read := func(path string) []string {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		var words []string
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, "#")
			words = append(words, strings.Fields(line)...)
		}
		return words
	}
	for _, dir := range upwards() {
		if words := read(filepath.Join(dir, ".python-version")); len(words) > 0 {
			return words
		}
	}
	return read(filepath.Join(root, "version"))
}

// upwards is the working folder and those above it.
func upwards() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	dirs := []string{dir}
	for filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
		dirs = append(dirs, dir)
	}
	return dirs
}

// exactVersion is the installed version that a name means: itself, or the
// newest that begins with it ("3.11" means 3.11.7). Empty: none of pyenv's.
func exactVersion(root, name string) string {
	if name == "system" || name != filepath.Base(name) {
		return ""
	}
	versions := filepath.Join(root, "versions")
	if _, err := os.Stat(filepath.Join(versions, name)); err == nil {
		return name
	}
	entries, err := os.ReadDir(versions)
	if err != nil {
		return ""
	}
	best, newest := "", -1
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), name+".")
		if n, err := strconv.Atoi(rest); ok && err == nil && n > newest {
			best, newest = e.Name(), n
		}
	}
	return best
}

// askTime is how long a shim may take to say what it stands for.
const askTime = 30 * time.Second

// question works in every Python since 2.6.
const question = `import sys; print(sys.executable); print("%d.%d.%d" % sys.version_info[:3])`

// ask starts a shim to learn what it stands for, or remembers the answer.
func ask(ctx context.Context, shim, cacheFile string) (Interpreter, error) {
	key := shimState(shim)
	known := readCache(cacheFile)
	if i, ok := known[key]; ok && runnable(i.Path) {
		return i, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, shim, "-c", question).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			first, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
			return Interpreter{}, fmt.Errorf("%w: %s does not run: %s", ErrNone, shim, first)
		}
		return Interpreter{}, fmt.Errorf("%w: %s does not run: %w", ErrNone, shim, err)
	}
	words := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(words) != 2 || !runnable(words[0]) {
		return Interpreter{}, fmt.Errorf("%w: %s does not say which Python it stands for", ErrNone, shim)
	}
	i := Interpreter{Path: words[0], Version: words[1]}
	writeCache(cacheFile, known, key, i)
	return i, nil
}

// shimState is all that decides what a shim stands for: the shim, the folder,
// the managers' variables, and their files with the time of the last change.
func shimState(shim string) string {
	var b strings.Builder
	note := func(path string) {
		if st, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", path, st.Size(), st.ModTime().UnixNano())
		}
	}
	note(shim)
	dirs := upwards()
	if len(dirs) > 0 {
		fmt.Fprintln(&b, dirs[0])
	}
	for _, name := range []string{"PYENV_VERSION", "ASDF_PYTHON_VERSION", "MISE_PYTHON_VERSION", "MISE_ENV"} {
		fmt.Fprintln(&b, name, os.Getenv(name))
	}
	if home, err := os.UserHomeDir(); err == nil {
		note(filepath.Join(home, ".tool-versions"))
		note(filepath.Join(home, ".config", "mise", "config.toml"))
	}
	note(filepath.Join(filepath.Dir(filepath.Dir(shim)), "version"))
	for _, dir := range dirs {
		for _, name := range []string{".python-version", ".tool-versions", "mise.toml", ".mise.toml"} {
			note(filepath.Join(dir, name))
		}
	}
	return b.String()
}

// maxCached is how many answers a cache keeps before it begins anew.
const maxCached = 64

func readCache(file string) map[string]Interpreter {
	known := map[string]Interpreter{}
	if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &known) != nil {
		return map[string]Interpreter{}
	}
	return known
}

// writeCache adds an answer. A cache that cannot be written costs the next
// start some milliseconds, no more.
func writeCache(file string, known map[string]Interpreter, key string, i Interpreter) {
	if file == "" {
		return
	}
	if len(known) >= maxCached {
		known = map[string]Interpreter{}
	}
	known[key] = i
	data, err := json.Marshal(known)
	if err != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".python-")
	if err != nil {
		return
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
}

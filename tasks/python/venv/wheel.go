package venv

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// unpackWheels does without an installer where every requirement is a wheel of
// this machine that is pure Python and requires nothing else: that takes
// milliseconds, and no network. False: it takes an installer.
func (b *build) unpackWheels(base python, site string) (bool, error) {
	files := map[string]bool{}
	for _, r := range b.spec.Requirements {
		if r.Line != r.Path || !pureName(r.Path) {
			return false, nil
		}
		plain, err := plainWheel(r.Path, base, files)
		if err != nil {
			return false, &Error{Blamed: []Requirement{r}, Reason: err.Error()}
		}
		if !plain {
			return false, nil
		}
	}
	for _, r := range b.spec.Requirements {
		if err := b.unpack(r.Path, site); err != nil {
			return false, fmt.Errorf("unpack %s: %w", r.Path, err)
		}
	}
	return true, nil
}

// pureName tells whether a wheel's name says that it is for any Python 3.
func pureName(path string) bool {
	tags := strings.Split(strings.TrimSuffix(filepath.Base(path), ".whl"), "-")
	n := len(tags)
	return strings.HasSuffix(path, ".whl") && (n == 5 || n == 6) && strings.Contains(tags[n-3], "py3") && tags[n-2] == "none" && tags[n-1] == "any"
}

// plainWheel tells whether a wheel is nothing but its files, and brings none
// that another one does.
func plainWheel(file string, base python, files map[string]bool) (bool, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return false, err
	}
	defer z.Close() //nolint:errcheck // only read
	plain := false
	for _, f := range z.File {
		top, name, _ := strings.Cut(f.Name, "/")
		if !strings.HasSuffix(f.Name, "/") {
			if files[f.Name] {
				return false, nil // the installer says, or knows, what is to be done
			}
			files[f.Name] = true
		}
		switch {
		case strings.HasSuffix(top, ".data"): // scripts and the like, which have other places
			return false, nil
		case strings.HasSuffix(top, ".dist-info") && name == "METADATA":
			if plain, err = needsNothing(f, base); err != nil || !plain {
				return false, err
			}
		}
	}
	return plain, nil
}

// atLeast is the form of Requires-Python that is understood here.
var atLeast = regexp.MustCompile(`^>=\s*3(?:\.(\d+))?(?:\.\d+)?$`)

// needsNothing tells whether a wheel's metadata ask for nothing that only an
// installer can look after.
func needsNothing(f *zip.File, base python) (bool, error) {
	r, err := f.Open()
	if err != nil {
		return false, err
	}
	defer r.Close() //nolint:errcheck // only read
	s := bufio.NewScanner(r)
	for s.Scan() && s.Text() != "" { // then comes the description
		name, value, _ := strings.Cut(s.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "requires-dist":
			if !strings.Contains(value, "extra ==") {
				return false, nil
			}
		case "requires-python":
			m := atLeast.FindStringSubmatch(value)
			if m == nil {
				return false, nil
			}
			if minor, _ := strconv.Atoi(m[1]); minor >= base.Minor { // a patch version may be asked for too
				return false, nil
			}
		}
	}
	return true, s.Err()
}

// unpack puts a wheel's files into the environment, and makes the programs
// that it declares.
func (b *build) unpack(file, site string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // only read
	if err := os.CopyFS(site, z); err != nil {
		return err
	}
	for _, f := range z.File {
		top, name, _ := strings.Cut(f.Name, "/")
		if !strings.HasSuffix(top, ".dist-info") {
			continue
		}
		if name == "entry_points.txt" {
			if err := b.programs(f); err != nil {
				return err
			}
		}
		if name == "METADATA" {
			if err := os.WriteFile(filepath.Join(site, top, "INSTALLER"), []byte("flowctl\n"), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// program is what stands in an environment's bin for a console script.
const program = `%s
import sys
from %s import %s
if __name__ == "__main__":
    sys.exit(%s())
`

// firstLine leads to an interpreter: systems take neither blanks nor more than
// 127 bytes there, so that a shell is asked to find it if need be.
func firstLine(python string) string {
	if len(python) < 120 && !strings.ContainsAny(python, " \t\"'") {
		return "#!" + python
	}
	return "#!/bin/sh\n'''exec' \"" + python + "\" \"$0\" \"$@\"\n' '''"
}

// programs makes the console scripts of a wheel.
func (b *build) programs(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return err
	}
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		name, target, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if section != "[console_scripts]" || !ok || line[0] == '#' {
			continue
		}
		target, _, _ = strings.Cut(strings.TrimSpace(target), " ") // extras
		module, object, ok := strings.Cut(strings.TrimSpace(target), ":")
		if !ok || name != filepath.Base(name) {
			return errors.New("entry_points.txt: no program can be made of " + line)
		}
		first, _, _ := strings.Cut(object, ".")
		path := filepath.Join(b.dir, "bin", name)
		code := fmt.Sprintf(program, firstLine(filepath.Join(b.dir, "bin", "python")), module, first, object)
		if err := os.WriteFile(path, []byte(code), 0o700); err != nil {
			return err
		}
	}
	return nil
}

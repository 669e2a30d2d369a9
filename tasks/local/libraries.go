package local

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"flowctl/tasks"
)

// requirement is one line for the installer, and the field of the job that
// asks for it.
type requirement struct {
	line  string
	field string
	wheel string // the local file, if it is one
}

// libraries installs what a task asks for beside the interpreter's own
// packages, and returns the folders to put on its path. What was installed
// once for the same interpreter and the same requirements is used again.
func (o *Options) libraries(ctx context.Context, a tasks.Attempt, out tasks.Sink, interpreter string) ([]string, error) {
	reqs, err := o.requirements(a)
	if err != nil || len(reqs) == 0 {
		return nil, err
	}
	key, err := envKey(interpreter, reqs)
	if err != nil {
		return nil, err
	}
	envs := filepath.Join(a.Home, "envs")
	site := filepath.Join(envs, key)
	if _, err := os.Stat(site); err == nil {
		return []string{site}, nil
	}
	lock, err := waitLock(ctx, site+".lock", func() { note(a, out, "waiting for another task that installs the same libraries") })
	if err != nil {
		return nil, fmt.Errorf("make environment: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if _, err := os.Stat(site); err == nil {
		return []string{site}, nil // another task was quicker
	}
	return []string{site}, install(ctx, a, out, interpreter, reqs, site)
}

// requirements collects what the task's libraries and its environment name.
func (o *Options) requirements(a tasks.Attempt) ([]requirement, error) {
	var reqs []requirement
	var libs []struct {
		Pypi         *struct{ Package, Repo string }
		Whl          string
		Requirements string
		Egg          string
		Jar          string
		Maven, Cran  json.RawMessage
	}
	if len(a.Task.Libraries) > 0 {
		if err := json.Unmarshal(a.Task.Libraries, &libs); err != nil {
			return nil, invalid("libraries: %v", err)
		}
	}
	for i, l := range libs {
		field := fmt.Sprintf("libraries[%d]", i)
		switch {
		case l.Pypi != nil:
			reqs = append(reqs, requirement{line: l.Pypi.Package, field: field + ".pypi"})
		case l.Whl != "":
			reqs = append(reqs, requirement{line: l.Whl, field: field + ".whl"})
		case l.Requirements != "":
			reqs = append(reqs, requirement{line: "-r " + l.Requirements, field: field + ".requirements"})
		case l.Egg != "":
			return nil, &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: field + ".egg: eggs are no longer supported; build a wheel"}
		case l.Cran != nil:
			return nil, &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: field + ".cran: R packages cannot be installed here; run the task on a workspace"}
		}
		// jar and maven are for Spark; plain Python does not see them.
	}
	env, err := environmentDependencies(a)
	if err != nil {
		return nil, err
	}
	reqs = append(reqs, env...)
	for i := range reqs {
		if err := o.localize(a, &reqs[i]); err != nil {
			return nil, err
		}
	}
	return reqs, nil
}

func environmentDependencies(a tasks.Attempt) ([]requirement, error) {
	key := a.Task.Compute.EnvironmentKey
	if key == "" || a.Job == nil {
		return nil, nil
	}
	var reqs []requirement
	for i, e := range a.Job.Environments {
		if e.Key != key || len(e.Spec) == 0 {
			continue
		}
		var spec struct{ Dependencies []string }
		if err := json.Unmarshal(e.Spec, &spec); err != nil {
			return nil, invalid("environments[%d].spec: %v", i, err)
		}
		for n, d := range spec.Dependencies {
			reqs = append(reqs, requirement{line: strings.TrimSpace(d), field: fmt.Sprintf("environments[%d].spec.dependencies[%d]", i, n)})
		}
	}
	return reqs, nil
}

// localize replaces a path in a requirement by the file that it means here.
func (o *Options) localize(a tasks.Attempt, r *requirement) error {
	prefix, path := "", r.line
	if rest, ok := strings.CutPrefix(r.line, "-r "); ok {
		prefix, path = "-r ", strings.TrimSpace(rest)
	}
	isWheel := strings.HasSuffix(path, ".whl")
	if prefix == "" && !isWheel || strings.Contains(path, "://") {
		return nil
	}
	file := filepath.Join(a.Code.Dir, filepath.FromSlash(path))
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, "dbfs:/") {
		file = o.absolute(a, path).path
	} else if a.Code.Dir == "" {
		return invalid("%s: %q is relative, but this job comes from no file", r.field, path)
	}
	matches, err := filepath.Glob(file)
	if err != nil || len(matches) != 1 {
		why := fmt.Sprintf("no file %s", file)
		if len(matches) > 1 {
			why = fmt.Sprintf("%s matches %d files", path, len(matches))
		}
		return &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: r.field + ": " + why}
	}
	r.line = prefix + matches[0]
	if isWheel {
		r.wheel = matches[0]
	}
	return nil
}

// envKey names an environment by all that goes into it.
func envKey(interpreter string, reqs []requirement) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, interpreter)
	for _, r := range reqs {
		fmt.Fprintln(h, r.line)
		file := r.wheel
		if rest, ok := strings.CutPrefix(r.line, "-r "); ok {
			file = rest
		}
		if file == "" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return "", &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: fmt.Sprintf("%s: %v", r.field, err)}
		}
		_, err = io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("%s: %w", r.field, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// install fills a new folder and puts it in place at once.
func install(ctx context.Context, a tasks.Attempt, out tasks.Sink, interpreter string, reqs []requirement, site string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(site), ".new-")
	if err != nil {
		return fmt.Errorf("make environment: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone already if all went well
	done, err := unpackWheels(reqs, tmp)
	if err != nil {
		return err
	}
	if !done {
		var names []string
		for _, r := range reqs {
			names = append(names, r.line)
		}
		note(a, out, "installing "+strings.Join(names, ", "))
		if err := pip(ctx, a, interpreter, reqs, tmp); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, site); err != nil {
		return fmt.Errorf("make environment: %w", err)
	}
	return nil
}

// unpackWheels does without an installer where every requirement is a local,
// pure Python wheel that requires nothing else. False: it takes an installer.
func unpackWheels(reqs []requirement, dir string) (bool, error) {
	for _, unpack := range []bool{false, true} { // look at all before the first is unpacked
		for _, r := range reqs {
			if r.wheel == "" || !strings.HasSuffix(r.wheel, "-none-any.whl") {
				return false, nil
			}
			ok, err := openWheel(r.wheel, dir, unpack)
			if err != nil {
				return false, &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: fmt.Sprintf("%s: %s: %v", r.field, r.wheel, err)}
			}
			if !ok {
				return false, nil
			}
		}
	}
	return true, nil
}

// openWheel tells whether a wheel requires nothing else, and unpacks it if asked to.
func openWheel(file, dir string, unpack bool) (bool, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return false, err
	}
	defer z.Close() //nolint:errcheck // only read
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".dist-info/METADATA") {
			if more, err := requiresOthers(f); more || err != nil {
				return false, err
			}
		}
	}
	if !unpack {
		return true, nil
	}
	return true, os.CopyFS(dir, z)
}

func requiresOthers(f *zip.File) (bool, error) {
	r, err := f.Open()
	if err != nil {
		return false, err
	}
	defer r.Close() //nolint:errcheck // only read
	for s := bufio.NewScanner(r); s.Scan(); {
		if strings.HasPrefix(s.Text(), "Requires-Dist:") && !strings.Contains(s.Text(), "extra ==") {
			return true, nil
		}
		if s.Text() == "" {
			break // the description
		}
	}
	return false, nil
}

// pip installs the requirements; what it says goes to the attempt's log.
func pip(ctx context.Context, a tasks.Attempt, interpreter string, reqs []requirement, dir string) error {
	args := []string{"-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet", "--target", dir}
	for _, r := range reqs {
		if rest, ok := strings.CutPrefix(r.line, "-r "); ok {
			args = append(args, "-r", rest)
		} else if strings.HasPrefix(r.line, "--") {
			args = append(args, strings.Fields(r.line)...)
		} else {
			args = append(args, r.line)
		}
	}
	log, err := os.OpenFile(filepath.Join(a.Dir, "output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("install libraries: %w", err)
	}
	defer log.Close() //nolint:errcheck // pip has its own descriptor
	cmd := exec.CommandContext(ctx, interpreter, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return &tasks.Invalid{Code: "LIBRARY_INSTALLATION_ERROR", Message: fmt.Sprintf("%s cannot be installed (%v): %s", blamed(a.Dir, reqs), err, lastLine(a.Dir))}
	}
	return nil
}

// blamed names the requirement that pip's last words are about, else all.
func blamed(dir string, reqs []requirement) string {
	var said string
	for _, line := range strings.Split(lastLines(dir, 10), "\n") {
		if strings.HasPrefix(line, "ERROR") {
			said += line
		}
	}
	var all []string
	for _, r := range reqs {
		name := strings.FieldsFunc(r.line, func(c rune) bool { return strings.ContainsRune("=<>!~ [;", c) })
		if len(name) > 0 && strings.Contains(said, name[0]) {
			return fmt.Sprintf("%s (%s)", r.line, r.field)
		}
		all = append(all, fmt.Sprintf("%s (%s)", r.line, r.field))
	}
	return strings.Join(all, ", ")
}

func lastLine(dir string) string { return strings.TrimSpace(lastLines(dir, 1)) }

// note tells people what the attempt is waiting for, in its log too.
func note(a tasks.Attempt, out tasks.Sink, text string) {
	out.Note(text)
	f, err := os.OpenFile(filepath.Join(a.Dir, "output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return // a note that cannot be written is only a note
	}
	_, _ = fmt.Fprintln(f, "flowctl: "+text)
	_ = f.Close()
}

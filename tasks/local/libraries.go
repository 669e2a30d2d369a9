package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flowctl/tasks"
)

// libraries installs what a task asks for beside the interpreter's own
// packages, and returns the folders to put on its path. What was installed
// once for the same interpreter and the same requirements is used again.
func (o *Options) libraries(ctx context.Context, a tasks.Attempt, out tasks.Sink, interpreter string) ([]string, error) {
	reqs, skipped, err := o.requirements(a)
	if len(skipped) > 0 {
		note(a, out, "not loaded, since this task has no Spark: "+strings.Join(skipped, ", "))
	}
	if err != nil || len(reqs) == 0 {
		return nil, err
	}
	key, err := overlayKey(interpreter, reqs)
	if err != nil {
		return nil, err
	}
	site := filepath.Join(a.Home, "envs", key)
	if _, err := os.Stat(site); err == nil {
		return []string{site}, nil
	}
	lock, err := waitLock(ctx, site+".lock", func() { note(a, out, "waiting for another task that installs the same libraries") })
	if err != nil {
		return nil, fmt.Errorf("install libraries: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if _, err := os.Stat(site); err == nil {
		return []string{site}, nil // that task has done it
	}
	return []string{site}, install(ctx, a, out, interpreter, reqs, site)
}

// overlayKey names an overlay by all that goes into it.
func overlayKey(interpreter string, reqs []requirement) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, interpreter)
	if st, err := os.Stat(interpreter); err == nil { // another version may come to the same path
		fmt.Fprintln(h, st.Size(), st.ModTime().UnixNano())
	}
	for _, r := range reqs {
		fmt.Fprintf(h, "%q\n", r.args)
		if r.path == "" {
			continue
		}
		if err := addTree(h, r.path); err != nil {
			return "", uninstallable("%s: %v", r.field, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// addTree adds a file's content to a hash, or of a folder what tells that it
// has changed.
func addTree(h io.Writer, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				fmt.Fprintln(h, p, info.Size(), info.ModTime().UnixNano())
			}
			return err
		})
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = io.Copy(h, f)
	return err
}

// install fills a new folder and puts it in place at once. The caller has the
// overlay's lock.
func install(ctx context.Context, a tasks.Attempt, out tasks.Sink, interpreter string, reqs []requirement, site string) error {
	tmp := site + ".new"
	if err := os.RemoveAll(tmp); err != nil { // of an engine that was killed
		return fmt.Errorf("install libraries: %w", err)
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return fmt.Errorf("install libraries: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone already if all went well
	done, err := unpackWheels(reqs, tmp)
	if err != nil {
		return err
	}
	if !done {
		var names []string
		for _, r := range reqs {
			names = append(names, strings.Join(r.args, " "))
		}
		note(a, out, "installing "+strings.Join(names, ", "))
		if err := pip(ctx, a, interpreter, reqs, tmp); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, site); err != nil {
		return fmt.Errorf("install libraries: %w", err)
	}
	return nil
}

// pip installs the requirements; what it says goes to the attempt's log.
func pip(ctx context.Context, a tasks.Attempt, interpreter string, reqs []requirement, dir string) error {
	args := []string{"-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet", "--target", dir}
	for _, r := range reqs {
		args = append(args, r.args...)
	}
	log, err := openLog(a.Dir)
	if err != nil {
		return fmt.Errorf("install libraries: %w", err)
	}
	defer log.Close() //nolint:errcheck // pip has its own descriptor
	cmd := exec.CommandContext(ctx, interpreter, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = a.Code.Dir, log, log
	endGroup(cmd)
	if err := cmd.Run(); err != nil {
		return uninstallable("%s cannot be installed (%v): %s", blamed(a.Dir, reqs), err, strings.TrimSpace(lastLines(a.Dir, 1)))
	}
	return nil
}

// blamed names the requirements that pip's last errors are about, else all.
func blamed(dir string, reqs []requirement) string {
	var said string
	for _, line := range strings.Split(lastLines(dir, 10), "\n") {
		if strings.HasPrefix(line, "ERROR") {
			said += line
		}
	}
	var all, named []string
	for _, r := range reqs {
		what := r.args[0]
		if what == "-r" && len(r.args) > 1 {
			what = r.args[1]
		} else if what[0] == '-' {
			continue // it only says how to install
		}
		all = append(all, r.String())
		name := strings.FieldsFunc(filepath.Base(what), func(c rune) bool { return strings.ContainsRune("=<>!~ [;", c) })
		if len(name) > 0 && strings.Contains(said, name[0]) {
			named = append(named, r.String())
		}
	}
	if len(named) == 0 {
		named = all
	}
	return strings.Join(slices.Compact(named), ", ")
}

// endGroup makes a command that its context ends take its children along. It
// gets the time to clean up: git leaves locks in the cache otherwise.
func endGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
}

// note tells people what the attempt is waiting for, in its log too.
func note(a tasks.Attempt, out tasks.Sink, text string) {
	out.Note(text)
	f, err := openLog(a.Dir)
	if err != nil {
		return // a note that cannot be written is only a note
	}
	_, _ = fmt.Fprintln(f, "flowctl: "+text)
	_ = f.Close()
}

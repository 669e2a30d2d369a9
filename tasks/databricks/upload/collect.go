package upload

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// collect lists the files of a folder that belong to a job's code, and those
// that the job names whatever git thinks of them. Named folders are taken whole.
func collect(ctx context.Context, base string, named []string) ([]string, error) {
	set := map[string]bool{}
	listed, ok := gitFiles(ctx, base)
	if !ok {
		var err error
		if listed, err = walk(base, base); err != nil {
			return nil, err
		}
	}
	for _, n := range named {
		st, err := os.Stat(n)
		if err != nil {
			return nil, fmt.Errorf("read code: %w", err)
		}
		if !st.IsDir() {
			set[n] = true
		} else if !ok { // of git's list we know that it is what the folder should hold
			continue
		} else if inner, err := walk(n, n); err != nil {
			return nil, err
		} else if !slices.ContainsFunc(listed, func(f string) bool { return within(n, f) }) {
			listed = append(listed, inner...)
		}
	}
	for _, f := range listed {
		if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() {
			set[f] = true
		}
	}
	if len(set) > maxFiles {
		return nil, fmt.Errorf("%s holds more than %d files; keep the job in a folder of its own, or list what it does not need in .gitignore", base, maxFiles)
	}
	files := make([]string, 0, len(set))
	for f := range set {
		files = append(files, f)
	}
	slices.Sort(files)
	return files, nil
}

// gitFiles are the files that git keeps or would keep. False: the folder is
// in no repository, or there is no git.
func gitFiles(ctx context.Context, base string) ([]string, bool) {
	cmd := exec.CommandContext(ctx, "git", "-C", base, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	out, err := cmd.Output()
	if err != nil {
		return nil, false
	}
	var files []string
	for name := range bytes.SplitSeq(out, []byte{0}) {
		rel := string(name)
		if rel == "" || skipped(rel) {
			continue
		}
		files = append(files, filepath.Join(base, filepath.FromSlash(rel)))
	}
	return files, true
}

// skipped tells whether a path lies in a folder that is never code.
func skipped(rel string) bool {
	dirs := strings.Split(rel, "/")
	return slices.ContainsFunc(dirs[:len(dirs)-1], neverCode) || strings.HasSuffix(rel, ".pyc")
}

// neverCode are folders that tools make: hidden ones, caches, environments.
func neverCode(dir string) bool {
	return strings.HasPrefix(dir, ".") || dir == "__pycache__" || dir == "node_modules" || strings.HasSuffix(dir, ".egg-info")
}

// walk lists the files below a folder that git says nothing about.
func walk(base, dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != base && (neverCode(d.Name()) || isVenv(p)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".pyc") {
			files = append(files, p)
		}
		if len(files) > maxFiles {
			return fmt.Errorf("%s holds more than %d files; keep the job in a folder of its own", base, maxFiles)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read code: %w", err)
	}
	return files, nil
}

func isVenv(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "pyvenv.cfg"))
	return err == nil
}

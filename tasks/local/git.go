package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// checkout brings the job's git source here, at one commit for the whole run,
// and returns its folder: a checkout of the run's own, with its .git, so that
// what a task writes beside its code stays in its run. The first task that
// needs it resolves the branch or tag; the others find it done. What was
// fetched is kept in the data directory for later runs.
func (o *Options) checkout(ctx context.Context, a tasks.Attempt, out tasks.Sink) (string, error) {
	g := a.Job.Git
	// A task key has no dot, so no task's folder has this name. A repaired run
	// may have another source than it began with.
	dir := filepath.Join(filepath.Dir(a.ValuesDir), ".code-"+short(g.URL, g.Branch, g.Tag, g.Commit, string(g.SparseCheckout)))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	cache := gitCache{filepath.Join(a.Home, "git", short(g.URL))}
	lock, err := waitLock(ctx, cache.dir+".lock", func() { note(a, out, "waiting for another task that fetches "+g.URL) })
	if err != nil {
		return "", fmt.Errorf("git checkout: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // the task that had the lock was in this run
	}
	commit, err := cache.fetch(ctx, g, func(what string) { note(a, out, what) })
	if err != nil {
		return "", gitFailed(err)
	}
	data, err := json.Marshal(map[string]string{"commit": commit, "url": g.URL})
	if err != nil {
		return "", fmt.Errorf("report commit: %w", err)
	}
	if err := out.Report(tasks.Fact{Kind: "git_snapshot", Data: data}); err != nil {
		return "", err
	}
	if err := cache.checkout(ctx, g, commit, dir); err != nil {
		return "", gitFailed(err)
	}
	return dir, nil
}

// short names something by its content.
func short(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// gitCache is a bare repository that holds what was fetched of one URL.
// Whoever uses it has its lock.
type gitCache struct{ dir string }

// fetch brings what the source names into the cache and returns its commit.
func (c gitCache) fetch(ctx context.Context, g *jobspec.GitSource, note func(string)) (string, error) {
	if strings.HasPrefix(g.URL, "-") || strings.HasPrefix(g.Commit, "-") {
		return "", errors.New("git_url and git_commit cannot begin with a dash")
	}
	if _, err := os.Stat(filepath.Join(c.dir, "HEAD")); err != nil {
		if _, err := runGit(ctx, filepath.Dir(c.dir), "init", "--quiet", "--bare", c.dir); err != nil {
			return "", err
		}
	}
	if err := c.unlock(); err != nil {
		return "", err
	}
	switch {
	case g.Commit != "":
		return c.fetchCommit(ctx, g, note)
	case g.Tag != "":
		note(fmt.Sprintf("fetching %s, tag %s", g.URL, g.Tag))
		return c.fetchRef(ctx, g.URL, "refs/tags/"+g.Tag)
	}
	note(fmt.Sprintf("fetching %s, branch %s", g.URL, g.Branch))
	return c.fetchRef(ctx, g.URL, "refs/heads/"+g.Branch)
}

// unlock removes git's own locks: we have the cache's, so they are of a git
// that was killed.
func (c gitCache) unlock() error {
	return filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".lock") {
			if err == nil && d.IsDir() && d.Name() == "objects" {
				return fs.SkipDir
			}
			return err
		}
		return os.Remove(path)
	})
}

func (c gitCache) fetchRef(ctx context.Context, url, ref string) (string, error) {
	if _, err := runGit(ctx, c.dir, "fetch", "--quiet", "--depth=1", "--no-tags", url, "+"+ref+":"+ref); err != nil {
		return "", err
	}
	return runGit(ctx, c.dir, "rev-parse", "--verify", ref+"^{commit}")
}

// fetchCommit needs no network for a commit that was fetched before. A host
// that does not give out single commits gives all its branches and tags.
func (c gitCache) fetchCommit(ctx context.Context, g *jobspec.GitSource, note func(string)) (string, error) {
	want := g.Commit + "^{commit}"
	if commit, err := runGit(ctx, c.dir, "rev-parse", "--quiet", "--verify", want); err == nil {
		return commit, nil
	}
	note(fmt.Sprintf("fetching %s, commit %s", g.URL, g.Commit))
	if _, err := runGit(ctx, c.dir, "fetch", "--quiet", "--depth=1", "--no-tags", g.URL, g.Commit); err != nil {
		args := []string{"fetch", "--quiet", "--tags", "--force", g.URL, "+refs/heads/*:refs/heads/*"}
		if _, serr := os.Stat(filepath.Join(c.dir, "shallow")); serr == nil {
			args = slices.Insert(args, 1, "--unshallow")
		}
		if _, err := runGit(ctx, c.dir, args...); err != nil {
			return "", err
		}
	}
	commit, err := runGit(ctx, c.dir, "rev-parse", "--quiet", "--verify", want)
	if err != nil {
		return "", fmt.Errorf("%s has no commit %s", g.URL, g.Commit)
	}
	return commit, nil
}

// checkout puts a commit's files into a folder, all at once. The objects stay
// in the cache.
func (c gitCache) checkout(ctx context.Context, g *jobspec.GitSource, commit, dir string) error {
	tmp := dir + ".new"
	if err := os.RemoveAll(tmp); err != nil { // of an engine that was killed
		return err
	}
	if err := os.MkdirAll(filepath.Dir(tmp), 0o700); err != nil {
		return err
	}
	if _, err := runGit(ctx, filepath.Dir(tmp), "init", "--quiet", tmp); err != nil {
		return err
	}
	git := filepath.Join(tmp, ".git")
	if err := os.WriteFile(filepath.Join(git, "objects", "info", "alternates"), []byte(filepath.Join(c.dir, "objects")+"\n"), 0o600); err != nil {
		return err
	}
	if cut, err := os.ReadFile(filepath.Join(c.dir, "shallow")); err == nil {
		if err := os.WriteFile(filepath.Join(git, "shallow"), cut, 0o600); err != nil {
			return err
		}
	}
	steps := [][]string{{"remote", "add", "origin", g.URL}}
	if len(g.SparseCheckout) > 0 {
		var sparse struct{ Patterns []string }
		if err := json.Unmarshal(g.SparseCheckout, &sparse); err != nil {
			return fmt.Errorf("sparse_checkout: %w", err)
		}
		steps = append(steps, append([]string{"sparse-checkout", "set", "--cone", "--"}, sparse.Patterns...))
	}
	for _, step := range append(steps, []string{"checkout", "--quiet", "--detach", commit}) {
		if _, err := runGit(ctx, tmp, step...); err != nil {
			return err
		}
	}
	return os.Rename(tmp, dir)
}

// runGit runs git in a folder, whatever repository this process was started
// in (a hook sets GIT_DIR), and never asks for a password.
func runGit(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}, name)
	})
	cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	if os.Getenv("GIT_SSH_COMMAND") == "" {
		cmd.Env = append(cmd.Env, "GIT_SSH_COMMAND=ssh -oBatchMode=yes")
	}
	endGroup(cmd)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("git %s: %s", args[0], strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

func gitFailed(err error) error {
	return &tasks.Invalid{Code: "REPOSITORY_CHECKOUT_FAILED", Message: "git_source: " + strings.Join(strings.Fields(err.Error()), " ")}
}

// endGroup makes a command that its context ends take its children along. It
// gets the time to clean up: git leaves locks in the cache otherwise.
func endGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
}

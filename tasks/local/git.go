package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// checkout brings the job's git source here, at one commit for the whole run,
// and returns its folder. The first task that needs it resolves the branch or
// tag; the others use that commit.
func (o *Options) checkout(ctx context.Context, a tasks.Attempt, out tasks.Sink) (string, error) {
	git := a.Job.Git
	runDir := filepath.Dir(a.ValuesDir)
	pin := filepath.Join(runDir, "git_commit")
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return "", fmt.Errorf("git checkout: %w", err)
	}
	sum := sha256.Sum256([]byte(git.URL))
	base := filepath.Join(a.Home, "git", hex.EncodeToString(sum[:8]))
	lock, err := waitLock(ctx, filepath.Join(base, "lock"), func() { note(a, out, "waiting for another checkout of "+git.URL) })
	if err != nil {
		return "", fmt.Errorf("git checkout: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	commit, err := os.ReadFile(pin)
	if errors.Is(err, os.ErrNotExist) {
		if commit, err = o.pin(ctx, a, out, base, git); err == nil {
			err = os.WriteFile(pin, commit, 0o600)
		}
	}
	if err != nil {
		return "", gitFailed(err)
	}
	dir := filepath.Join(base, string(commit))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := export(ctx, base, string(commit), dir); err != nil {
		return "", gitFailed(err)
	}
	return dir, nil
}

// pin fetches the source and resolves it to a commit.
func (o *Options) pin(ctx context.Context, a tasks.Attempt, out tasks.Sink, base string, git *jobspec.GitSource) ([]byte, error) {
	repo := filepath.Join(base, "repo")
	if _, err := os.Stat(repo); err != nil {
		if _, err := runGit(ctx, base, "init", "--bare", "--quiet", repo); err != nil {
			return nil, err
		}
	}
	ref := "refs/heads/" + git.Branch
	switch {
	case git.Tag != "":
		ref = "refs/tags/" + git.Tag
	case git.Commit != "":
		ref = git.Commit
	}
	note(a, out, "fetching "+git.URL+" "+strings.TrimPrefix(ref, "refs/heads/"))
	if git.Commit == "" {
		if _, err := runGit(ctx, repo, "fetch", "--quiet", "--depth=1", git.URL, ref); err != nil {
			return nil, err
		}
		ref = "FETCH_HEAD"
	} else if _, err := runGit(ctx, repo, "fetch", "--quiet", git.URL, "+refs/heads/*:refs/remotes/origin/*"); err != nil {
		return nil, err
	}
	got, err := runGit(ctx, repo, "rev-parse", "--verify", ref+"^{commit}")
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]string{"commit": got, "url": git.URL})
	if err != nil {
		return nil, fmt.Errorf("report commit: %w", err)
	}
	return []byte(got), out.Report(tasks.Fact{Kind: "git_snapshot", Data: data})
}

// export writes a commit's files to a folder, all at once.
func export(ctx context.Context, base, commit, dir string) error {
	tmp, err := os.MkdirTemp(base, ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone already if all went well
	if _, err := runGit(ctx, filepath.Join(base, "repo"), "--work-tree="+tmp, "checkout", "--force", "--quiet", commit, "--", "."); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

func runGit(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
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

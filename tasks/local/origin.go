package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// codeFact is where the code of a run comes from.
type codeFact struct {
	Dir string     `json:"dir"`
	Git *gitOrigin `json:"git"` // null: the folder is in no repository, or git cannot say
	Job jobOrigin  `json:"job"`
}

type gitOrigin struct {
	Remote  string   `json:"remote,omitempty"` // of origin, without a name or password in it
	Commit  string   `json:"commit,omitempty"` // empty: there is none yet
	Branch  string   `json:"branch,omitempty"` // empty: none is checked out
	Dirty   []string `json:"dirty"`            // files of the job's folder that differ from the commit, or are not in it
	LeftOut int      `json:"left_out,omitempty"`
}

type jobOrigin struct {
	File     string `json:"file,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // of the file
	Settings string `json:"settings_sha256,omitempty"`
}

// maxDirty is how many changed files are named.
const maxDirty = 50

// Origin tells where a run's code comes from: the commit and what differs from
// it, the job file, the settings. What cannot be found out in time is a gap.
func Origin(ctx context.Context, code tasks.Code, job *jobspec.Job) []tasks.Fact {
	fact := codeFact{Dir: code.Dir, Job: jobOrigin{File: code.File}}
	if job != nil {
		sum := sha256.Sum256(job.Source)
		fact.Job.Settings = hex.EncodeToString(sum[:])
	}
	if code.File != "" {
		if text, err := os.ReadFile(code.File); err == nil {
			sum := sha256.Sum256(text)
			fact.Job.SHA256 = hex.EncodeToString(sum[:])
		}
	}
	var facts []tasks.Fact
	if inRepository(code.Dir) {
		git, err := askGit(ctx, code.Dir)
		fact.Git = git
		if err != nil {
			detail := err.Error()
			if ctx.Err() != nil {
				detail = "git did not answer in time"
			}
			if data, err := json.Marshal(map[string]string{"what": "git", "detail": detail}); err == nil {
				facts = append(facts, tasks.Fact{Kind: "gap", Data: data})
			}
		}
	}
	data, err := json.Marshal(fact)
	if err != nil {
		return facts
	}
	return append([]tasks.Fact{{Kind: "code", Data: data}}, facts...)
}

// inRepository saves asking git where there is nothing to ask.
func inRepository(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// askGit reads commit, branch and changed files in one go, and the remote
// beside it. Nothing is written: not even git's own index.
func askGit(ctx context.Context, dir string) (*gitOrigin, error) {
	remote := make(chan string, 1)
	go func() {
		address, _ := runGit(ctx, dir, "config", "--get", "remote.origin.url") // there may be none
		remote <- withoutLogin(address)
	}()
	text, err := runGit(ctx, dir, "--no-optional-locks", "status", "--porcelain=v2", "--branch", "-z", "--", ".")
	g := parseStatus(text)
	g.Remote = <-remote
	if err != nil {
		return nil, err
	}
	return g, nil
}

// parseStatus reads git's porcelain format 2, with NUL between entries.
//
// Source: git-status(1), Porcelain Format Version 2.
func parseStatus(text string) *gitOrigin {
	g := &gitOrigin{Dirty: []string{}}
	entries := strings.Split(text, "\x00")
	for i := 0; i < len(entries); i++ {
		line := entries[i]
		kind, rest, _ := strings.Cut(line, " ")
		fields := map[string]int{"1": 8, "2": 9, "u": 10, "?": 1}[kind]
		switch {
		case kind == "#":
			key, value, _ := strings.Cut(rest, " ")
			if key == "branch.oid" && value != "(initial)" {
				g.Commit = value
			}
			if key == "branch.head" && value != "(detached)" {
				g.Branch = value
			}
		case fields > 0:
			parts := strings.SplitN(line, " ", fields+1)
			g.Dirty = append(g.Dirty, parts[len(parts)-1])
			if kind == "2" {
				i++ // the name that a renamed file had
			}
		}
	}
	slices.Sort(g.Dirty)
	if n := len(g.Dirty) - maxDirty; n > 0 {
		g.Dirty, g.LeftOut = g.Dirty[:maxDirty], n
	}
	return g
}

// withoutLogin is a repository's address without what must stay secret. The
// user of an ssh address is none: it is the same for all.
func withoutLogin(address string) string {
	u, err := url.Parse(address)
	if err != nil && strings.Contains(address, "://") {
		return "" // what cannot be read may hold a password
	}
	if err != nil || u.User == nil || u.Scheme == "ssh" && !hasPassword(u) {
		return address
	}
	u.User = nil
	return u.String()
}

func hasPassword(u *url.URL) bool { _, has := u.User.Password(); return has }

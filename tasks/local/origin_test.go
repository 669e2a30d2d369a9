package local

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
)

func originOf(t *testing.T, ctx context.Context, dir string) (codeFact, []tasks.Fact) {
	facts := Origin(ctx, tasks.Code{Dir: dir, File: filepath.Join(dir, "job.json")}, &jobspec.Job{Source: json.RawMessage(`{}`)})
	require.NotEmpty(t, facts)
	require.Equal(t, "code", facts[0].Kind)
	var c codeFact
	require.NoError(t, json.Unmarshal(facts[0].Data, &c))
	return c, facts[1:]
}

func TestOrigin(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	root := t.TempDir()
	dir := filepath.Join(root, "ml")
	put := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	git := func(args ...string) string {
		out, err := runGit(t.Context(), root, append([]string{"-c", "user.name=me", "-c", "user.email=me@example.org"}, args...)...)
		require.NoError(t, err)
		return out
	}
	put("ml/job.json", "{}")
	c, gaps := originOf(t, t.Context(), dir)
	assert.Nil(t, c.Git, "no repository")
	assert.Empty(t, gaps)
	assert.Equal(t, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", c.Job.SHA256)
	assert.Equal(t, c.Job.SHA256, c.Job.Settings)

	git("init", "--quiet", "--initial-branch=work", ".")
	c, _ = originOf(t, t.Context(), dir)
	require.NotNil(t, c.Git)
	assert.Equal(t, gitOrigin{Branch: "work", Dirty: []string{"ml/"}}, *c.Git, "nothing is committed yet; a folder that git knows nothing of is told as one")

	put("ml/a b.py", "1")
	put("ml/old.py", "long enough to be found again by git, when its name is another\n")
	put("elsewhere.py", "1")
	git("add", ".")
	git("commit", "--quiet", "-m", "x")
	git("remote", "add", "origin", "https://me:secret@example.org/ml.git")
	commit := git("rev-parse", "HEAD")
	c, _ = originOf(t, t.Context(), dir)
	assert.Equal(t, gitOrigin{Remote: "https://example.org/ml.git", Commit: commit, Branch: "work", Dirty: []string{}}, *c.Git)

	put("ml/a b.py", "2")
	put("ml/new.py", "1")
	put("elsewhere.py", "2")
	git("mv", "ml/old.py", "ml/renamed.py")
	git("checkout", "--quiet", "--detach")
	c, _ = originOf(t, t.Context(), dir)
	assert.Equal(t, []string{"ml/a b.py", "ml/new.py", "ml/renamed.py"}, c.Git.Dirty, "of the job's folder only")
	assert.Empty(t, c.Git.Branch)

	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	c, gaps = originOf(t, late, dir)
	assert.Nil(t, c.Git)
	require.Len(t, gaps, 1)
	assert.JSONEq(t, `{"what":"git","detail":"git did not answer in time"}`, string(gaps[0].Data))
}

func TestWithoutLogin(t *testing.T) {
	for address, want := range map[string]string{
		"git@example.org:ml.git":               "git@example.org:ml.git",
		"ssh://git@example.org/ml.git":         "ssh://git@example.org/ml.git",
		"ssh://git:secret@example.org/ml.git":  "ssh://example.org/ml.git",
		"https://token@example.org/ml.git":     "https://example.org/ml.git",
		"https://example.org/ml.git":           "https://example.org/ml.git",
		"https://me:se%zzcret@example.org/x":   "",
		"../elsewhere":                         "../elsewhere",
		"https://me:secret@example.org:8443/x": "https://example.org:8443/x",
	} {
		assert.Equal(t, want, withoutLogin(address), address)
	}
}

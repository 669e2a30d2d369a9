package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks"
)

// Every line of a job or of a requirements file becomes lines for the
// installer in which paths are those of this machine.
func TestRequirementLines(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	for _, name := range []string{
		"dist/a-1.0-py3-none-any.whl", "dist/b-2.0-py3-none-any.whl", "proj/pyproject.toml", "lists/c.txt", "with blank/x-1.0.tar.gz", "wheels/.keep",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	volume := filepath.Join(home, "fs", "volumes", "m", "s", "v")
	require.NoError(t, os.MkdirAll(volume, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(volume, "v-1.0-py3-none-any.whl"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lists", "r.txt"), []byte("\ufeff# all\none==1 \\\n  --hash=sha256:00\n-c c.txt\n../dist/a*.whl\n\ntwo ; python_version > '3'\n${FLOWCTL_TEST_NAME}\n"), 0o600))
	t.Setenv("FLOWCTL_TEST_NAME", "three")
	t.Setenv("FLOWCTL_TEST_GONE", "")
	require.NoError(t, os.Unsetenv("FLOWCTL_TEST_GONE"))
	for line, want := range map[string]string{
		"":                            "",
		"  # a comment":               "",
		" simplejson==3.19 # pinned ": "simplejson==3.19",
		"pkg[extra]>=1,<2":            "pkg[extra]>=1,<2",
		"pkg @ https://x.invalid/p.whl#sha256=00":          "pkg @ https://x.invalid/p.whl#sha256=00",
		"git+https://x.invalid/r.git@v1":                   "git+https://x.invalid/r.git@v1",
		"https://x.invalid/p-1.0.whl":                      "https://x.invalid/p-1.0.whl",
		"--index-url=https://x.invalid/simple":             "--index-url https://x.invalid/simple",
		"-i https://x.invalid/simple":                      "-i https://x.invalid/simple",
		"--pre":                                            "--pre",
		"-f ./wheels":                                      "-f DIR/wheels",
		"--find-links https://x.invalid/wheels":            "--find-links https://x.invalid/wheels",
		"dist/*.whl":                                       "DIR/dist/a-1.0-py3-none-any.whl|DIR/dist/b-2.0-py3-none-any.whl",
		"-e ./proj":                                        "-e DIR/proj",
		"-eproj":                                           "-e DIR/proj",
		"--editable=\"proj[dev]\"":                         "--editable DIR/proj[dev]",
		"./proj[dev]":                                      "DIR/proj[dev]",
		"./with blank/x-1.0.tar.gz":                        "DIR/with blank/x-1.0.tar.gz",
		"dbfs:/Volumes/m/s/v/v-1.0-py3-none-any.whl":       "HOME/fs/volumes/m/s/v/v-1.0-py3-none-any.whl",
		"v @ file:///Volumes/m/s/v/v-1.0-py3-none-any.whl": "v @ file://HOME/fs/volumes/m/s/v/v-1.0-py3-none-any.whl",
		"-r lists/r.txt":                                   "one==1   --hash=sha256:00|-c DIR/lists/c.txt|DIR/dist/a-1.0-py3-none-any.whl|two ; python_version > '3'|three",
		"--requirement https://x.invalid/r.txt":            "-r https://x.invalid/r.txt",
		"${FLOWCTL_TEST_GONE}":                             "${FLOWCTL_TEST_GONE}",
		"Databricks_Connect>=15":                           "",
	} {
		c := &collector{a: tasks.Attempt{Code: tasks.Code{Dir: dir}, Home: home, ValuesDir: filepath.Join(home, "runs", "1", "values")}}
		c.locate = func(field, path string) (place, error) {
			return (&Options{}).locate(t.Context(), c.a, nil, field, path, "")
		}
		require.NoError(t, c.line("f", line, ""), line)
		var got []string
		for _, r := range c.python {
			got = append(got, strings.NewReplacer(dir, "DIR", home, "HOME").Replace(r.Line))
			if r.Path != "" {
				assert.Contains(t, r.Line, r.Path)
			}
		}
		assert.Equal(t, want, strings.Join(got, "|"), line)
	}
}

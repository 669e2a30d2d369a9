package workspace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/notebook"
)

// Each notebook of testdata becomes the .ipynb beside it, and that the same
// source again.
func TestConvert(t *testing.T) {
	sources, err := filepath.Glob("testdata/notebooks/*")
	require.NoError(t, err)
	found := 0
	for _, name := range sources {
		d, ok := dialectOfExt(filepath.Ext(name))
		if !ok {
			continue
		}
		found++
		t.Run(filepath.Base(name), func(t *testing.T) {
			source, err := os.ReadFile(name)
			require.NoError(t, err)
			golden := strings.TrimSuffix(name, d.ext) + ".ipynb"
			made, err := sourceToJupyter(source, d)
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(golden, made, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(made))

			language, ok := notebook.Detect(golden, made)
			require.True(t, ok)
			assert.EqualValues(t, d.language, language)
			back, err := jupyterToSource(made, d)
			require.NoError(t, err)
			assert.Equal(t, string(source), string(back))
		})
	}
	assert.Equal(t, 2, found)
}

func TestJupyterThatIsNotWhatItWas(t *testing.T) {
	for _, content := range []string{"", "{", "[]", `{"cells":null,"metadata":{},"nbformat":4}`, `{"cells":[],"metadata":{},"nbformat":3}`, `{"cells":[{"source":3}],"metadata":{},"nbformat":4}`} {
		_, err := jupyterToSource([]byte(content), dialects[0])
		requireCode(t, InvalidParameter, err)
	}
}

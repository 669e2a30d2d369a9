package notebook_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/notebook"
)

func TestInline(t *testing.T) {
	const head = "# Databricks notebook source\n"
	for name, c := range map[string]struct {
		file, text string
		want       *notebook.Environment
		err        string
	}{
		"a block": {"n.py", head + "# /// script\n# [tool.databricks.environment]\n# environment_version = \"5\"\n# dependencies = [\n#   \"a==1\", # why\n#   'b @ x',\n# ]\n# ///\nprint(1)\n",
			&notebook.Environment{Version: "5", Dependencies: []string{"a==1", "b @ x"}, Place: "n.py:2: environment"}, ""},
		"carriage returns, a byte order mark, another table": {"n.py", "\ufeff" + head + "\r\n# a comment\r\n# /// script\r\n# [tool.uv]\r\n# x = {}\r\n#\r\n# [tool.databricks.environment]\r\n# environment_version = 4\r\n# ///\r\n",
			&notebook.Environment{Version: "4", Place: "n.py:4: environment"}, ""},
		"no block":       {"n.py", head + "x = 1\n", nil, ""},
		"after code":     {"n.py", head + "x = 1\n# /// script\n# [tool.databricks.environment]\n# ///\n", nil, ""},
		"not closed":     {"n.py", head + "# /// script\n# [tool.databricks.environment]\nx = 1\n", nil, ""},
		"another tool's": {"n.py", head + "# /// script\n# dependencies = [\"a\"]\n# ///\n", nil, ""},
		"no quotes":      {"n.py", head + "# /// script\n# [tool.databricks.environment]\n# dependencies = [a]\n# ///\n", nil, "n.py:4: inline environment: a string in quotes is expected"},
		"no comma":       {"n.py", head + "# /// script\n# [tool.databricks.environment]\n# dependencies = [\"a\"\n#  \"b\"]\n# ///\n", nil, "n.py:5: inline environment: the list needs a comma"},
		"no list":        {"n.py", head + "# /// script\n# [tool.databricks.environment]\n# dependencies = \"a\"\n# ///\n", nil, "a list is expected"},
		"no end":         {"n.py", head + "# /// script\n# [tool.databricks.environment]\n# dependencies = [\"a\n# ///\n", nil, "the string has no end"},
		"unknown key":    {"n.py", head + "# /// script\n# [tool.databricks.environment]\n# dependency = []\n# ///\n", nil, `unknown key "dependency"`},
		"jupyter": {"n.ipynb", `{"cells":[],"nbformat":4,"metadata":{"application/vnd.databricks.v1+notebook":{"environmentMetadata":{"environment_version":"2","base_environment":"","dependencies":["a"]}}}}`,
			&notebook.Environment{Version: "2", Dependencies: []string{"a"}, Place: "n.ipynb: environmentMetadata"}, ""},
		"jupyter without": {"n.ipynb", `{"cells":[],"metadata":{}}`, nil, ""},
		"broken jupyter":  {"n.ipynb", `{"cells":`, nil, ""},
		"sql":             {"n.sql", "-- Databricks notebook source\n# /// script\n", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notebook.Inline("/x/"+c.file, []byte(c.text))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func FuzzInline(f *testing.F) {
	f.Add("# Databricks notebook source\n# /// script\n# [tool.databricks.environment]\n# dependencies = [\"a\", 'b']\n# ///\n")
	f.Fuzz(func(t *testing.T, text string) {
		env, err := notebook.Inline("n.py", []byte(text))
		if env != nil && err != nil {
			t.Fatal("both an environment and an error")
		}
	})
}

package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

func TestAdmits(t *testing.T) {
	for line, want := range map[string]bool{
		"dbt-databricks":                                       true,
		"dbt-databricks>=1.0.0,<2.0.0":                         true,
		"dbt-databricks >= 1.8, < 1.12 ; python_version > '3'": true,
		"dbt_databricks[x]~=1.11.0":                            true,
		"dbt-databricks==1.11.*":                               true,
		"dbt-databricks!=1.11.8":                               false,
		"dbt-databricks==1.10.1":                               false,
		"dbt-databricks>=1.12.0,<2.0.0":                        false,
		"dbt-databricks>=one":                                  false,
		"dbt-databricks @ https://x/y.whl":                     false,
	} {
		assert.Equal(t, want, admits(line, "1.11.8"), line)
	}
}

func TestDbtPackages(t *testing.T) {
	dir := t.TempDir()
	interpreter := filepath.Join(dir, "bin", "python")
	lines := func(asked ...string) string {
		var list []venv.Requirement
		for _, a := range asked {
			list = append(list, venv.Requirement{Line: a})
		}
		got := runtimePackages(cluster{}, python.Context{Kind: kindDbt}, false, interpreter, list)
		var all []string
		for _, r := range got {
			all = append(all, r.Line)
		}
		return strings.Join(all, " ")
	}
	const dbt = "dbt-databricks==1.11.8 dbt-core==1.11.8"
	const spark = "pyspark==4.1.4 delta-spark==4.4.0 pandas>=2.2,<3 numpy>=1.26,<2.4 pyarrow>=18,<22"
	assert.Equal(t, dbt+" "+spark, lines(), "the job names no dbt at all")
	assert.Equal(t, dbt+" "+spark, lines("dbt-databricks>=1.0.0,<2.0.0"))
	assert.Equal(t, spark, lines("dbt-databricks==1.9.1"), "what the job says is taken")
	assert.Equal(t, spark, lines("dbt-databricks>=1.0.0", "dbt-core<1.11"))
	assert.Equal(t, spark, lines("dbt-spark[session]"))
	assert.Empty(t, lines("dbt-duckdb"), "no Spark without need")
	t.Setenv("FLOWCTL_SPARK_ENV", "off")
	assert.Empty(t, lines())
	t.Setenv("FLOWCTL_SPARK_ENV", "")

	site := filepath.Join(dir, "lib", "python3.11", "site-packages")
	require.NoError(t, os.MkdirAll(filepath.Join(site, "pyspark"), 0o700))
	assert.Equal(t, dbt, lines())
	require.NoError(t, os.MkdirAll(filepath.Join(site, "dbt", "adapters", "databricks"), 0o700))
	assert.Empty(t, lines(), "the interpreter has a dbt of its own")
	assert.Equal(t, dbt, lines("dbt-databricks<2"))
}

package upload_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/databricks/upload"
)

// A dbt task's profiles are found from its project, and stay relative to it.
func TestDbtProfiles(t *testing.T) {
	dir := tree(t, map[string]string{
		"repo/jobs/job.json": "{}", "repo/dbt_project.yml": "name: a\n", "repo/profiles/profiles.yml": "{}\n", "shared/profiles.yml": "{}\n",
	})
	src := upload.Source{Dir: filepath.Join(dir, "repo", "jobs"), Roots: map[string]string{"/Shared/p": filepath.Join(dir, "shared")}}
	rewritten := func(profiles string) (map[string]any, []string) {
		job := json.RawMessage(`{"tasks":[{"task_key":"a","dbt_task":{"project_directory":"../","profiles_directory":"` + profiles + `","commands":["dbt run"]}}]}`)
		p, err := upload.Find(t.Context(), src, job)
		require.NoError(t, err)
		var names []string
		for _, f := range p.Files {
			names = append(names, f.Name)
		}
		out, err := p.Map("/w").Job(job)
		require.NoError(t, err)
		var got struct {
			Tasks []struct {
				Dbt map[string]any `json:"dbt_task"`
			}
		}
		require.NoError(t, json.Unmarshal(out, &got))
		return got.Tasks[0].Dbt, names
	}
	got, names := rewritten("profiles/")
	assert.Equal(t, "/w", got["project_directory"])
	assert.Equal(t, "profiles/", got["profiles_directory"])
	assert.Contains(t, names, "profiles/profiles.yml")

	got, names = rewritten("../shared")
	assert.Equal(t, "/w/repo", got["project_directory"])
	assert.Equal(t, "../shared", got["profiles_directory"])
	assert.Contains(t, names, "shared/profiles.yml", "the folder goes along")

	got, _ = rewritten("/Shared/p")
	assert.Equal(t, "/w/shared", got["profiles_directory"])

	_, err := upload.Find(t.Context(), src, json.RawMessage(`{"tasks":[{"task_key":"a","dbt_task":{"project_directory":"../","profiles_directory":"none","commands":["dbt run"]}}]}`))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "tasks[0].dbt_task.profiles_directory: there is no folder "+filepath.Join(dir, "repo", "none"))
}

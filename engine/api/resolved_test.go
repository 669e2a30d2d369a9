package api

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
)

// Every iteration shows what its references came out as, also those beyond
// the number of the job's tasks.
func TestResolvedValuesOfIterations(t *testing.T) {
	b := newBed(t)
	w := b.client(t, b.admin)
	submitted, err := w.Jobs.Submit(t.Context(), jobs.SubmitRun{Tasks: []jobs.SubmitTask{{
		TaskKey: "each",
		ForEachTask: &jobs.ForEachTask{Inputs: "[1, 2, 3]", Concurrency: 3, Task: jobs.Task{
			TaskKey:         "one",
			SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Workspace/Shared/a.py", Parameters: []string{"{{input}}"}},
		}},
	}}})
	require.NoError(t, err)
	run, err := submitted.Get()
	require.NoError(t, err)
	each, err := w.Jobs.GetRun(t.Context(), jobs.GetRunRequest{RunId: run.Tasks[0].RunId})
	require.NoError(t, err)
	require.Len(t, each.Iterations, 3)
	var seen []string
	for _, i := range each.Iterations {
		one, err := w.Jobs.GetRun(t.Context(), jobs.GetRunRequest{RunId: i.RunId, IncludeResolvedValues: true})
		require.NoError(t, err)
		require.Len(t, one.Tasks, 1)
		seen = append(seen, one.Tasks[0].ResolvedValues.SparkPythonTask.Parameters...)
	}
	require.ElementsMatch(t, []string{"1", "2", "3"}, seen)
}

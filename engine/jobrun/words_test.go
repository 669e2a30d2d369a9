package jobrun_test

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/assert"

	"flowctl/engine/jobrun"
)

// TestWords holds our words against the SDK's: every state of a run, and
// every result, code and trigger that we give, is one that clients know.
func TestWords(t *testing.T) {
	var states []jobrun.State
	for _, v := range new(jobs.RunLifecycleStateV2State).Values() {
		states = append(states, jobrun.State(v))
	}
	assert.ElementsMatch(t, states, []jobrun.State{
		jobrun.Blocked, jobrun.Queued, jobrun.Pending, jobrun.Running, jobrun.Waiting, jobrun.Terminating, jobrun.Terminated,
	})
	var results []jobrun.Result
	for _, v := range new(jobs.RunResultState).Values() {
		results = append(results, jobrun.Result(v))
	}
	assert.ElementsMatch(t, results, []jobrun.Result{
		jobrun.Success, jobrun.SuccessWithFailures, jobrun.Failed, jobrun.TimedOut, jobrun.Canceled, jobrun.MaxConcurrentRuns,
		jobrun.Excluded, jobrun.UpstreamFailed, jobrun.UpstreamCanceled, jobrun.Disabled,
	})
	var codes []jobrun.Code
	for _, v := range new(jobs.TerminationCodeCode).Values() {
		codes = append(codes, jobrun.Code(v))
	}
	for _, c := range []jobrun.Code{
		jobrun.CodeSuccess, jobrun.CodeSuccessWithFailures, jobrun.CodeUserCanceled, jobrun.CodeCanceled, jobrun.CodeSkipped, jobrun.CodeDisabled,
		jobrun.CodeInternalError, jobrun.CodeRunExecutionError, jobrun.CodeInvalidConfig, jobrun.CodeResourceNotFound, jobrun.CodeMaxConcurrent,
		jobrun.CodeQueueFull, "REPOSITORY_CHECKOUT_FAILED", "LIBRARY_INSTALLATION_ERROR",
	} {
		assert.Contains(t, codes, c)
	}
	var triggers []jobrun.TriggerType
	for _, v := range new(jobs.TriggerType).Values() {
		triggers = append(triggers, jobrun.TriggerType(v))
	}
	for _, tr := range []jobrun.TriggerType{
		jobrun.Periodic, jobrun.OneTime, jobrun.RetryTrigger, jobrun.RunJobTask, jobrun.FileArrival, jobrun.Continuous, jobrun.ContinuousRestart, jobrun.Table,
	} {
		assert.Contains(t, triggers, tr)
	}
	var kinds []jobrun.Type
	for _, v := range new(jobs.RunType).Values() {
		kinds = append(kinds, jobrun.Type(v))
	}
	assert.ElementsMatch(t, kinds, []jobrun.Type{jobrun.JobRun, jobrun.SubmitRun, jobrun.WorkflowRun})
}

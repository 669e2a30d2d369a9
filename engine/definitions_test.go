package engine_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/store"
	"flowctl/tasks/taskstest"
)

// The definition of a one-time run goes with the last of its runs, unless a
// job has it too.
func TestDefinitionsGoWithTheirRuns(t *testing.T) {
	l := newLab(t, taskstest.Success)
	other := job("", "x")
	parent := json.RawMessage(`{"name":"p","tasks":[{"task_key":"r","run_job_task":{"job_id":"child"}}]}`)
	submit := func() int64 {
		id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: parent, Siblings: map[string]json.RawMessage{"child": other}})
		require.NoError(t, err)
		l.wait(id)
		return id
	}
	first, second := submit(), submit()
	run, err := l.Engine.Run(l.ctx, first)
	require.NoError(t, err)
	own, sibling := run.Spec, run.Siblings["child"]
	child := run.Task("r").Last().ChildRun
	again, err := l.Engine.Run(l.ctx, second)
	require.NoError(t, err)
	require.Equal(t, own, again.Spec, "the same bytes are one definition")
	has := func(hash string) bool {
		err := l.store.View(func(tx *store.Tx) error {
			_, err := tx.SpecSource(hash)
			return err
		})
		if !errors.Is(err, store.ErrNotFound) {
			require.NoError(t, err)
		}
		return err == nil
	}

	require.NoError(t, l.DeleteRun(l.ctx, first))
	assert.True(t, has(own), "the second run has it")
	require.NoError(t, l.DeleteRun(l.ctx, second))
	require.NoError(t, l.DeleteRun(l.ctx, again.Task("r").Last().ChildRun))
	assert.False(t, has(own))
	assert.True(t, has(sibling), "the first run's child has it")
	require.NoError(t, l.DeleteRun(l.ctx, child))
	assert.False(t, has(sibling))

	third := submit()
	_, err = l.CreateJob(l.ctx, engine.JobRequest{Settings: other})
	require.NoError(t, err)
	run, err = l.Engine.Run(l.ctx, third)
	require.NoError(t, err)
	require.NoError(t, l.DeleteRun(l.ctx, run.Task("r").Last().ChildRun))
	require.NoError(t, l.DeleteRun(l.ctx, third))
	assert.False(t, has(own))
	assert.True(t, has(sibling), "a job's stays")
}

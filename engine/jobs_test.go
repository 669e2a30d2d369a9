package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

func TestJobChanges(t *testing.T) {
	l := newLab(t, taskstest.Success)
	id, err := l.CreateJob(l.ctx, engine.JobRequest{Creator: "ann", Settings: json.RawMessage(`{"name":"Draft","run_as":{"user_name":"svc"}}`)})
	require.NoError(t, err)
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: id})
	require.ErrorContains(t, err, "the job has no tasks")
	require.NoError(t, l.UpdateJob(l.ctx, id, engine.JobChange{Settings: json.RawMessage(`{"tasks":[{"task_key":"a"}]}`)}))
	_, _, err = l.RunNow(l.ctx, engine.RunRequest{JobID: id})
	require.ErrorContains(t, err, "the task says not what to do")
	require.ErrorContains(t, l.UpdateJob(l.ctx, id, engine.JobChange{Settings: json.RawMessage(`{"tasks":[{"task_key":"b","depends_on":[{"task_key":"b"}]}]}`)}), "waits for itself")
	require.NoError(t, l.ResetJob(l.ctx, id, engine.JobChange{Settings: job(`"name":"whole","x":{"y":[1]},`, "a")}))
	j, settings, err := l.Job(l.ctx, id)
	require.NoError(t, err)
	assert.Equal(t, "svc", j.RunAs, "stays, though the new settings do not name it")
	assert.Equal(t, "whole", j.Name)
	assert.Contains(t, string(settings), `"x":{"y":[1]}`)
	run, _, err := l.RunNow(l.ctx, engine.RunRequest{JobID: id, Creator: "bob"})
	require.NoError(t, err)
	r := l.wait(run)
	assert.Equal(t, "svc", r.RunAs)
	assert.Equal(t, "bob", r.Creator)
	require.NoError(t, l.UpdateJob(l.ctx, id, engine.JobChange{Remove: []string{"run_as"}}))
	j, _, err = l.Job(l.ctx, id)
	require.NoError(t, err)
	assert.Empty(t, j.RunAs)
	assert.ErrorContains(t, l.UpdateJob(l.ctx, 7, engine.JobChange{}), "Job 7 does not exist.")
}

func TestJobsByNameAndNamespace(t *testing.T) {
	l := newLab(t, taskstest.Success)
	create := func(ns, name string) int64 {
		id, err := l.CreateJob(l.ctx, engine.JobRequest{Namespace: ns, Settings: json.RawMessage(fmt.Sprintf(`{"name":%q}`, name))})
		require.NoError(t, err)
		return id
	}
	a1, b1, a2, other := create("", "a"), create("", "b"), create("", "A"), create("x", "a")
	list := func(f engine.JobFilter, before int64) (ids []int64) {
		require.NoError(t, l.Jobs(l.ctx, f, before, func(j store.Job, settings json.RawMessage) bool {
			assert.Contains(t, string(settings), j.Name)
			ids = append(ids, j.ID)
			return true
		}))
		return ids
	}
	assert.Equal(t, []int64{a2, b1, a1}, list(engine.JobFilter{}, 0))
	assert.Equal(t, []int64{b1, a1}, list(engine.JobFilter{}, a2))
	assert.Equal(t, []int64{other, a2, b1, a1}, list(engine.JobFilter{Everyone: true}, 0))
	assert.Equal(t, []int64{a2, a1}, list(engine.JobFilter{Name: "a"}, 0), "in any case")
	assert.Equal(t, []int64{a1}, list(engine.JobFilter{Name: "A"}, a2))
	assert.Equal(t, []int64{other}, list(engine.JobFilter{Name: "a", Namespace: "x"}, 0))
	require.NoError(t, l.UpdateJob(l.ctx, a1, engine.JobChange{Settings: json.RawMessage(`{"name":"c"}`)}))
	assert.Equal(t, []int64{a2}, list(engine.JobFilter{Name: "a"}, 0))
	assert.Equal(t, []int64{a1}, list(engine.JobFilter{Name: "c"}, 0))
	require.NoError(t, l.DeleteJob(l.ctx, a1))
	assert.Empty(t, list(engine.JobFilter{Name: "c"}, 0))
	assert.Equal(t, []int64{a2, b1}, list(engine.JobFilter{}, 0))
}

func TestCancelAll(t *testing.T) {
	l := newLab(t, func(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		return taskstest.Hang(ctx, a, out)
	})
	create := func() int64 {
		id, err := l.CreateJob(l.ctx, engine.JobRequest{Settings: job(`"queue":{"enabled":true},`, "a")})
		require.NoError(t, err)
		return id
	}
	now := func(id int64) int64 {
		run, _, err := l.RunNow(l.ctx, engine.RunRequest{JobID: id})
		require.NoError(t, err)
		return run
	}
	one, two := create(), create()
	active, queued := now(one), now(one)
	other, waits := now(two), now(two)
	require.NoError(t, l.CancelAll(l.ctx, engine.CancelFilter{JobID: one}))
	for _, id := range []int64{active, queued} {
		assert.Equal(t, jobrun.Canceled, l.wait(id).Status.Result)
	}
	require.NoError(t, l.CancelAll(l.ctx, engine.CancelFilter{Queued: true, Namespace: "elsewhere"}))
	require.NoError(t, l.CancelAll(l.ctx, engine.CancelFilter{Queued: true}))
	r := l.wait(waits)
	assert.Equal(t, jobrun.Canceled, r.Status.Result)
	assert.True(t, r.Admitted.IsZero(), "it never started")
	r, err := l.Engine.Run(l.ctx, other)
	require.NoError(t, err)
	assert.False(t, r.Status.Ended())
	require.NoError(t, l.DeleteJob(l.ctx, two))
	assert.Equal(t, jobrun.Canceled, l.wait(other).Status.Result)
}

func TestNamespacesOfRuns(t *testing.T) {
	l := newLab(t, taskstest.Success)
	ids := map[string]int64{}
	for _, ns := range []string{"", "x", "", "x"} {
		id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: job("", "a"), Token: "once", Namespace: ns})
		require.NoError(t, err)
		if ids[ns] == 0 {
			ids[ns] = id
		}
		assert.Equal(t, ids[ns], id)
		assert.Equal(t, ns, l.wait(id).Namespace)
	}
	assert.NotEqual(t, ids[""], ids["x"], "each workspace has its own tokens")
}

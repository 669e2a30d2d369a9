package engine_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/jobspec"
	"flowctl/tasks"
)

// Where a run's code comes from is kept, also when the run is over first and
// the engine is closed right then; it goes with the run.
func TestOrigin(t *testing.T) {
	ended := make(chan struct{})
	ask := func(o *engine.Options) {
		o.Origin = func(_ context.Context, code tasks.Code, job *jobspec.Job) []tasks.Fact {
			<-ended
			return []tasks.Fact{{Kind: "code", Data: json.RawMessage(`"` + code.Dir + " " + job.Name + `"`)}}
		}
	}
	run := func(context.Context, tasks.Attempt, tasks.Sink) (tasks.Result, error) {
		return tasks.Result{Outcome: tasks.Success}, nil
	}
	l := newLab(t, run, ask)
	id, err := l.Submit(l.ctx, engine.SubmitRequest{Source: job("", "a"), Code: tasks.Code{Dir: "/here"}})
	require.NoError(t, err)
	other := l.submit(job("", "a"))
	l.wait(id)
	l.wait(other)
	close(ended)
	l.close()
	l.open(run, ask)
	facts, err := l.Facts(l.ctx, id)
	require.NoError(t, err)
	require.Len(t, facts, 1)
	assert.JSONEq(t, `{"kind":"code","data":"/here j"}`, string(facts[0]))
	facts, err = l.Facts(l.ctx, other)
	require.NoError(t, err)
	assert.Empty(t, facts, "a job without a folder has no code of its own")

	require.NoError(t, l.DeleteRun(l.ctx, id))
	facts, err = l.Facts(l.ctx, id)
	require.NoError(t, err)
	assert.Empty(t, facts)
}

// An attempt that another engine takes up tells all that it has to tell
// again: what is known already is not kept twice.
func TestFactsOnce(t *testing.T) {
	said := make(chan struct{}, 2)
	tell := func(out tasks.Sink, kinds ...string) {
		for _, kind := range kinds {
			assert.NoError(t, out.Report(tasks.Fact{Kind: kind, Data: json.RawMessage(`{"n":1}`)}))
		}
	}
	l := newLab(t, func(ctx context.Context, _ tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		tell(out, "source", "wrote")
		said <- struct{}{}
		<-ctx.Done()
		return tasks.Result{}, tasks.ErrDetach
	})
	id := l.submit(job("", "a"))
	<-said
	l.close()
	l.open(func(_ context.Context, _ tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
		tell(out, "source", "wrote", "read")
		return tasks.Result{Outcome: tasks.Success}, nil
	})
	require.NoError(t, l.ResumeAll(l.ctx))
	r := l.wait(id)
	facts, err := l.Facts(l.ctx, r.Task("a").Last().RunID)
	require.NoError(t, err)
	var kinds []string
	for _, raw := range facts {
		var f tasks.Fact
		require.NoError(t, json.Unmarshal(raw, &f))
		kinds = append(kinds, f.Kind)
	}
	assert.Equal(t, []string{"source", "wrote", "read"}, kinds)
}

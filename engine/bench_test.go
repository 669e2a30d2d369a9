package engine_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks/taskstest"
)

// BenchmarkEngine runs jobs whose tasks do nothing, on a real store that
// syncs: what is left is the engine's own cost, and how many commits it took.
func BenchmarkEngine(b *testing.B) {
	chain, fan := []string{"t0"}, []string{"t0"}
	for i := 1; i < 100; i++ {
		chain = append(chain, fmt.Sprintf("t%d <- t%d", i, i-1))
	}
	for i := 1; i < 999; i++ {
		fan = append(fan, fmt.Sprintf("t%d <- t0", i))
	}
	for _, c := range []struct {
		name  string
		tasks []string
	}{{"chain of 100", chain}, {"fan of 998", fan}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := store.Open(b.TempDir(), store.Options{})
			require.NoError(b, err)
			commits := 0
			e, err := engine.StartProbed(s, engine.Options{
				Parallel: 2,
				Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
					return engine.Placement{Runner: taskstest.Func(taskstest.Success)}, nil
				},
			}, func(point string) {
				if point == "after commit" {
					commits++
				}
			})
			require.NoError(b, err)
			source := json.RawMessage(job("", c.tasks...))
			for b.Loop() {
				id, err := e.Submit(b.Context(), engine.SubmitRequest{Source: source})
				require.NoError(b, err)
				r, err := e.Wait(b.Context(), id)
				require.NoError(b, err)
				require.Equal(b, jobrun.Success, r.Status.Result)
			}
			elapsed := b.Elapsed()
			require.NoError(b, e.Close())
			require.NoError(b, s.Close())
			n := float64(b.N * len(c.tasks))
			b.ReportMetric(float64(commits)/n, "commits/task")
			b.ReportMetric(float64(elapsed.Microseconds())/n, "µs/task")
		})
	}
}

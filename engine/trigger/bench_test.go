package trigger

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks/taskstest"
)

// crowd is a daemon's heart with many scheduled jobs, on a store that syncs.
func crowd(b *testing.B, jobs int) (*engine.Engine, []int64) {
	s, err := store.Open(b.TempDir(), store.Options{})
	require.NoError(b, err)
	e, err := engine.Start(s, engine.Options{
		Parallel: 2,
		Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
			return engine.Placement{Runner: taskstest.Func(taskstest.Success)}, nil
		},
	})
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, e.Close())
		require.NoError(b, s.Close())
	})
	ids := make([]int64, jobs)
	group := make(chan struct{}, 256)
	for i := range ids {
		group <- struct{}{}
		go func() {
			defer func() { <-group }()
			ids[i], err = e.CreateJob(b.Context(), engine.JobRequest{Settings: settings(i, farAway)})
			if err != nil {
				panic(err)
			}
		}()
	}
	for range cap(group) {
		group <- struct{}{}
	}
	return e, ids
}

const farAway = "0 0 0 1 1 ? 2090"

func settings(i int, expr string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"name":"job %d",%s,%s}`, i, quartz(expr, "UTC"), oneTask))
}

// BenchmarkAllDue has ten thousand jobs due in the same second, and measures
// how long after it their runs were on disk.
func BenchmarkAllDue(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		b.StopTimer() // the distances are the result, not the time
		e, ids := crowd(b, n)
		due := time.Now().Add(15 * time.Second).Truncate(time.Second)
		u := due.UTC()
		expr := fmt.Sprintf("%d %d %d %d %d ? %d", u.Second(), u.Minute(), u.Hour(), u.Day(), u.Month(), u.Year())
		group := make(chan struct{}, 256)
		for i, id := range ids {
			group <- struct{}{}
			go func() {
				defer func() { <-group }()
				if err := e.ResetJob(b.Context(), id, engine.JobChange{Settings: settings(i, expr)}); err != nil {
					panic(err)
				}
			}()
		}
		for range cap(group) {
			group <- struct{}{}
		}
		start := time.Now()
		s, err := Start(b.Context(), e, Options{})
		require.NoError(b, err)
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/start")
		require.Less(b, time.Now(), due, "the machine is too slow for this benchmark")
		var late []time.Duration
		seen := map[int64]int{}
		for entry, err := range e.Watch(b.Context(), 0) {
			require.NoError(b, err)
			if entry.Kind != "Requested" {
				continue
			}
			seen[entry.RunID]++
			late = append(late, time.Since(due))
			if len(late) == n {
				break
			}
		}
		slices.Sort(late)
		b.ReportMetric(float64(late[n/2].Milliseconds()), "ms/median")
		b.ReportMetric(float64(late[n-1].Milliseconds()), "ms/last")
		require.Len(b, seen, n)
		s.Close()
		b.StartTimer()
	}
}

// BenchmarkEdit changes one of ten thousand scheduled jobs: until the edit is
// on disk, and until the trigger service works by it.
func BenchmarkEdit(b *testing.B) {
	e, ids := crowd(b, 10_000)
	s, err := open(b.Context(), e, Options{})
	require.NoError(b, err)
	defer s.deaf()
	settle := func() {
		<-s.watch.C()
		require.NoError(b, s.pass(b.Context()))
	}
	require.NoError(b, s.pass(b.Context()))
	b.Run("edit", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n++
			expr := fmt.Sprintf("0 %d 0 1 1 ? %d", n%60, 2050+n/60%40)
			require.NoError(b, e.ResetJob(b.Context(), ids[n%len(ids)], engine.JobChange{Settings: settings(n, expr)}))
			settle()
		}
	})
	b.Run("add and remove", func(b *testing.B) {
		for b.Loop() {
			id, err := e.CreateJob(b.Context(), engine.JobRequest{Settings: settings(-1, farAway)})
			require.NoError(b, err)
			settle()
			require.NoError(b, e.DeleteJob(b.Context(), id))
			settle()
		}
	})
}

package jobrun_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flowctl/engine/jobrun"
	"flowctl/jobspec"
)

// wide is a job of n tasks below one root, or in a chain.
func wide(b *testing.B, n int, chain bool) *jobspec.Job {
	lines := []string{`{"task_key":"t0","spark_python_task":{"python_file":"x"}}`}
	for i := 1; i < n; i++ {
		up := 0
		if chain {
			up = i - 1
		}
		lines = append(lines, fmt.Sprintf(`{"task_key":"t%d","depends_on":[{"task_key":"t%d"}],"spark_python_task":{"python_file":"x"}}`, i, up))
	}
	job, err := jobspec.Parse([]byte(`{"tasks":[` + strings.Join(lines, ",") + `]}`))
	require.NoError(b, err)
	return job
}

// BenchmarkTransitions plays whole runs through the heart: three events a
// task, without a disk.
func BenchmarkTransitions(b *testing.B) {
	for _, shape := range []struct {
		name  string
		n     int
		chain bool
	}{{"chain of 100", 100, true}, {"chain of 1000", 1000, true}, {"fan of 1000", 1000, false}} {
		job := wide(b, shape.n, shape.chain)
		b.Run(shape.name, func(b *testing.B) {
			events := 0
			for b.Loop() {
				events += playThrough(b, job)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*shape.n), "ns/task")
		})
	}
}

func playThrough(b *testing.B, job *jobspec.Job) int {
	id, now, events := int64(1), time.Unix(0, 0), 0
	r := jobrun.New(id, job, func() int64 { id++; return id })
	queue := []jobrun.Event{jobrun.Requested{At: now, Verdict: jobrun.Admit}}
	for len(queue) > 0 {
		ev := queue[0]
		queue = queue[1:]
		events++
		cmds, err := r.Apply(ev)
		if err != nil {
			b.Fatal(err)
		}
		r.Dirty()
		for _, c := range cmds {
			if s, ok := c.(jobrun.StartAttempt); ok {
				queue = append(queue, jobrun.AttemptStarted{At: now, RunID: s.RunID}, jobrun.AttemptFinished{At: now, RunID: s.RunID, Result: jobrun.Success})
			}
		}
	}
	if r.Status.Result != jobrun.Success {
		b.Fatal(r.Status)
	}
	return events
}

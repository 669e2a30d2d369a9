package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flowctl/engine"
)

// BenchmarkLists asks for pages of a long history: 100,000 runs of 1,000 jobs.
// A page at its end must cost what one at its start does.
func BenchmarkLists(b *testing.B) {
	const runs, jobs = 100_000, 1_000
	bed := newBed(b)
	ctx := b.Context()
	ids := make([]int64, jobs)
	for i := range ids {
		id, err := bed.server.Engine.CreateJob(ctx, engine.JobRequest{
			Creator: annName, Settings: fmt.Appendf(nil, `{"name":"job %d","max_concurrent_runs":1000,"tasks":[{"task_key":"a","condition_task":{"op":"EQUAL_TO","left":"1","right":"1"}}]}`, i),
		})
		require.NoError(b, err)
		ids[i] = id
	}
	var group sync.WaitGroup
	for w := range 64 {
		group.Go(func() {
			for i := w; i < runs; i += 64 {
				if _, _, err := bed.server.Engine.RunNow(ctx, engine.RunRequest{JobID: ids[i%jobs], Creator: annName}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	oldest := strconv.FormatInt(ids[jobs-1]+64, 10)
	for name, path := range map[string]string{
		"runs/list first page":  "/api/2.2/jobs/runs/list?limit=25",
		"runs/list last page":   "/api/2.2/jobs/runs/list?limit=25&page_token=" + oldest,
		"runs/list of a job":    fmt.Sprintf("/api/2.2/jobs/runs/list?limit=25&job_id=%d", ids[0]),
		"runs/list active":      "/api/2.2/jobs/runs/list?active_only=true",
		"runs/list with tasks":  "/api/2.2/jobs/runs/list?limit=25&expand_tasks=true",
		"jobs/list first page":  "/api/2.2/jobs/list?limit=100",
		"jobs/list last page":   fmt.Sprintf("/api/2.2/jobs/list?limit=100&page_token=%d", ids[100]),
		"jobs/list by name":     "/api/2.2/jobs/list?name=job+7",
		"jobs/get":              fmt.Sprintf("/api/2.2/jobs/get?job_id=%d", ids[7]),
		"runs/list as no admin": "bob /api/2.2/jobs/runs/list?limit=25",
		"jobs/list as no admin": "bob /api/2.2/jobs/list?limit=100",
	} {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			token := bed.admin
			if rest, ok := strings.CutPrefix(path, "bob "); ok {
				path, token = rest, bed.bob
			}
			for b.Loop() {
				resp, body := bed.do(b, token, http.MethodGet, path, nil)
				require.Equal(b, http.StatusOK, resp.StatusCode, body)
			}
		})
	}
}

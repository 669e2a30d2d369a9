package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/pipelines"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of many who start an update at once, one does; it can be stopped.
func TestOneUpdateAtOnce(t *testing.T) {
	b := newBed(t)
	w := b.client(t, b.admin)
	made, err := w.Pipelines.Create(t.Context(), pipelines.CreatePipeline{Name: "etl", Catalog: "main"})
	require.NoError(t, err)
	var started sync.WaitGroup
	answers := make([]int, 8)
	for i := range answers {
		started.Go(func() {
			resp, _ := b.do(t, b.admin, "POST", "/api/2.0/pipelines/"+made.PipelineId+"/updates", strings.NewReader(`{"full_refresh_selection":["hang"]}`))
			answers[i] = resp.StatusCode
		})
	}
	started.Wait()
	count := map[int]int{}
	for _, a := range answers {
		count[a]++
	}
	assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: 7}, count)
	list, err := w.Pipelines.ListUpdates(t.Context(), pipelines.ListUpdatesRequest{PipelineId: made.PipelineId})
	require.NoError(t, err)
	require.Len(t, list.Updates, 1)

	waiter, err := w.Pipelines.Stop(t.Context(), pipelines.StopRequest{PipelineId: made.PipelineId})
	require.NoError(t, err)
	p, err := waiter.Get()
	require.NoError(t, err)
	assert.Equal(t, pipelines.PipelineStateIdle, p.State)
	assert.Equal(t, pipelines.UpdateStateInfoStateCanceled, p.LatestUpdates[0].State)
}

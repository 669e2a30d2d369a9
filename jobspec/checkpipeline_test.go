package jobspec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
)

// A pipeline of the same bundle file is known, another key is refused with the
// nearest one, and of an id nothing is known here.
func TestPipelineOfTheFile(t *testing.T) {
	for id, want := range map[string]string{
		"${resources.pipelines.orders.id}": "",
		"${resources.pipelines.order.id}":  `no pipeline "order" in this file; did you mean "orders"?`,
		"0a1b":                             "",
	} {
		doc, err := jobspec.Read("b.yml", []byte("resources:\n  pipelines:\n    orders: {name: o}\n  jobs:\n    j:\n      tasks:\n"+
			"      - {task_key: p, pipeline_task: {pipeline_id: \""+id+"\"}}\n"))
		require.NoError(t, err)
		require.Contains(t, doc.Jobs[0].Pipelines, "orders")
		var got string
		for _, p := range doc.Check(jobspec.CheckOptions{LocalKinds: []jobspec.Type{jobspec.PipelineTask}}) {
			got += p.Message
		}
		assert.Equal(t, want, got, id)
	}
}

package deploy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/deploy"
)

func TestDiff(t *testing.T) {
	tests := []struct {
		name, have, want string
		changes          []string
	}{
		{name: "the same", have: `{"name":"a","tasks":[{"task_key":"x"}]}`, want: `{"tasks":[{"task_key":"x"}],"name":"a"}`},
		{
			name: "order of named elements, zeroes and what a workspace fills in",
			have: `{"format":"MULTI_TASK","timeout_seconds":0,"email_notifications":{},"tasks":[{"task_key":"b","run_if":"ALL_SUCCESS","depends_on":[{"task_key":"x"},{"task_key":"a"}],"notebook_task":{"notebook_path":"/n","source":"WORKSPACE"}},{"task_key":"a","new_cluster":{"num_workers":1,"aws_attributes":{"zone_id":"z"}}}],"schedule":{"quartz_cron_expression":"0 0 5 * * ?","pause_status":"UNPAUSED"},"max_concurrent_runs":1}`,
			want: `{"tasks":[{"task_key":"a","new_cluster":{"num_workers":1}},{"task_key":"b","depends_on":[{"task_key":"a"},{"task_key":"x"}],"notebook_task":{"notebook_path":"/n"}}],"schedule":{"quartz_cron_expression":"0 0 5 * * ?"}}`,
		},
		{
			name: "a task comes, one goes, one changes", have: `{"tasks":[{"task_key":"a","max_retries":1},{"task_key":"b"}]}`, want: `{"tasks":[{"task_key":"a","max_retries":2},{"task_key":"c","timeout_seconds":5}]}`,
			changes: []string{`~ tasks[a].max_retries: 1 -> 2`, `- tasks[b]`, `+ tasks[c]`},
		},
		{
			name: "parameters and schedule", have: `{"parameters":[{"name":"day","default":"1"}],"schedule":{"quartz_cron_expression":"0 0 5 * * ?"}}`, want: `{"parameters":[{"name":"day","default":"2"}],"schedule":{"quartz_cron_expression":"0 0 6 * * ?","pause_status":"PAUSED"}}`,
			changes: []string{`~ parameters[day].default: "1" -> "2"`, `+ schedule.pause_status: "PAUSED"`, `~ schedule.quartz_cron_expression: "0 0 5 * * ?" -> "0 0 6 * * ?"`},
		},
		{
			name: "the order of a plain list counts", have: `{"tasks":[{"task_key":"a","spark_python_task":{"parameters":["1",""]}}]}`, want: `{"tasks":[{"task_key":"a","spark_python_task":{"parameters":["","1"]}}]}`,
			changes: []string{`~ tasks[a].spark_python_task.parameters: ["1",""] -> ["","1"]`},
		},
		{name: "paused is not unpaused", have: `{"trigger":{"pause_status":"PAUSED"}}`, want: `{"trigger":{"pause_status":"UNPAUSED"}}`, changes: []string{`~ trigger.pause_status: "PAUSED" -> "UNPAUSED"`}},
		{name: "made anew", want: `{"name":"a"}`, changes: []string{"+ the job"}},
		{name: "big numbers keep their digits", have: `{"budget":123456789012345678}`, want: `{"budget":123456789012345679}`, changes: []string{"~ budget: 123456789012345678 -> 123456789012345679"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := deploy.Diff([]byte(tt.have), []byte(tt.want))
			require.NoError(t, err)
			var got []string
			for _, c := range list {
				got = append(got, c.String())
			}
			assert.Equal(t, tt.changes, got)
		})
	}
	_, err := deploy.Diff([]byte(`{`), nil)
	assert.ErrorContains(t, err, "read job settings")
}

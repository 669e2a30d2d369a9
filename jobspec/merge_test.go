package jobspec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
)

func TestMerge(t *testing.T) {
	const old = `{"name":"etl","x_unknown":{"big":12345678901234567890},"tags":{"a":"1","b":"2"},` +
		`"tasks":[{"task_key":"a","max_retries":1},{"task_key":"b","depends_on":[{"task_key":"a"}]}],` +
		`"job_clusters":[{"job_cluster_key":"c","new_cluster":{}}],"parameters":[{"name":"day","default":"1"}]}`
	tests := []struct {
		name, changes string
		remove        []string
		want          string // "": what was
		err           string
	}{
		{name: "nothing"},
		{name: "null", changes: "null"},
		{
			name: "a field is replaced whole", changes: `{"tags":{"c":"3"},"name":"new"}`,
			want: `{"name":"new","x_unknown":{"big":12345678901234567890},"tags":{"c":"3"},"tasks":[{"task_key":"a","max_retries":1},{"task_key":"b","depends_on":[{"task_key":"a"}]}],"job_clusters":[{"job_cluster_key":"c","new_cluster":{}}],"parameters":[{"name":"day","default":"1"}]}`,
		},
		{
			name: "keyed lists merge", changes: `{"tasks":[{"task_key":"c"},{"task_key":"a","timeout_seconds":3}],"parameters":[{"name":"day","default":"2"},{"name":"to","default":""}]}`,
			want: `{"name":"etl","x_unknown":{"big":12345678901234567890},"tags":{"a":"1","b":"2"},"tasks":[{"task_key":"a","timeout_seconds":3},{"task_key":"b","depends_on":[{"task_key":"a"}]},{"task_key":"c"}],"job_clusters":[{"job_cluster_key":"c","new_cluster":{}}],"parameters":[{"name":"day","default":"2"},{"name":"to","default":""}]}`,
		},
		{
			name: "removed", remove: []string{"tags", "job_clusters/c", "tasks/b", "nothing", "tasks/nobody", "parameters", "x_unknown"},
			want: `{"name":"etl","tasks":[{"task_key":"a","max_retries":1}]}`,
		},
		{name: "not so deep", remove: []string{"tags/a"}, err: `"tags/a"`},
		{name: "no key", changes: `{"tasks":[{}]}`, err: "new_settings.tasks[0]: task_key is missing"},
		{name: "no list", changes: `{"tasks":{}}`, err: "new_settings.tasks: a list is expected"},
		{name: "no object", changes: `[]`, err: "object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := jobspec.Merge([]byte(old), []byte(tt.changes), tt.remove)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			if tt.want == "" {
				tt.want = old
			}
			assert.JSONEq(t, tt.want, string(got))
		})
	}
}

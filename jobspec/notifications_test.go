package jobspec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
)

func TestParseNotifications(t *testing.T) {
	j, err := jobspec.Parse([]byte(`{
 "email_notifications":{"on_start":["a@x"],"on_streaming_backlog_exceeded":["b@x"],"no_alert_for_skipped_runs":true},
 "webhook_notifications":{"on_failure":[{"id":"one"},{"id":"two"}],"on_duration_warning_threshold_exceeded":[{"id":"one"}]},
 "notification_settings":{"no_alert_for_skipped_runs":true,"no_alert_for_canceled_runs":true},
 "tasks":[{"task_key":"a","notebook_task":{},"email_notifications":{"on_failure":["c@x"]},"notification_settings":{"alert_on_last_attempt":true}},
  {"task_key":"b","notebook_task":{},"email_notifications":{"on_streaming_backlog_exceeded":["b@x"]},"webhook_notifications":{}},
  {"task_key":"c","notebook_task":{},"email_notifications":{"on_failure":"not a list"},"webhook_notifications":7}]}`))
	require.NoError(t, err)
	assert.Equal(t, &jobspec.Notifications{
		Email:       map[string][]string{"on_start": {"a@x"}},
		Webhook:     map[string][]string{"on_failure": {"one", "two"}, "on_duration_warning_threshold_exceeded": {"one"}},
		MuteSkipped: true, MuteCanceled: true, MuteEmailSkipped: true,
	}, j.Notify)
	assert.Equal(t, []string{"c@x"}, j.Tasks[0].Notify.Email["on_failure"])
	assert.True(t, j.Tasks[0].Notify.LastAttempt)
	assert.Nil(t, j.Tasks[1].Notify, "a streaming backlog is never told")
	assert.Nil(t, j.Tasks[2].Notify, "what has another form counts as absent")

	old, err := jobspec.Parse([]byte(`{"notebook_task":{},"email_notifications":{"on_success":["a@x"]}}`))
	require.NoError(t, err)
	assert.NotNil(t, old.Notify)
	assert.Nil(t, old.Tasks[0].Notify, "once, for the job")
}

package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/notify"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// A run of an engine tells what its job asks for, in order.
func TestEngineTells(t *testing.T) {
	seen := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			EventType string `json:"event_type"`
			Task      struct {
				Key string `json:"task_key"`
			}
		}
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		seen <- body.EventType + " " + body.Task.Key
	}))
	defer hook.Close()
	s, err := store.Open(t.TempDir(), store.Options{NoSync: true})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	set, err := workspace.Open(s, workspace.Options{NoSync: true})
	require.NoError(t, err)
	defer func() { assert.NoError(t, set.Close()) }()
	ws, err := set.Workspace("")
	require.NoError(t, err)
	ann, err := set.Local("ann@example.com")
	require.NoError(t, err)
	d, err := ws.Destinations.Create(ann, "hook", json.RawMessage(`{"generic_webhook":{"url":"`+hook.URL+`"}}`))
	require.NoError(t, err)
	box, err := notify.Start(s, notify.Options{Workspaces: set})
	require.NoError(t, err)
	defer func() { assert.NoError(t, box.Close()) }()
	fail := taskstest.Func(func(context.Context, tasks.Attempt, tasks.Sink) (tasks.Result, error) {
		return tasks.Result{Outcome: tasks.Failed, Message: "no"}, nil
	})
	e, err := engine.Start(s, engine.Options{Outbox: box, Runner: func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
		return engine.Placement{Runner: fail}, nil
	}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()

	to := `"webhook_notifications":{"on_start":[{"id":"` + d.ID + `"}],"on_failure":[{"id":"` + d.ID + `"}]}`
	_, err = e.Submit(t.Context(), engine.SubmitRequest{Creator: "ann", Source: json.RawMessage(`{"name":"j",` + to + `,
 "tasks":[{"task_key":"a","spark_python_task":{"python_file":"x.py"},` + to + `}]}`)})
	require.NoError(t, err)
	got := []string{<-seen, <-seen, <-seen}
	assert.Equal(t, []string{"jobs.on_start ", "jobs.on_failure a", "jobs.on_failure "}, got)
}

package workspace

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDestinations(t *testing.T) {
	b := newBed(t)
	made, err := b.Destinations.Create(b.admin, "ops", json.RawMessage(`{"generic_webhook":{"url":"https://ops.example.com/hook-4711","username":"u","password":"s3cret-9"}}`))
	require.NoError(t, err)
	assert.Equal(t, WebhookDestination, made.Type)

	changed, err := b.Destinations.Update(b.admin, made.ID, "", json.RawMessage(`{"generic_webhook":{"url":"http://127.0.0.1:9/x","username":""}}`))
	require.NoError(t, err)
	assert.Equal(t, "ops", changed.Name)
	got, err := b.Destinations.Resolve(made.ID)
	require.NoError(t, err)
	assert.Equal(t, &WebhookConfig{URL: "http://127.0.0.1:9/x", Password: "s3cret-9"}, got.Config.Webhook, "what the change did not name stays")

	seen, err := b.Destinations.Get(b.bob, made.ID)
	require.NoError(t, err)
	assert.Equal(t, Destination{ID: made.ID, Name: "ops", Type: WebhookDestination}, seen, "who is no admin sees no configuration")
	for i := range 5 {
		_, err = b.Destinations.Create(b.admin, "more", json.RawMessage(`{"slack":{"url":"https://hooks.example.com/`+string(rune('a'+i))+`"}}`))
		require.NoError(t, err)
	}
	var ids []string
	for after, more := "", true; more; {
		var page []Destination
		page, more, err = b.Destinations.List(after, 4)
		require.NoError(t, err)
		for _, d := range page {
			ids = append(ids, d.ID)
		}
		after = ids[len(ids)-1]
	}
	assert.Len(t, ids, 6)
	assert.IsIncreasing(t, ids)

	raw, err := os.ReadFile(filepath.Join(b.store.Home(), "flowctl.db"))
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "s3cret-9", "a copy of the store alone tells nothing")
	assert.NotContains(t, string(raw), "hook-4711")

	require.NoError(t, b.Destinations.Delete(b.admin, made.ID))
	_, err = b.Destinations.Resolve(made.ID)
	requireCode(t, DoesNotExist, err)
	requireCode(t, DoesNotExist, b.Destinations.Delete(b.admin, made.ID))
}

func TestDestinationsRefused(t *testing.T) {
	b := newBed(t)
	_, err := b.Destinations.Create(b.bob, "x", json.RawMessage(`{"slack":{"url":"https://x"}}`))
	requireCode(t, PermissionDenied, err)
	for _, config := range []string{
		``, `{}`, `null`, `7`, `{"slack":{"url":"https://x"},"email":{"addresses":["a@x"]}}`, `{"slack":{}}`, `{"slack":{"oauth_token":"t","channel_id":"c"}}`,
		`{"generic_webhook":{"url":"ftp://x"}}`, `{"generic_webhook":{"url":"https:///x"}}`, `{"generic_webhook":{"url":":"}}`, `{"microsoft_teams":{"url":"x"}}`,
		`{"email":{"addresses":[]}}`, `{"email":{"addresses":["a@x","no\r\nBcc: c@x"]}}`, `{"pagerduty":{}}`, `{"email":"a@x"}`,
	} {
		_, err := b.Destinations.Create(b.admin, "x", json.RawMessage(config))
		requireCode(t, InvalidParameter, err)
	}
	_, err = b.Destinations.Create(b.admin, "", json.RawMessage(`{"slack":{"url":"https://x"}}`))
	requireCode(t, InvalidParameter, err)
	made, err := b.Destinations.Create(b.admin, "x", json.RawMessage(`{"email":{"addresses":["a@example.com"]}}`))
	require.NoError(t, err)
	_, err = b.Destinations.Update(b.admin, made.ID, "", json.RawMessage(`{"slack":{"url":"https://x"}}`))
	requireCode(t, InvalidParameter, err)
	_, err = b.Destinations.Update(b.admin, made.ID, "", json.RawMessage(`{"email":null,"slack":{"url":"https://x"}}`))
	requireCode(t, InvalidParameter, err)
	_, err = b.Destinations.Update(b.admin, "gone", "y", nil)
	requireCode(t, DoesNotExist, err)
}

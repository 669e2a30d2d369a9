package api

import (
	"context"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSDKDestinations(t *testing.T) {
	ctx := context.Background()
	w := newBed(t)
	c := w.client(t, w.admin)
	for _, config := range []settings.Config{
		{Email: &settings.EmailConfig{Addresses: []string{"ops@example.com"}}},
		{Slack: &settings.SlackConfig{Url: "https://hooks.example.com/1"}},
		{MicrosoftTeams: &settings.MicrosoftTeamsConfig{Url: "https://hooks.example.com/2"}},
		{Pagerduty: &settings.PagerdutyConfig{IntegrationKey: "k"}},
		{GenericWebhook: &settings.GenericWebhookConfig{Url: "https://hooks.example.com/3", Password: "p"}},
	} {
		made, err := c.NotificationDestinations.Create(ctx, settings.CreateNotificationDestinationRequest{DisplayName: "d", Config: &config})
		require.NoError(t, err)
		got, err := c.NotificationDestinations.GetById(ctx, made.Id)
		require.NoError(t, err)
		assert.Equal(t, made, got)
	}
	all, err := c.NotificationDestinations.ListAll(ctx, settings.ListNotificationDestinationsRequest{PageSize: 2})
	require.NoError(t, err)
	var types []string
	for _, d := range all {
		types = append(types, d.DestinationType.String())
	}
	assert.ElementsMatch(t, []string{"EMAIL", "SLACK", "MICROSOFT_TEAMS", "PAGERDUTY", "WEBHOOK"}, types)
	for _, d := range all {
		require.NoError(t, c.NotificationDestinations.DeleteById(ctx, d.Id))
	}
	require.ErrorIs(t, c.NotificationDestinations.DeleteById(ctx, all[0].Id), databricks.ErrResourceDoesNotExist)
}

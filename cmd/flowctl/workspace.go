package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/spf13/cobra"
)

// workspaceFlags let a verb act on a Databricks workspace.
func (e *env) workspaceFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&e.profile, "profile", "", "act on the workspace of this profile in ~/.databrickscfg")
	cmd.PersistentFlags().StringVar(&e.host, "host", "", "act on the workspace at this address")
}

// onWorkspace says whether the command line names a workspace.
func (e *env) onWorkspace() bool { return e.profile != "" || e.host != "" }

// openWorkspace is the way to a workspace. Who we are is for the SDK to find
// out: profiles, environment variables, the clouds' own logins.
func (e *env) openWorkspace() (*door, error) {
	cfg := &config.Config{Profile: e.profile, Host: e.host}
	c, err := client.New(cfg)
	if err != nil {
		return nil, unable(fmt.Errorf("find the workspace: %w", err))
	}
	return &door{workspace: c}, nil
}

// askWorkspace sends a request as the SDK does: with its login, and again as
// long as the workspace says that it is busy.
func (d *door) askWorkspace(ctx context.Context, method, path string, data []byte, answer any) error {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	params := map[string]any{}
	for k := range values {
		params[k] = values.Get(k)
	}
	var request any
	headers := map[string]string{"Accept": "application/json"}
	if data != nil {
		request = json.RawMessage(data)
		headers["Content-Type"] = "application/json"
	}
	var raw bytes.Buffer
	err = d.workspace.Do(ctx, method, path, headers, params, request, &raw)
	var refused *apierr.APIError
	switch {
	case errors.As(err, &refused) && refused.StatusCode < http.StatusInternalServerError:
		return &refusal{Code: refused.ErrorCode, Message: refused.Message}
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return unable(err)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(raw.Bytes(), answer); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}

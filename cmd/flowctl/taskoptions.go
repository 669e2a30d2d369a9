package main

import (
	"context"
	"encoding/json"
	"errors"

	"flowctl/engine/workspace"
	"flowctl/tasks"
	"flowctl/tasks/local"
)

// localOptions let the tasks on this machine use what their user may use of
// the workspace: its secrets and, if it is on the network, its API.
func (a *app) localOptions(python, base string) *local.Options {
	return &local.Options{
		Python: python, WorkspaceID: workspaceID,
		Secrets: func(ctx context.Context, t tasks.Attempt) (map[string]map[string]string, error) {
			w, err := a.workspaces.Workspace(t.Namespace)
			if err != nil {
				return nil, err
			}
			who, err := w.People.Identify(t.User)
			if err != nil {
				return nil, nil //nolint:nilerr // whom nobody knows has no secrets
			}
			return w.Secrets.Readable(who)
		},
		Cluster: func(_ context.Context, t tasks.Attempt, id string) (json.RawMessage, error) {
			return settingsOf(a.workspaces, t.Namespace, func(w *workspace.Workspace) (map[string]json.RawMessage, error) {
				m, err := w.Compute.Get(workspace.ClusterCompute, id)
				return m.Fields, err
			})
		},
		Pipeline: func(_ context.Context, t tasks.Attempt, id string) (json.RawMessage, error) {
			return settingsOf(a.workspaces, t.Namespace, func(w *workspace.Workspace) (map[string]json.RawMessage, error) {
				p, err := w.Pipelines.Get(id)
				return p.Fields, err
			})
		},
		Access: func(_ context.Context, t tasks.Attempt) (host, token string, err error) {
			base := base
			if a.tasks != nil {
				if base, err = a.tasks.address(); err != nil {
					return "", "", err
				}
			}
			if base == "" {
				return "", "", nil
			}
			token, err = a.workspaces.TaskToken(t.Namespace, t.User)
			if token == "" {
				return "", "", err
			}
			return base, token, err
		},
	}
}

// settingsOf are the settings of what was made through the API, as its maker
// sent them; nil: there is none.
func settingsOf(workspaces *workspace.Set, namespace string, get func(*workspace.Workspace) (map[string]json.RawMessage, error)) (json.RawMessage, error) {
	w, err := workspaces.Workspace(namespace)
	if err != nil {
		return nil, err
	}
	fields, err := get(w)
	var no *workspace.Error
	if errors.As(err, &no) && (no.Code == workspace.DoesNotExist || no.Code == workspace.InvalidParameter) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

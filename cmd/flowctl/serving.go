package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"flowctl/engine/serving"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
	"flowctl/tasks/local"
	"flowctl/tasks/model"
)

// modelRunner lets engine/serving run models by tasks/model.
type modelRunner struct{ runner model.Runner }

func (r *modelRunner) Start(ctx context.Context, m serving.Model) (serving.Instance, error) {
	i, err := r.runner.Start(ctx, model.Spec{Dir: m.Dir, Env: m.Env, Log: m.Log})
	if err != nil {
		return nil, err
	}
	return modelInstance{i}, nil
}

type modelInstance struct{ *model.Instance }

func (i modelInstance) Invoke(ctx context.Context, q serving.Request) (*serving.Answer, error) {
	ans, err := i.Instance.Invoke(ctx, q.ContentType, q.Body)
	if err != nil {
		return nil, err
	}
	return &serving.Answer{Status: ans.Status, ContentType: ans.ContentType, Body: ans.Body}, nil
}

// openServing takes up the serving endpoints of a data directory. Models is
// asked where the files of a version are.
func openServing(s *store.Store, ws *workspace.Set, models *mlflowAPI, python string, log *slog.Logger) (*serving.Endpoints, error) {
	return serving.Open(s, serving.Options{
		Runner: &modelRunner{model.Runner{Home: s.Home(), Python: python, MLflow: local.MLflow}},
		Files:  models.files,
		Expand: func(namespace, user, value string) (string, error) { return expandSecret(ws, namespace, user, value) },
		Log:    log,
	})
}

// files tells where the files of a version are on this machine.
func (m *mlflowAPI) files(ctx context.Context, name, version string) (string, error) {
	var found struct {
		Path   string `json:"path"`
		Status string `json:"status"`
	}
	if err := m.ask(ctx, "/flowctl/model", url.Values{"name": {name}, "version": {version}}, &found); err != nil {
		return "", err
	}
	if found.Status == "PENDING_REGISTRATION" {
		return "", &workspace.Error{Code: workspace.InvalidParameter, Message: fmt.Sprintf("Version %s of %s is not complete: its files are still being uploaded.", version, name)}
	}
	path := strings.TrimPrefix(found.Path, "file://")
	if !filepath.IsAbs(path) {
		return "", &workspace.Error{Code: workspace.InvalidParameter, Message: fmt.Sprintf("Version %s of %s lies at %s, which is not on this machine.", version, name, found.Path)}
	}
	return path, nil
}

// secretReference is how a variable of an endpoint names a secret. Source: the
// SDK's ServedEntityInput.
var secretReference = regexp.MustCompile(`^\{\{\s*secrets/([^/{}]+)/([^/{}]+?)\s*\}\}$`)

// expandSecret replaces a variable that names a secret by what its user reads.
func expandSecret(ws *workspace.Set, namespace, user, value string) (string, error) {
	named := secretReference.FindStringSubmatch(value)
	if named == nil {
		return value, nil
	}
	w, err := ws.Workspace(namespace)
	if err != nil {
		return "", err
	}
	who, err := w.People.Identify(user)
	if err != nil {
		return "", err
	}
	secret, err := w.Secrets.Get(who, named[1], named[2])
	return string(secret), err
}

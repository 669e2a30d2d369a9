package api

import (
	"context"
	"encoding/json"
	"net/http"

	"flowctl/engine/serving"
	"flowctl/engine/workspace"
)

// Serving endpoints: what a workspace says of them, and the requests to them.
// Source: the SDK's ServingEndpointsAPI, and MLflow's deployments client for
// databricks, which asks for invocations below /api/2.0 too.

func (s *Server) servingRoutes() map[string]http.Handler {
	const p = "/api/2.0/serving-endpoints"
	create, list := handle(s.createEndpoint), handle(s.listEndpoints)
	routes := map[string]http.Handler{
		"POST " + p: create, "POST " + p + "/{$}": create,
		"GET " + p: list, "GET " + p + "/{$}": list,
		"POST " + p + "/pt": handle(func(context.Context, body) (empty, error) {
			return empty{}, invalid("Provisioned throughput is not to be had here: foundation models are served by a workspace only.")
		}),
		"GET " + p + "/{name}":                                              s.aboutEndpoint(workspace.CanView, getEndpoint),
		"DELETE " + p + "/{name}":                                           s.aboutEndpoint(workspace.CanManage, s.deleteEndpoint),
		"PUT " + p + "/{name}/config":                                       s.aboutEndpoint(workspace.CanManage, s.updateEndpoint),
		"PATCH " + p + "/{name}/tags":                                       s.aboutEndpoint(workspace.CanManage, s.tagEndpoint),
		"GET " + p + "/{name}/served-models/{entity}/logs":                  s.aboutEndpoint(workspace.CanView, s.endpointLogs),
		"GET " + p + "/{name}/served-models/{entity}/build-logs":            s.aboutEndpoint(workspace.CanView, s.endpointLogs),
		"GET " + p + "/{name}/metrics":                                      http.HandlerFunc(s.endpointMetrics),
		"POST " + p + "/{name}/invocations":                                 http.HandlerFunc(s.invoke),
		"POST /serving-endpoints/{name}/invocations":                        http.HandlerFunc(s.invoke),
		"POST /serving-endpoints/{name}/served-models/{entity}/invocations": http.HandlerFunc(s.invoke),
	}
	// What means nothing here is kept and told again.
	for path, field := range keptPaths {
		routes[path] = s.aboutEndpoint(workspace.CanManage, s.keepField(field))
	}
	return routes
}

// keptPaths are the endpoints that set one field, by which field.
var keptPaths = map[string]string{
	"PUT /api/2.0/serving-endpoints/{name}/ai-gateway":         "ai_gateway",
	"PUT /api/2.0/serving-endpoints/{name}/rate-limits":        "rate_limits",
	"PATCH /api/2.0/serving-endpoints/{name}/notifications":    "email_notifications",
	"PATCH /api/2.0/serving-endpoints/{name}/telemetry-config": "telemetry_config",
}

// endpointVisit is a caller with an endpoint that they may use.
type endpointVisit struct {
	visit
	endpoint serving.Endpoint
	level    workspace.Level
	request  *http.Request
}

// endpoint finds the endpoint that a path names, for who has the level.
func (s *Server) endpoint(r *http.Request, want workspace.Level) (endpointVisit, error) {
	v, err := s.visit(r.Context())
	if err != nil {
		return endpointVisit{}, err
	}
	if s.Serving == nil {
		return endpointVisit{}, noServing()
	}
	ep, err := s.Serving.Get(v.Namespace, r.PathValue("name"))
	if err != nil {
		return endpointVisit{}, err
	}
	o := endpointObject(ep)
	if err := v.Permissions.Require(v.who, o, want); err != nil {
		return endpointVisit{}, err
	}
	level, err := v.Permissions.Level(v.who, o)
	return endpointVisit{visit: v, endpoint: ep, level: level, request: r}, err
}

func noServing() error {
	return &apiError{status: http.StatusNotImplemented, code: "NOT_IMPLEMENTED", message: "Nothing serves models here: start flowctl daemon."}
}

func endpointObject(ep serving.Endpoint) workspace.Object {
	return workspace.Object{Type: workspace.ServingType, ID: ep.ID, Owner: ep.Creator}
}

// aboutEndpoint makes a handler of a function about the endpoint that a path
// names. What it returns is written as JSON.
func (s *Server) aboutEndpoint(want workspace.Level, fn func(v endpointVisit, q body) (any, error)) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := s.endpoint(r, want)
		var q body
		if err == nil && r.Method != http.MethodGet {
			err = decode(w, r, &q)
		}
		if err != nil {
			return nil, err
		}
		return fn(v, q)
	})
}

func (s *Server) createEndpoint(ctx context.Context, q endpointRequest) (wireEndpoint, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return wireEndpoint{}, err
	}
	if s.Serving == nil {
		return wireEndpoint{}, noServing()
	}
	c, err := q.Config.config()
	if err != nil {
		return wireEndpoint{}, err
	}
	ep, err := s.Serving.Create(ctx, v.Namespace, v.who.Name, serving.Endpoint{Name: q.Name, Tags: q.Tags, Kept: q.kept()}, c)
	if err != nil {
		return wireEndpoint{}, err
	}
	return endpointOf(ep, workspace.CanManage), nil
}

func (s *Server) listEndpoints(ctx context.Context, _ empty) (map[string][]wireEndpoint, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return nil, err
	}
	list := []wireEndpoint{}
	if s.Serving == nil {
		return map[string][]wireEndpoint{"endpoints": list}, nil
	}
	all, err := s.Serving.List(v.Namespace)
	if err != nil {
		return nil, err
	}
	for _, ep := range all {
		level, err := v.Permissions.Level(v.who, endpointObject(ep))
		if err != nil {
			return nil, err
		}
		if level != "" {
			list = append(list, endpointOf(ep, level))
		}
	}
	return map[string][]wireEndpoint{"endpoints": list}, nil
}

func getEndpoint(v endpointVisit, _ body) (any, error) { return endpointOf(v.endpoint, v.level), nil }

func (s *Server) deleteEndpoint(v endpointVisit, _ body) (any, error) {
	if err := s.Serving.Delete(v.Namespace, v.endpoint.Name); err != nil {
		return nil, err
	}
	return empty{}, v.Permissions.Forget(endpointObject(v.endpoint))
}

func (s *Server) updateEndpoint(v endpointVisit, q body) (any, error) {
	var req configRequest
	if err := q.read(&req); err != nil {
		return nil, err
	}
	c, err := req.config()
	if err != nil {
		return nil, err
	}
	ep, err := s.Serving.UpdateConfig(v.request.Context(), v.Namespace, v.endpoint.Name, c)
	if err != nil {
		return nil, err
	}
	return endpointOf(ep, v.level), nil
}

func (s *Server) tagEndpoint(v endpointVisit, q body) (any, error) {
	var req struct {
		Add    []serving.Tag `json:"add_tags"`
		Delete []string      `json:"delete_tags"`
	}
	if err := q.read(&req); err != nil {
		return nil, err
	}
	ep, err := s.Serving.SetTags(v.Namespace, v.endpoint.Name, req.Add, req.Delete)
	if err != nil {
		return nil, err
	}
	tags := ep.Tags
	if tags == nil {
		tags = []serving.Tag{}
	}
	return map[string][]serving.Tag{"tags": tags}, nil
}

// keepField makes a function that keeps one field of an endpoint as it came:
// the request's field of that name, or the whole request.
func (s *Server) keepField(field string) func(v endpointVisit, q body) (any, error) {
	return func(v endpointVisit, q body) (any, error) {
		var fields map[string]json.RawMessage
		if err := q.read(&fields); err != nil {
			return nil, err
		}
		value := q.raw
		if own, ok := fields[field]; ok {
			value = own
		}
		ep, err := s.Serving.Change(v.Namespace, v.endpoint.Name, func(ep *serving.Endpoint) {
			if ep.Kept == nil {
				ep.Kept = map[string]json.RawMessage{}
			}
			if len(fields) == 0 {
				delete(ep.Kept, field)
			} else {
				ep.Kept[field] = value
			}
		})
		if err != nil {
			return nil, err
		}
		if field == "ai_gateway" || field == "rate_limits" {
			return fields, nil
		}
		return endpointOf(ep, v.level), nil
	}
}

func (s *Server) endpointLogs(v endpointVisit, _ body) (any, error) {
	text, err := s.Serving.Logs(v.endpoint, v.request.PathValue("entity"))
	return map[string]string{"logs": text}, err
}

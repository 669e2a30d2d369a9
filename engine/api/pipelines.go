package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"flowctl/engine/workspace"
)

// Declarative pipelines, as bundles make them beside their jobs, and their
// updates. Source: the SDK's PipelinesAPI, and what the Databricks CLI reads.

func (s *Server) pipelineRoutes() map[string]http.Handler {
	const p = "/api/2.0/pipelines"
	return map[string]http.Handler{
		"POST " + p:                          inside(s, createPipeline),
		"GET " + p:                           handle(s.listPipelines),
		"GET " + p + "/{id}":                 s.aboutPipeline(workspace.CanView, s.getPipeline),
		"PUT " + p + "/{id}":                 s.aboutPipeline(workspace.CanManage, editPipeline),
		"DELETE " + p + "/{id}":              s.aboutPipeline(workspace.CanManage, deletePipeline),
		"POST " + p + "/{id}/updates":        s.aboutPipeline(workspace.CanRun, s.startUpdate),
		"GET " + p + "/{id}/updates":         s.aboutPipeline(workspace.CanView, s.listUpdates),
		"GET " + p + "/{id}/updates/{other}": s.aboutPipeline(workspace.CanView, s.getUpdate),
		"POST " + p + "/{id}/stop":           s.aboutPipeline(workspace.CanRun, s.stopPipeline),
		"GET " + p + "/{id}/events":          s.aboutPipeline(workspace.CanView, s.pipelineEvents),
	}
}

// pipelineCall is a request about a pipeline.
type pipelineCall struct {
	visit
	ctx    context.Context
	p      workspace.Pipeline
	update string // that the path names
	q      body
}

// aboutPipeline makes a handler of a function about the pipeline that a path
// names, for those who have a level on it.
func (s *Server) aboutPipeline(want workspace.Level, fn func(c pipelineCall) (any, error)) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := s.visit(r.Context())
		if err != nil {
			return nil, err
		}
		c := pipelineCall{visit: v, ctx: r.Context(), update: r.PathValue("other")}
		if c.p, err = v.Pipelines.Get(r.PathValue("id")); err != nil {
			return nil, err
		}
		if err := v.Permissions.Require(v.who, pipelineObject(c.p), want); err != nil {
			return nil, err
		}
		if r.Method != http.MethodDelete {
			err = decode(w, r, &c.q)
		}
		if err != nil {
			return nil, err
		}
		return fn(c)
	})
}

// pipelineObject is a pipeline as an object with permissions.
func pipelineObject(p workspace.Pipeline) workspace.Object {
	return workspace.Object{Type: workspace.PipelineType, ID: p.ID, Owner: p.Creator}
}

func pipelineFields(q body) (map[string]json.RawMessage, error) {
	fields, err := fieldsOf[map[string]json.RawMessage](q)
	if err != nil {
		return nil, invalid("A JSON object is expected: the settings of a pipeline.")
	}
	for _, f := range []string{"pipeline_id", "id", "expected_last_modified", "dry_run"} {
		delete(fields, f) // of the request, not of the pipeline
	}
	return fields, nil
}

func createPipeline(v visit, q body) (any, error) {
	fields, err := pipelineFields(q)
	if err != nil {
		return nil, err
	}
	p, err := v.Pipelines.Create(v.who, fields)
	return map[string]string{"pipeline_id": p.ID}, err
}

func editPipeline(c pipelineCall) (any, error) {
	fields, err := pipelineFields(c.q)
	if err != nil {
		return nil, err
	}
	return empty{}, c.Pipelines.Edit(c.p.ID, fields)
}

// deletePipeline forgets a pipeline. On a workspace its tables go too, unless
// cascade is false; here they stay, for a schema of this machine is shared.
func deletePipeline(c pipelineCall) (any, error) { return empty{}, c.Pipelines.Delete(c.p.ID) }

// outsideSpec are the fields of a pipeline that are answered beside its spec.
var outsideSpec = []string{"parameters", "run_as"}

func (s *Server) getPipeline(c pipelineCall) (any, error) {
	updates, err := s.updatesOf(c)
	if err != nil {
		return nil, err
	}
	spec := maps.Clone(c.p.Fields)
	ans := s.pipelineHead(c.p, updates)
	for _, f := range outsideSpec {
		if raw, ok := spec[f]; ok {
			ans[f] = raw
			delete(spec, f)
		}
	}
	delete(spec, "allow_duplicate_names")
	if ans["spec"], err = withDefaults(c.p.ID, spec); err != nil {
		return nil, err
	}
	ans["last_modified"], ans["effective_publishing_mode"] = c.p.Modified.UnixMilli(), "DEFAULT_PUBLISHING_MODE"
	return ans, nil
}

// withDefaults adds to a spec what a workspace adds: its id and, without a
// catalog, where its tables are. Seen of the Databricks CLI's own test server.
func withDefaults(id string, spec map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	more := map[string]string{"id": id}
	if spec["catalog"] == nil && spec["storage"] == nil {
		more["storage"] = "dbfs:/pipelines/" + id
	}
	for k, v := range more {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		spec[k] = raw
	}
	return spec, nil
}

// pipelineHead is what lists tell of a pipeline.
func (s *Server) pipelineHead(p workspace.Pipeline, updates []pipelineUpdate) map[string]any {
	state, latest := "IDLE", []map[string]any{}
	for i, u := range updates {
		if i == 0 && !u.over() {
			state = "RUNNING"
		}
		latest = append(latest, map[string]any{"update_id": u.id, "state": u.state, "creation_time": u.run.Created.UTC().Format(eventTime)})
	}
	head := map[string]any{
		"pipeline_id": p.ID, "name": p.Name(), "creator_user_name": p.Creator, "run_as_user_name": p.Creator, "state": state, "health": "HEALTHY",
	}
	if len(latest) > 0 {
		head["latest_updates"] = latest
		if latest[0]["state"] == "FAILED" {
			head["health"] = "UNHEALTHY"
		}
	}
	return head
}

type pipelinesRequest struct {
	Filter string `json:"filter"`
	Max    int    `json:"max_results"`
	Token  string `json:"page_token"`
}

// listPipelines answers by pages; a page's token is its predecessor's last id.
//
// Source: the SDK's documentation of ListPipelinesRequest: filter is
// name LIKE '<pattern>', with % as the wildcard; 25 results, at most 100.
func (s *Server) listPipelines(ctx context.Context, q pipelinesRequest) (map[string]any, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return nil, err
	}
	if q.Max <= 0 {
		q.Max = 25
	}
	q.Max = min(q.Max, 100)
	like, err := nameFilter(q.Filter)
	if err != nil {
		return nil, err
	}
	all, err := v.Pipelines.List()
	if err != nil {
		return nil, err
	}
	page, statuses := map[string]any{}, []map[string]any{}
	for _, p := range all {
		if p.ID <= q.Token || !like(p.Name()) || v.Permissions.Require(v.who, pipelineObject(p), workspace.CanView) != nil {
			continue
		}
		if len(statuses) == q.Max {
			page["next_page_token"] = statuses[q.Max-1]["pipeline_id"]
			break
		}
		updates, err := s.updatesOf(pipelineCall{visit: v, ctx: ctx, p: p})
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, s.pipelineHead(p, updates))
	}
	page["statuses"] = statuses
	return page, nil
}

// nameFilter reads name LIKE 'a%b'.
func nameFilter(filter string) (func(string) bool, error) {
	words := strings.SplitN(strings.TrimSpace(filter), " ", 3)
	if filter == "" {
		return func(string) bool { return true }, nil
	}
	if len(words) != 3 || !strings.EqualFold(words[0], "name") || !strings.EqualFold(words[1], "like") && words[1] != "=" || len(words[2]) < 2 {
		return nil, invalid("filter %q: only name LIKE '<pattern>' is understood here.", filter)
	}
	parts := strings.Split(strings.Trim(words[2], `'"`), "%")
	return func(name string) bool { return matches(name, parts) }, nil
}

// matches tells whether a name consists of the parts, with anything between
// two of them.
func matches(name string, parts []string) bool {
	rest, ok := strings.CutPrefix(name, parts[0])
	last := len(parts) - 1
	if !ok || last == 0 {
		return ok && rest == ""
	}
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[last])
}

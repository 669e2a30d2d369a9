package api

import (
	"bytes"
	"encoding/json"

	"flowctl/engine/serving"
	"flowctl/engine/workspace"
)

// endpointRequest is what makes an endpoint. Source: the SDK's
// CreateServingEndpoint.
type endpointRequest struct {
	Name   string         `json:"name"`
	Config *configRequest `json:"config"`
	Tags   []serving.Tag  `json:"tags"`

	AIGateway      json.RawMessage `json:"ai_gateway"`
	BudgetPolicy   json.RawMessage `json:"budget_policy_id"`
	Description    json.RawMessage `json:"description"`
	Notifications  json.RawMessage `json:"email_notifications"`
	RouteOptimized json.RawMessage `json:"route_optimized"`
	Telemetry      json.RawMessage `json:"telemetry_config"`
}

// kept are the fields that mean nothing here.
func (q endpointRequest) kept() map[string]json.RawMessage {
	kept := map[string]json.RawMessage{}
	for name, value := range map[string]json.RawMessage{
		"ai_gateway": q.AIGateway, "budget_policy_id": q.BudgetPolicy, "description": q.Description,
		"email_notifications": q.Notifications, "route_optimized": q.RouteOptimized, "telemetry_config": q.Telemetry,
	} {
		if len(value) > 0 && string(value) != "null" {
			kept[name] = value
		}
	}
	return kept
}

// configRequest is what an endpoint is to serve, in the words of now and of
// before. Source: the SDK's EndpointCoreConfigInput.
type configRequest struct {
	Entities []servedEntity  `json:"served_entities"`
	Models   []servedModel   `json:"served_models"`
	Traffic  *trafficConfig  `json:"traffic_config"`
	Capture  json.RawMessage `json:"auto_capture_config"`
}

type servedEntity struct {
	serving.Entity
	Version versionText `json:"entity_version"`
}

// servedModel is the older form of an entity.
type servedModel struct {
	serving.Entity
	ModelName    string      `json:"model_name"`
	ModelVersion versionText `json:"model_version"`
}

// versionText is the number of a version: text, but MLflow's own store calls
// it a number, and code hands that on.
type versionText string

// UnmarshalJSON takes both.
func (v *versionText) UnmarshalJSON(raw []byte) error {
	if isNumber(string(raw)) {
		*v = versionText(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(v))
}

type trafficConfig struct {
	Routes []wireRoute `json:"routes"`
}

type wireRoute struct {
	Entity  string `json:"served_entity_name,omitempty"`
	Model   string `json:"served_model_name,omitempty"`
	Percent int    `json:"traffic_percentage"`
}

// The two words by which a route names an entity.
const (
	entityWord = "served_entity_name"
	modelWord  = "served_model_name"
)

// config reads a request; nil: there is none.
func (q *configRequest) config() (*serving.Config, error) {
	if q == nil {
		return nil, nil
	}
	if len(q.Entities) > 0 && len(q.Models) > 0 {
		return nil, invalid("config has served_entities and served_models; the second is the older name of the first, give one of them.")
	}
	c := &serving.Config{}
	for _, e := range q.Entities {
		e.EntityVersion = string(e.Version)
		c.Entities = append(c.Entities, e.Entity)
	}
	for _, m := range q.Models {
		m.EntityName, m.EntityVersion = m.ModelName, string(m.ModelVersion)
		c.Entities = append(c.Entities, m.Entity)
	}
	for i := range c.Entities {
		c.Entities[i].Error = "" // it is ours to say
	}
	if q.Traffic != nil {
		for _, r := range q.Traffic.Routes {
			route := serving.Route{Entity: r.Entity, Percent: r.Percent, Word: entityWord}
			if r.Entity == "" {
				route.Entity, route.Word = r.Model, modelWord
			}
			c.Routes = append(c.Routes, route)
		}
	}
	if len(q.Capture) > 0 && !bytes.Equal(q.Capture, []byte("null")) {
		c.Capture = q.Capture
	}
	return c, nil
}

// wireEndpoint is an endpoint as it is told: the SDK's ServingEndpointDetailed.
type wireEndpoint map[string]any

type endpointState struct {
	Ready  string `json:"ready"`
	Update string `json:"config_update"`
}

// endpointOf writes an endpoint for somebody with a level on it.
func endpointOf(ep serving.Endpoint, level workspace.Level) wireEndpoint {
	w := wireEndpoint{}
	for name, value := range ep.Kept {
		if name != "rate_limits" { // not told, as on a workspace
			w[name] = value
		}
	}
	state := endpointState{Ready: "NOT_READY", Update: "NOT_UPDATING"}
	if ep.Config != nil {
		state.Ready = "READY"
	}
	switch {
	case ep.Pending != nil:
		state.Update = "IN_PROGRESS"
	case ep.Failed != nil:
		state.Update = "UPDATE_FAILED"
	}
	w["name"], w["id"], w["creator"], w["state"], w["permission_level"] = ep.Name, ep.ID, ep.Creator, state, level
	w["creation_timestamp"], w["last_updated_timestamp"] = ep.Created, ep.Updated
	if len(ep.Tags) > 0 {
		w["tags"] = ep.Tags
	}
	if ep.Config != nil {
		w["config"] = configOf(ep, ep.Config, "DEPLOYMENT_READY")
	}
	switch {
	case ep.Pending != nil:
		w["pending_config"] = configOf(ep, ep.Pending, "DEPLOYMENT_CREATING")
	case ep.Failed != nil && ep.Config == nil:
		w["config"] = configOf(ep, ep.Failed, "DEPLOYMENT_ABORTED")
	case ep.Failed != nil:
		w["pending_config"] = configOf(ep, ep.Failed, "DEPLOYMENT_ABORTED")
	}
	return w
}

type wireEntity struct {
	serving.Entity
	Error   *string     `json:"error,omitempty"` // in state
	Created int64       `json:"creation_timestamp"`
	Creator string      `json:"creator"`
	State   entityState `json:"state"`
}

type wireModel struct {
	wireEntity
	EntityName    *string `json:"entity_name,omitempty"` // under its older name
	EntityVersion *string `json:"entity_version,omitempty"`
	ModelName     string  `json:"model_name"`
	ModelVersion  string  `json:"model_version"`
}

type entityState struct {
	Deployment string `json:"deployment"`
	Message    string `json:"deployment_state_message"`
}

func configOf(ep serving.Endpoint, c *serving.Config, deployment string) map[string]any {
	entities, models := []wireEntity{}, []wireModel{}
	for _, e := range c.Entities {
		w := wireEntity{Entity: e, Created: c.Start, Creator: ep.Creator, State: entityState{Deployment: deployment}}
		if e.Error != "" {
			w.State = entityState{Deployment: "DEPLOYMENT_FAILED", Message: e.Error}
		}
		entities = append(entities, w)
		models = append(models, wireModel{wireEntity: w, ModelName: e.EntityName, ModelVersion: e.EntityVersion})
	}
	traffic := trafficConfig{Routes: []wireRoute{}}
	for _, r := range c.Routes {
		w := wireRoute{Entity: r.Entity, Model: r.Entity, Percent: r.Percent}
		switch r.Word { // as it was asked for: clients compare
		case entityWord:
			w.Model = ""
		case modelWord:
			w.Entity = ""
		}
		traffic.Routes = append(traffic.Routes, w)
	}
	w := map[string]any{"served_entities": entities, "served_models": models, "traffic_config": traffic, "config_version": c.Version}
	if c.Capture != nil {
		w["auto_capture_config"] = c.Capture
	}
	if deployment == "DEPLOYMENT_CREATING" {
		w["start_time"] = c.Start
	}
	return w
}

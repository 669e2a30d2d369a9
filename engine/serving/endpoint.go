package serving

import (
	"encoding/json"
	"slices"
)

// Endpoint is what is kept of an endpoint.
type Endpoint struct {
	Name    string `json:"name"`
	ID      string `json:"id"` // 32 hexadecimal digits, by which permissions know it
	Creator string `json:"creator"`
	Created int64  `json:"created"` // milliseconds since 1970
	Updated int64  `json:"updated"` // milliseconds since 1970
	// Config is what answers; nil: nothing yet.
	Config *Config `json:"config,omitempty"`
	// Pending is what is being brought up, to take Config's place.
	Pending *Config `json:"pending,omitempty"`
	// Failed is the configuration that could not be brought up last; nil: the
	// last one could.
	Failed *Config `json:"failed,omitempty"`
	Tags   []Tag   `json:"tags,omitempty"`
	// Kept are fields of the endpoint that mean nothing here, as they came.
	Kept map[string]json.RawMessage `json:"kept,omitempty"`
}

// Tag is a label of an endpoint.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// Config is what an endpoint serves.
type Config struct {
	Version  int64           `json:"version"` // counts the endpoint's configurations from 1
	Entities []Entity        `json:"entities"`
	Routes   []Route         `json:"routes"`
	Capture  json.RawMessage `json:"capture,omitempty"` // auto_capture_config, as it came
	Start    int64           `json:"start"`             // when it was asked for, milliseconds since 1970
}

// Entity is a version of a model that an endpoint answers with. The fields
// are those of the SDK's ServedEntityInput; those of size mean nothing here.
type Entity struct {
	Name            string            `json:"name,omitempty"` // among the endpoint's entities
	EntityName      string            `json:"entity_name,omitempty"`
	EntityVersion   string            `json:"entity_version,omitempty"`
	EnvironmentVars map[string]string `json:"environment_vars,omitempty"`
	ExternalModel   json.RawMessage   `json:"external_model,omitempty"`
	ScaleToZero     bool              `json:"scale_to_zero_enabled,omitempty"`
	WorkloadSize    string            `json:"workload_size,omitempty"`
	WorkloadType    string            `json:"workload_type,omitempty"`
	InstanceProfile string            `json:"instance_profile_arn,omitempty"`
	MinConcurrency  int               `json:"min_provisioned_concurrency,omitempty"`
	MaxConcurrency  int               `json:"max_provisioned_concurrency,omitempty"`
	MinThroughput   int               `json:"min_provisioned_throughput,omitempty"`
	MaxThroughput   int               `json:"max_provisioned_throughput,omitempty"`
	ModelUnits      int64             `json:"provisioned_model_units,omitempty"`

	// Error is why it could not be brought up; of what an endpoint keeps, not of
	// what somebody asks for.
	Error string `json:"error,omitempty"`
}

// Route gives an entity its share of the requests.
type Route struct {
	Entity  string `json:"entity"`
	Percent int    `json:"percent"`
	Word    string `json:"word,omitempty"` // by which field the request named the entity; empty: nobody named it
}

// entity finds an entity by its name.
func (c *Config) entity(name string) (Entity, bool) {
	if c == nil {
		return Entity{}, false
	}
	i := slices.IndexFunc(c.Entities, func(e Entity) bool { return e.Name == name })
	if i < 0 {
		return Entity{}, false
	}
	return c.Entities[i], true
}

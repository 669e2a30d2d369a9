package serving

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"flowctl/engine/workspace"
)

// endpointName is what an endpoint may be called: it is a part of URLs.
var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// entityName is what a served entity may be called.
var entityName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

// number is the version of a model: digits.
var number = regexp.MustCompile(`^[0-9]{1,18}$`)

func refuse(code, format string, args ...any) error {
	return &workspace.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func checkName(name string) error {
	if !endpointName.MatchString(name) {
		return refuse(workspace.InvalidParameter, "%q is no name for a serving endpoint; it has letters, digits, - and _, 63 at most, and begins with a letter or a digit.", name)
	}
	return nil
}

// complete refuses a configuration that cannot be served here and fills in
// what need not be said: the names of entities, and the route of a single one.
func (c *Config) complete() error {
	if len(c.Entities) == 0 {
		return refuse(workspace.InvalidParameter, "config.served_entities is empty: an endpoint serves at least one version of a model.")
	}
	for i := range c.Entities {
		e := &c.Entities[i]
		if err := e.check(i); err != nil {
			return err
		}
		if e.Name == "" { // as the SDK documents the default
			e.Name = e.EntityName + "-" + e.EntityVersion
		}
		if !entityName.MatchString(e.Name) {
			return refuse(workspace.InvalidParameter, "config.served_entities[%d].name %q: letters, digits, -, _ and . are allowed, 128 at most.", i, e.Name)
		}
		if slices.ContainsFunc(c.Entities[:i], func(o Entity) bool { return o.Name == e.Name }) {
			return refuse(workspace.InvalidParameter, "config.served_entities has %q twice; give each entity a name of its own.", e.Name)
		}
	}
	return c.checkRoutes()
}

func (e *Entity) check(i int) error {
	switch {
	case len(e.ExternalModel) > 0 && string(e.ExternalModel) != "null":
		return refuse(workspace.InvalidParameter, "config.served_entities[%d].external_model: external models are not served here; serve a version of a model of this workspace's registry, or deploy the endpoint to a workspace.", i)
	case e.EntityName == "":
		return refuse(workspace.InvalidParameter, "config.served_entities[%d].entity_name is missing: it is the name of a registered model.", i)
	case strings.HasPrefix(strings.ToLower(e.EntityName), "system.ai."):
		return refuse(workspace.InvalidParameter, "config.served_entities[%d].entity_name %q: foundation models are not served here; only a workspace has them.", i, e.EntityName)
	case e.EntityVersion == "":
		return refuse(workspace.InvalidParameter, "config.served_entities[%d].entity_version is missing: it is the number of a version of %s.", i, e.EntityName)
	case !number.MatchString(e.EntityVersion):
		return refuse(workspace.InvalidParameter, "config.served_entities[%d].entity_version %q is no number; an alias or a stage is not taken, resolve it first.", i, e.EntityVersion)
	}
	return nil
}

func (c *Config) checkRoutes() error {
	if len(c.Routes) == 0 {
		if len(c.Entities) > 1 {
			return refuse(workspace.InvalidParameter, "config.traffic_config is missing: with %d served entities it must say which share of the requests each gets.", len(c.Entities))
		}
		c.Routes = []Route{{Entity: c.Entities[0].Name, Percent: 100}}
	}
	sum := 0
	for i, r := range c.Routes {
		if _, ok := c.entity(r.Entity); !ok {
			return refuse(workspace.InvalidParameter, "config.traffic_config.routes[%d] names %q, which is no served entity; there are %s.", i, r.Entity, c.names())
		}
		if slices.ContainsFunc(c.Routes[:i], func(o Route) bool { return o.Entity == r.Entity }) {
			return refuse(workspace.InvalidParameter, "config.traffic_config.routes names %q twice.", r.Entity)
		}
		if r.Percent < 0 || r.Percent > 100 {
			return refuse(workspace.InvalidParameter, "config.traffic_config.routes[%d].traffic_percentage %d is not between 0 and 100.", i, r.Percent)
		}
		sum += r.Percent
	}
	if sum != 100 {
		return refuse(workspace.InvalidParameter, "config.traffic_config: the traffic percentages add up to %d, not 100.", sum)
	}
	return nil
}

func (c *Config) names() string {
	var names []string
	for _, e := range c.Entities {
		names = append(names, e.Name)
	}
	return strings.Join(names, ", ")
}

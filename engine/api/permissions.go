package api

import (
	"context"
	"net/http"
	"strconv"

	"flowctl/engine/workspace"
)

func (s *Server) permissionRoutes() map[string]http.Handler {
	const p = "/api/2.0/permissions/"
	routes := map[string]http.Handler{}
	// The kind of an object is one name ("jobs") or two ("sql/warehouses").
	for _, path := range []string{p + "{type}/{id}", p + "{prefix}/{type}/{id}"} {
		routes["GET "+path] = s.aboutObject(getPermissions)
		routes["PUT "+path] = s.aboutObject(setPermissions)
		routes["PATCH "+path] = s.aboutObject(addPermissions)
		routes["GET "+path+"/permissionLevels"] = answering(s.permissionLevels)
	}
	return routes
}

// aboutObject makes a handler of a function about the object that a path names.
func (s *Server) aboutObject(fn func(v visit, o workspace.Object, q permissionsRequest) error) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := s.visit(r.Context())
		var o workspace.Object
		if err == nil {
			o, err = s.object(r, v)
		}
		var q permissionsRequest
		if err == nil && r.Method != http.MethodGet {
			err = decode(w, r, &q)
		}
		if err == nil {
			err = fn(v, o, q)
		}
		if err != nil {
			return nil, err
		}
		return permissionsOf(v, o)
	})
}

func objectType(r *http.Request) (workspace.ObjectType, error) {
	plural := r.PathValue("type")
	if prefix := r.PathValue("prefix"); prefix != "" {
		plural = prefix + "/" + plural
	}
	if plural == "warehouses" {
		plural = "sql/warehouses"
	}
	return workspace.TypeOf(plural)
}

// object finds the object that a path names. Jobs are the engine's, files the
// tree's, and of everything else there is what compute.go says.
func (s *Server) object(r *http.Request, v visit) (workspace.Object, error) {
	typ, err := objectType(r)
	if err != nil {
		return workspace.Object{}, err
	}
	o := workspace.Object{Type: typ, ID: r.PathValue("id")}
	switch typ.Plural {
	case "jobs":
		return s.jobObject(r.Context(), v, o.ID)
	case "experiments", "registered-models":
		return s.trackedObject(r.Context(), o)
	case "serving-endpoints":
		if s.Serving == nil {
			return o, noServing()
		}
		ep, err := s.Serving.ByID(v.Namespace, o.ID)
		return endpointObject(ep), err
	case "pipelines":
		p, err := v.Pipelines.Get(o.ID)
		return pipelineObject(p), err
	case "clusters", "instance-pools", "sql/warehouses":
		if o.ID == machineID {
			break
		}
		if kind, ok := machineKinds[typ.Plural]; ok {
			m, err := v.Compute.Get(kind, o.ID)
			o.Owner = m.Creator
			if err == nil {
				return o, nil
			}
		}
		return o, &workspace.Error{Code: workspace.DoesNotExist, Message: typ.Singular + " " + o.ID + " does not exist."}
	case "authorization":
		if o.ID != "tokens" {
			return o, invalid("authorization/%s has no permissions here; authorization/tokens has.", o.ID)
		}
	case "cluster-policies":
		return o, &workspace.Error{Code: workspace.DoesNotExist, Message: "There is no cluster policy " + o.ID + " here."}
	}
	return o, nil
}

// machineKinds are the kinds of machines that clients make.
var machineKinds = map[string]workspace.ComputeKind{"clusters": workspace.ClusterCompute, "sql/warehouses": workspace.WarehouseCompute}

// trackedObject is an experiment or a model as an object with permissions.
// They are kept and told; MLflow's store itself is open to whoever has a token.
func (s *Server) trackedObject(ctx context.Context, o workspace.Object) (workspace.Object, error) {
	if s.Tracked == nil {
		return o, &workspace.Error{Code: workspace.DoesNotExist, Message: "There is no " + o.Type.Singular + " " + o.ID + " here."}
	}
	owner, err := s.Tracked(ctx, o.Type.Plural, o.ID)
	o.Owner = owner
	return o, err
}

// jobObject is a job as an object with permissions: its maker owns it until
// somebody else is made its owner.
func (s *Server) jobObject(ctx context.Context, v visit, id string) (workspace.Object, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return workspace.Object{}, invalid("%q is not the id of a job.", id)
	}
	job, _, err := s.jobIn(ctx, v, n)
	if isRefusal(err, "INVALID_PARAMETER_VALUE") {
		// jobs/get says this with 400, which clients know of that call only.
		err = &workspace.Error{Code: workspace.DoesNotExist, Message: err.Error(), Err: err}
	}
	return jobAs(n, job.Creator), err
}

// wireGrant is an element of access_control_list, in both directions. Source:
// the SDK's AccessControlRequest and AccessControlResponse.
type wireGrant struct {
	User        string           `json:"user_name,omitempty"`
	Group       string           `json:"group_name,omitempty"`
	Principal   string           `json:"service_principal_name,omitempty"`
	DisplayName string           `json:"display_name,omitempty"`
	Level       string           `json:"permission_level,omitempty"`
	All         []wirePermission `json:"all_permissions,omitempty"`
}

type wirePermission struct {
	Inherited     bool     `json:"inherited"`
	InheritedFrom []string `json:"inherited_from_object,omitempty"`
	Level         string   `json:"permission_level"`
}

type permissionsRequest struct {
	List []wireGrant `json:"access_control_list"`
}

func (q permissionsRequest) grants() []workspace.Grant {
	var out []workspace.Grant
	for _, g := range q.List {
		out = append(out, workspace.Grant{User: g.User, Group: g.Group, ServicePrincipal: g.Principal, Level: workspace.Level(g.Level)})
	}
	return out
}

type permissionsAnswer struct {
	ObjectID   string      `json:"object_id"`
	ObjectType string      `json:"object_type"`
	List       []wireGrant `json:"access_control_list"`
}

func getPermissions(visit, workspace.Object, permissionsRequest) error { return nil }

func setPermissions(v visit, o workspace.Object, q permissionsRequest) error {
	return v.Permissions.Set(v.who, o, q.grants())
}

func addPermissions(v visit, o workspace.Object, q permissionsRequest) error {
	return v.Permissions.Add(v.who, o, q.grants())
}

func permissionsOf(v visit, o workspace.Object) (permissionsAnswer, error) {
	ans := permissionsAnswer{ObjectID: "/" + o.Type.Plural + "/" + o.ID, ObjectType: o.Type.Singular, List: []wireGrant{}}
	list, err := v.Permissions.Get(v.who, o)
	for _, a := range list {
		g := wireGrant{User: a.User, Group: a.Group, Principal: a.ServicePrincipal, DisplayName: a.User + a.ServicePrincipal}
		for _, p := range a.Permissions {
			w := wirePermission{Level: string(p.Level)}
			if p.InheritedFrom != "" {
				w.Inherited, w.InheritedFrom = true, []string{p.InheritedFrom}
			}
			g.All = append(g.All, w)
		}
		ans.List = append(ans.List, g)
	}
	return ans, err
}

type wireLevel struct {
	Level       string `json:"permission_level"`
	Description string `json:"description"`
}

func (s *Server) permissionLevels(_ http.ResponseWriter, r *http.Request) (any, error) {
	typ, err := objectType(r)
	if err == nil {
		_, err = s.visit(r.Context())
	}
	var levels []wireLevel
	for _, l := range typ.Levels {
		levels = append(levels, wireLevel{string(l.Level), l.Description})
	}
	return map[string]any{"permission_levels": levels}, err
}

package api

import (
	"encoding/json"
	"maps"
	"net/http"

	"flowctl/engine/workspace"
)

// Clusters and warehouses that clients make, as bundles do beside their jobs.
// They are names of this machine: they answer with what they were made with.
// Source: the SDK's ClustersAPI and WarehousesAPI.

func (s *Server) machineRoutes() map[string]http.Handler {
	const w = "/api/2.0/sql/warehouses"
	routes := map[string]http.Handler{
		"POST " + w: inside(s, func(v visit, q body) (any, error) {
			m, err := makeMachine(v, workspace.WarehouseCompute, q)
			return map[string]string{"id": m.ID}, err
		}),
		"POST " + w + "/{id}/edit":  s.aboutWarehouse(editWarehouse),
		"POST " + w + "/{id}/start": s.aboutWarehouse(stopWarehouse(false)),
		"POST " + w + "/{id}/stop":  s.aboutWarehouse(stopWarehouse(true)),
		"DELETE " + w + "/{id}": s.aboutWarehouse(func(v visit, id string, _ body) error {
			return v.Compute.Delete(v.who, workspace.WarehouseCompute, id)
		}),
	}
	for _, version := range []string{"2.0", "2.1"} {
		p := "POST /api/" + version + "/clusters/"
		routes[p+"create"] = inside(s, func(v visit, q body) (any, error) {
			m, err := makeMachine(v, workspace.ClusterCompute, q)
			return map[string]string{"cluster_id": m.ID}, err
		})
		routes[p+"edit"] = aboutCluster(s, func(v visit, id string, q body) error {
			fields, err := fieldsOf[map[string]json.RawMessage](q)
			if err != nil {
				return err
			}
			delete(fields, "cluster_id")
			return v.Compute.Edit(v.who, workspace.ClusterCompute, id, fields)
		})
		routes[p+"start"], routes[p+"restart"] = stopCluster(s, false), stopCluster(s, false)
		routes[p+"delete"] = stopCluster(s, true)
		routes[p+"permanent-delete"] = aboutCluster(s, func(v visit, id string, _ body) error {
			return v.Compute.Delete(v.who, workspace.ClusterCompute, id)
		})
	}
	return routes
}

func makeMachine(v visit, k workspace.ComputeKind, q body) (workspace.Machine, error) {
	fields, err := fieldsOf[map[string]json.RawMessage](q)
	if err != nil {
		return workspace.Machine{}, err
	}
	return v.Compute.Create(v.who, k, fields)
}

// aboutCluster makes a handler of a function about the cluster that a body
// names. This machine's own can be neither changed nor stopped.
func aboutCluster(s *Server, fn func(v visit, id string, q body) error) http.Handler {
	return inside(s, func(v visit, q body) (empty, error) {
		var about clusterRequest
		if err := json.Unmarshal(q.raw, &about); err != nil {
			return empty{}, invalid("cluster_id: text is expected.")
		}
		if about.ClusterID == machineID {
			return empty{}, ownMachine()
		}
		return empty{}, fn(v, about.ClusterID, q)
	})
}

func stopCluster(s *Server, stopped bool) http.Handler {
	return aboutCluster(s, func(v visit, id string, _ body) error {
		return v.Compute.Stop(v.who, workspace.ClusterCompute, id, stopped)
	})
}

func editWarehouse(v visit, id string, q body) error {
	fields, err := fieldsOf[map[string]json.RawMessage](q)
	if err != nil {
		return err
	}
	delete(fields, "id")
	return v.Compute.Edit(v.who, workspace.WarehouseCompute, id, fields)
}

func stopWarehouse(stopped bool) func(visit, string, body) error {
	return func(v visit, id string, _ body) error {
		return v.Compute.Stop(v.who, workspace.WarehouseCompute, id, stopped)
	}
}

// aboutWarehouse makes a handler of a function about the warehouse that a path
// names.
func (s *Server) aboutWarehouse(fn func(v visit, id string, q body) error) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := s.visit(r.Context())
		q := body{raw: json.RawMessage("{}")}
		if err == nil && r.Method == http.MethodPost {
			err = decode(w, r, &q)
		}
		id := r.PathValue("id")
		switch {
		case err == nil && id == machineID:
			err = ownMachine()
		case err == nil:
			err = fn(v, id, q)
		}
		return map[string]string{"id": id}, err
	})
}

func ownMachine() error {
	return invalid("%s is the machine that flowctl runs on: it can be neither changed nor stopped; make one of your own.", machineID)
}

// wireMachine is what a cluster or warehouse was made with, and what it is.
func wireMachine(k workspace.ComputeKind, m workspace.Machine) map[string]any {
	wire := map[string]any{}
	for f, raw := range maps.All(m.Fields) {
		wire[f] = raw
	}
	state, stopped := "RUNNING", "TERMINATED"
	if k == workspace.WarehouseCompute {
		stopped = "STOPPED"
	}
	if m.Stopped {
		state = stopped
	}
	wire["state"] = state
	switch k {
	case workspace.ClusterCompute:
		wire["cluster_id"], wire["creator_user_name"], wire["cluster_source"], wire["state_message"] = m.ID, m.Creator, "API", ""
		wire["spec"] = m.Fields
	case workspace.WarehouseCompute:
		wire["id"], wire["creator_name"], wire["health"] = m.ID, m.Creator, map[string]string{"status": "HEALTHY"}
		wire["num_clusters"] = 1
		if m.Stopped {
			wire["num_clusters"] = 0
		}
	}
	return wire
}

// wireMachines are this machine's own and the ones that were made.
func wireMachines(v visit, k workspace.ComputeKind, own any) ([]any, error) {
	made, err := v.Compute.List(k)
	list := []any{own}
	for _, m := range made {
		list = append(list, wireMachine(k, m))
	}
	return list, err
}

package api

import (
	"net/http"

	"flowctl/engine/workspace"
)

// Unity Catalog, as far as jobs need it: the schemas and volumes that bundles
// make beside their jobs. Source: the SDK's SchemasAPI and VolumesAPI.

func (s *Server) catalogRoutes() map[string]http.Handler {
	const p = "/api/2.1/unity-catalog/"
	routes := map[string]http.Handler{}
	for kind, plural := range map[workspace.EntityKind]string{workspace.SchemaEntity: "schemas", workspace.VolumeEntity: "volumes"} {
		routes["POST "+p+plural] = inside(s, func(v visit, q body) (workspace.Entity, error) {
			fields, err := fieldsOf[workspace.Entity](q)
			if err != nil {
				return nil, err
			}
			return v.Catalog.Create(v.who, kind, fields)
		})
		routes["GET "+p+plural] = inside(s, func(v visit, q entitiesRequest) (map[string][]workspace.Entity, error) {
			within := []string{q.Catalog}
			if kind == workspace.VolumeEntity {
				within = append(within, q.Schema)
			}
			list, err := v.Catalog.List(kind, within...)
			return map[string][]workspace.Entity{plural: list}, err
		})
		routes["GET "+p+plural+"/{name}"] = s.aboutEntity(func(v visit, name string, _ body) (any, error) { return v.Catalog.Get(kind, name) })
		routes["PATCH "+p+plural+"/{name}"] = s.aboutEntity(func(v visit, name string, q body) (any, error) {
			fields, err := fieldsOf[workspace.Entity](q)
			if err != nil {
				return nil, err
			}
			return v.Catalog.Update(v.who, kind, name, fields)
		})
		routes["DELETE "+p+plural+"/{name}"] = s.aboutEntity(func(v visit, name string, _ body) (any, error) {
			return empty{}, v.Catalog.Delete(v.who, kind, name)
		})
	}
	return routes
}

type entitiesRequest struct {
	Catalog string `json:"catalog_name"`
	Schema  string `json:"schema_name"`
}

// aboutEntity makes a handler of a function about the entity that a path names.
func (s *Server) aboutEntity(fn func(v visit, name string, q body) (any, error)) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := s.visit(r.Context())
		var q body
		if err == nil && r.Method == http.MethodPatch {
			err = decode(w, r, &q)
		}
		if err != nil {
			return nil, err
		}
		return fn(v, r.PathValue("name"), q)
	})
}

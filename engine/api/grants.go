package api

import (
	"net/http"

	"flowctl/engine/workspace"
)

// Grants on what is in the catalog. Source: the SDK's GrantsAPI.

type grantsRequest struct {
	Changes []workspace.PrivilegeChange `json:"changes"`
}

type wireGrants struct {
	Assignments []workspace.Privileges `json:"privilege_assignments,omitempty"`
}

func (s *Server) grantRoutes() map[string]http.Handler {
	const p = " /api/2.1/unity-catalog/permissions/{kind}/{name}"
	return map[string]http.Handler{"GET" + p: answering(s.grants), "PATCH" + p: answering(s.grants)}
}

func (s *Server) grants(w http.ResponseWriter, r *http.Request) (any, error) {
	v, err := s.visit(r.Context())
	kind, name := r.PathValue("kind"), r.PathValue("name")
	var list []workspace.Privileges
	var q grantsRequest
	switch {
	case err != nil:
	case r.Method == http.MethodGet:
		list, err = v.Catalog.Grants(kind, name)
	default:
		if err = decode(w, r, &q); err == nil {
			list, err = v.Catalog.ChangeGrants(v.who, kind, name, q.Changes)
		}
	}
	shown := wireGrants{}
	for _, g := range list {
		if of := r.URL.Query().Get("principal"); of == "" || of == g.Principal {
			shown.Assignments = append(shown.Assignments, g)
		}
	}
	return shown, err
}

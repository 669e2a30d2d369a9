package api

import "net/http"

// wellKnown answers what every client asks first, without a token. The id is
// that of the workspace for all: whose token will follow is not known yet.
func (s *Server) wellKnown(w http.ResponseWriter, r *http.Request) {
	ws, err := s.Workspaces.Workspace("")
	if err != nil {
		writeError(w, err)
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"oidc_endpoint": scheme + "://" + r.Host + "/oidc",
		"workspace_id":  ws.ID,
	})
}

// Package api is the Jobs API of Databricks over an engine: one file per
// resource, wire.go for the translation between our records and the wire's
// shapes. It decides nothing about jobs and never meets the store. What a
// workspace keeps besides jobs (files, secrets, people, permissions) is
// engine/workspace's, and routes.go says where it is answered.
//
// Beside the Databricks paths there are a few under /flowctl/, for flowctl's
// own command line on the same machine: to submit a job file with the place of
// its code, to take up a run, and to follow the journal. Start reading at
// Handler.
package api

import (
	"context"
	"log/slog"
	"net/http"

	"flowctl/engine"
	"flowctl/engine/serving"
	"flowctl/engine/workspace"
)

// Server answers the Jobs API from an engine.
type Server struct {
	Engine *engine.Engine
	// Base is the address that run_page_url begins with where the client's own
	// way here is no address; empty: none is given.
	Base string
	// User is who acts when a request names nobody.
	User string
	Log  *slog.Logger

	// Workspaces are what the rest of the API is about, and say who may do what.
	Workspaces *workspace.Set
	// Serving are the endpoints of models; nil: there are none here.
	Serving *serving.Endpoints
	// Tracked finds an experiment ("experiments") or a model of the workspace's
	// registry ("registered-models") by its id and tells who made it, "" if nobody
	// knows. Nil: there are none here.
	Tracked func(ctx context.Context, kind, id string) (owner string, err error)

	// Hosts are names that this server is known by, beside localhost and bare
	// addresses. A request that names another was led here by a strange DNS.
	Hosts []string
}

// Handler is the API as the network sees it, for Guard to stand before.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	s.routes(mux)
	return s.filePaths(mux)
}

// LocalHandler is the API with what only flowctl's own processes on this
// machine may ask, for Local to stand before: it reaches files of the user.
func (s *Server) LocalHandler() http.Handler {
	mux := http.NewServeMux()
	s.routes(mux)
	mux.Handle("GET /flowctl/v1/ping", handle(s.ping))
	mux.Handle("POST /flowctl/v1/submit", handle(s.submit))
	mux.Handle("POST /flowctl/v1/resume", handle(s.resume))
	mux.HandleFunc("GET /flowctl/v1/watch", s.watch)
	mux.Handle("GET /flowctl/v1/seq", handle(s.seq))
	mux.Handle("GET /flowctl/v1/log", handle(s.log))
	mux.Handle("GET /flowctl/v1/facts", handle(s.facts))
	mux.Handle("POST /flowctl/v1/job", handle(s.keepJob))
	mux.Handle("GET /flowctl/v1/job/versions", handle(s.jobVersions))
	mux.Handle("POST /flowctl/v1/backfill", handle(s.startBackfill))
	mux.Handle("GET /flowctl/v1/backfill", handle(s.backfill))
	mux.Handle("GET /flowctl/v1/backfills", handle(s.backfills))
	mux.Handle("POST /flowctl/v1/backfill/end", handle(s.endBackfill))
	mux.Handle("POST /flowctl/v1/token", inside(s, s.makeAnyToken))
	return s.filePaths(mux)
}

func (s *Server) routes(mux *http.ServeMux) {
	for _, version := range []string{"2.0", "2.1", "2.2"} {
		for pattern, h := range s.jobRoutes(version) {
			mux.Handle(pattern, h)
		}
	}
	s.workspaceRoutes(mux)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("/", notFound)
}

// healthz answers whether the engine works. It needs no token and tells no more.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.Engine.Done():
		writeError(w, &apiError{status: http.StatusServiceUnavailable, code: "TEMPORARILY_UNAVAILABLE", message: "The engine has stopped."})
	default:
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}

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
	"log/slog"
	"net/http"

	"flowctl/engine"
	"flowctl/engine/workspace"
)

// Server answers the Jobs API from an engine.
type Server struct {
	Engine *engine.Engine
	// Base is the address that run_page_url begins with; empty: none is given.
	Base string
	// User is who acts when a request names nobody.
	User string
	Log  *slog.Logger

	// Workspaces are what the workspace's part of the API is about; nil:
	// there is none.
	Workspaces *workspace.Set
	// Hosts are names that this server is known by, beside localhost and bare
	// addresses. A request that names another was led here by a strange DNS.
	Hosts []string
}

// Handler is the whole API. Who may call it is the caller's concern: Guard
// lets in whoever has a token, Local whoever can reach it.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, v := range []string{"2.0", "2.1", "2.2"} {
		p := "/api/" + v + "/jobs/"
		mux.Handle("GET "+p+"runs/get", handle(s.runsGet))
		mux.Handle("GET "+p+"runs/list", handle(s.runsList))
		mux.Handle("GET "+p+"runs/get-output", handle(s.runsGetOutput))
		mux.Handle("POST "+p+"runs/cancel", handle(s.runsCancel))
		mux.Handle("POST "+p+"runs/delete", handle(s.runsDelete))
		mux.Handle("POST "+p+"runs/repair", handle(s.runsRepair))
	}
	mux.Handle("POST /flowctl/v1/submit", handle(s.submit))
	mux.Handle("POST /flowctl/v1/resume", handle(s.resume))
	mux.HandleFunc("GET /flowctl/v1/watch", s.watch)
	mux.Handle("GET /flowctl/v1/seq", handle(s.seq))
	mux.Handle("GET /flowctl/v1/log", handle(s.log))
	mux.HandleFunc("/", notFound)
	if s.Workspaces == nil {
		return mux
	}
	s.workspaceRoutes(mux)
	return s.filePaths(mux)
}

package api

import (
	"context"
	"net/http"
	"strings"
)

// workspaceRoutes are the endpoints about what a workspace keeps besides jobs.
func (s *Server) workspaceRoutes(mux *http.ServeMux) {
	for _, routes := range []map[string]http.Handler{
		s.scimRoutes(), s.treeRoutes(), s.dbfsRoutes(), s.secretRoutes(), s.tokenRoutes(), s.permissionRoutes(),
		s.computeRoutes(), s.machineRoutes(), s.catalogRoutes(), s.grantRoutes(), s.pipelineRoutes(), s.destinationRoutes(), s.servingRoutes(),
	} {
		for pattern, h := range routes {
			mux.Handle(pattern, h)
		}
	}
	mux.Handle("GET /.well-known/databricks-config", http.HandlerFunc(s.wellKnown))
	mux.Handle("POST /telemetry-ext", handle(telemetry))
	mux.Handle("GET /api/2.0/workspace-conf", inside(s, getConf))
	mux.Handle("PATCH /api/2.0/workspace-conf", inside(s, setConf))
}

// inside makes a function about a workspace one about whoever asks.
func inside[Req, Resp any](s *Server, fn func(v visit, q Req) (Resp, error)) http.Handler {
	return handle(func(ctx context.Context, q Req) (Resp, error) {
		v, err := s.visit(ctx)
		if err != nil {
			var none Resp
			return none, err
		}
		return fn(v, q)
	})
}

// fileHandler answers requests whose URL ends in the path of a file.
type fileHandler func(w http.ResponseWriter, r *http.Request, v visit, path string) error

// filePaths takes the requests whose URL ends in the path of a file before
// the mux sees them. The mux would redirect what is not clean, such as a
// doubled slash, where these paths are names to be checked as they came; and
// clients write some of their slashes as %2F.
func (s *Server) filePaths(mux http.Handler) http.Handler {
	type route struct {
		prefix  string
		methods map[string]fileHandler
	}
	routes := []route{
		{"/api/2.0/workspace-files/import-file/", map[string]fileHandler{http.MethodPost: importFile}},
		{"/api/2.0/workspace-files/", map[string]fileHandler{http.MethodGet: readWorkspaceFile}},
		{"/api/2.0/fs/files/", map[string]fileHandler{
			http.MethodGet: getFile, http.MethodHead: getFile, http.MethodPut: putFile, http.MethodDelete: deleteFile, http.MethodPost: initiateUpload,
		}},
		{"/api/2.0/fs/directories/", map[string]fileHandler{
			http.MethodGet: listDirectory, http.MethodHead: headDirectory, http.MethodPut: putDirectory, http.MethodDelete: deleteDirectory,
		}},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range routes {
			path, ok := strings.CutPrefix(r.URL.Path, route.prefix)
			if !ok {
				continue
			}
			h, ok := route.methods[r.Method]
			if !ok {
				notFound(w, r)
				return
			}
			v, err := s.visit(r.Context())
			if err == nil {
				err = h(w, r, v, "/"+strings.TrimPrefix(path, "/"))
			}
			if err != nil {
				writeError(w, err)
			}
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// says reads a yes or no of a query; it is no unless it says yes.
func says(r *http.Request, name string) bool {
	return strings.EqualFold(r.URL.Query().Get(name), "true")
}

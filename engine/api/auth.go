package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"flowctl/engine/workspace"
)

type identityKey struct{}

type baseKey struct{}

// baseOf is the address by which the client reached this server: what it can
// open. Over the socket it is the server's own.
func (s *Server) baseOf(ctx context.Context) string {
	if base, ok := ctx.Value(baseKey{}).(string); ok {
		return base
	}
	return s.Base
}

// withIdentity puts who is asking on a request's context.
func withIdentity(ctx context.Context, who workspace.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// caller is who is asking. False: Guard or Local did not let the request in.
func caller(ctx context.Context) (workspace.Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(workspace.Identity)
	return who, ok
}

// Caller is the name of who is asking, and the address by which they reached
// this server: for handlers of other rooms behind Guard or Local.
func Caller(ctx context.Context) (user, base string) {
	who, _ := caller(ctx)
	base, _ = ctx.Value(baseKey{}).(string)
	return who.Name, base
}

// visit is a caller in the workspace that they may see.
type visit struct {
	*workspace.Workspace
	who workspace.Identity
}

// visit opens the caller's workspace.
func (s *Server) visit(ctx context.Context) (visit, error) {
	who, ok := caller(ctx)
	if !ok {
		return visit{}, unauthenticated(noCredential)
	}
	w, err := s.Workspaces.Workspace(who.Namespace)
	return visit{w, who}, err
}

// The words of a workspace for a token that is missing.
const noCredential = "Credential was not sent or was of an unsupported type for this API."

func unauthenticated(message string) error {
	return &apiError{status: http.StatusUnauthorized, code: workspace.Unauthenticated, message: message}
}

// open are the paths that clients ask for without a token.
var open = []string{"/.well-known/databricks-config", "/healthz"}

// Guard lets requests in that carry a good bearer token. Without one only the
// paths of open are answered. What names a host that is not this server's
// comes from a page whose DNS was bent to us, and is refused.
func (s *Server) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.knows(r.Host) {
			writeError(w, &apiError{status: http.StatusForbidden, code: workspace.PermissionDenied, message: fmt.Sprintf("Host %q is not a name of this server.", r.Host)})
			return
		}
		if slices.Contains(open, r.URL.Path) && r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		who, err := s.authenticate(r)
		if err != nil && wantsPage(r) {
			noPage(w, r)
			return
		}
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeError(w, err)
			return
		}
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		r = r.WithContext(context.WithValue(r.Context(), baseKey{}, scheme+"://"+r.Host))
		s.serve(w, r, next, who)
	})
}

// Local lets every request in as an admin who owns the data directory: for
// the process itself, and a socket that only its user can open.
func (s *Server) Local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.Workspaces.Local(s.User)
		if err != nil {
			writeError(w, err)
			return
		}
		s.serve(w, r, next, who)
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, next http.Handler, who workspace.Identity) {
	ws, err := s.Workspaces.Workspace(who.Namespace)
	if err != nil {
		writeError(w, err)
		return
	}
	// Clients take the workspace's id from this header of the answer to Me;
	// a workspace sends it with every answer.
	w.Header().Set("X-Databricks-Org-Id", ws.ID)
	next.ServeHTTP(w, r.WithContext(withIdentity(r.Context(), who)))
}

// authenticate tells whose token a request carries. Nothing that a wrong
// token gets to see depends on what there is.
func (s *Server) authenticate(r *http.Request) (workspace.Identity, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(token) == "" {
		// The legacy clients may log in with the user "token" and the token as
		// their password.
		user, password, basic := r.BasicAuth()
		if !basic || user != "token" {
			return workspace.Identity{}, unauthenticated(noCredential)
		}
		token = password
	}
	return s.Workspaces.Authenticate(strings.TrimSpace(token))
}

// knows says whether a Host header names this server: a bare address, which no
// DNS can bend, localhost, or one of Hosts.
func (s *Server) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

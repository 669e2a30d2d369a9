package api

import (
	"net/http"
	"slices"
	"time"

	"flowctl/engine/workspace"
)

// Tokens: everybody has their own to make and revoke; admins manage all.

func (s *Server) tokenRoutes() map[string]http.Handler {
	const own, all = "/api/2.0/token/", "/api/2.0/token-management/"
	return map[string]http.Handler{
		"POST " + own + "create":              inside(s, s.createToken),
		"GET " + own + "list":                 inside(s, s.listTokens),
		"POST " + own + "delete":              inside(s, s.deleteToken),
		"GET " + all + "tokens":               inside(s, s.manageTokens),
		"GET " + all + "tokens/{id}":          s.aboutToken(func(t workspace.Token) (any, error) { return tokenAnswer{infoOfToken(t)}, nil }),
		"DELETE " + all + "tokens/{id}":       s.aboutToken(func(t workspace.Token) (any, error) { return empty{}, s.Workspaces.RevokeToken(t.ID) }),
		"POST " + all + "on-behalf-of/tokens": inside(s, s.createTokenFor),
	}
}

// wireToken describes a token. Source: the SDK's PublicTokenInfo and TokenInfo.
type wireToken struct {
	ID        string `json:"token_id"`
	Created   int64  `json:"creation_time"`
	Expires   int64  `json:"expiry_time"` // -1: never
	Comment   string `json:"comment"`
	CreatedBy string `json:"created_by_username,omitempty"`
	Owner     string `json:"owner_id,omitempty"`
}

func infoOfToken(t workspace.Token) wireToken {
	w := wireToken{ID: t.ID, Created: t.Created.UnixMilli(), Expires: -1, Comment: t.Comment, CreatedBy: t.User, Owner: t.UserID}
	if !t.Expires.IsZero() {
		w.Expires = t.Expires.UnixMilli()
	}
	return w
}

type createTokenRequest struct {
	Comment       string `json:"comment"`
	Lifetime      int64  `json:"lifetime_seconds"`
	ApplicationID string `json:"application_id"`
}

type createTokenAnswer struct {
	Value string    `json:"token_value"`
	Info  wireToken `json:"token_info"`
}

type tokenAnswer struct {
	Info wireToken `json:"token_info"`
}

type tokensAnswer struct {
	Infos []wireToken `json:"token_infos,omitempty"`
}

// maxLifetime keeps a lifetime within what a time.Duration can count.
const maxLifetime = 100 * 365 * 24 * 3600

func (s *Server) createToken(v visit, q createTokenRequest) (createTokenAnswer, error) {
	return s.makeToken(v, q, v.who.Name)
}

func (s *Server) makeToken(v visit, q createTokenRequest, user string) (createTokenAnswer, error) {
	if q.Lifetime < 0 || q.Lifetime > maxLifetime {
		return createTokenAnswer{}, invalid("lifetime_seconds must be between 0 and %d, not %d.", maxLifetime, q.Lifetime)
	}
	value, t, err := s.Workspaces.CreateToken(workspace.TokenRequest{
		User: user, Comment: q.Comment, Lifetime: time.Duration(q.Lifetime) * time.Second, Namespace: v.Namespace,
	})
	return createTokenAnswer{value, infoOfToken(t)}, err
}

// NewToken asks for a token for anybody; only this machine's user may.
type NewToken struct {
	User      string `json:"user,omitempty"` // empty: who asks
	Comment   string `json:"comment,omitempty"`
	Lifetime  int64  `json:"lifetime_seconds,omitempty"` // 0: it never expires
	Admin     bool   `json:"admin,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

func (s *Server) makeAnyToken(v visit, q NewToken) (createTokenAnswer, error) {
	if q.Lifetime < 0 || q.Lifetime > maxLifetime {
		return createTokenAnswer{}, invalid("lifetime_seconds must be between 0 and %d, not %d.", maxLifetime, q.Lifetime)
	}
	if q.User == "" {
		q.User = v.who.Name
	}
	value, t, err := s.Workspaces.CreateToken(workspace.TokenRequest{
		User: q.User, Comment: q.Comment, Lifetime: time.Duration(q.Lifetime) * time.Second, Admin: q.Admin, Namespace: q.Namespace,
	})
	return createTokenAnswer{value, infoOfToken(t)}, err
}

// createTokenFor makes a token for a service principal.
func (s *Server) createTokenFor(v visit, q createTokenRequest) (createTokenAnswer, error) {
	if err := v.People.RequireAdmin(v.who, "make tokens for others"); err != nil {
		return createTokenAnswer{}, err
	}
	_, ok, err := v.People.Named(workspace.ServicePrincipal, q.ApplicationID)
	if err == nil && !ok {
		err = &workspace.Error{Code: workspace.DoesNotExist, Message: "Service principal " + q.ApplicationID + " does not exist."}
	}
	if err != nil {
		return createTokenAnswer{}, err
	}
	return s.makeToken(v, q, q.ApplicationID)
}

func (s *Server) listTokens(v visit, _ empty) (tokensAnswer, error) {
	return s.tokensOf(v.Namespace, v.who.Name)
}

func (s *Server) tokensOf(namespace, user string) (tokensAnswer, error) {
	var ans tokensAnswer
	list, err := s.Workspaces.Tokens(namespace, user)
	for _, t := range list {
		ans.Infos = append(ans.Infos, infoOfToken(t))
	}
	return ans, err
}

type tokenRequest struct {
	ID            string `json:"token_id"`
	CreatedByName string `json:"created_by_username"`
	CreatedByID   string `json:"created_by_id"`
}

// deleteToken revokes one of the caller's own.
func (s *Server) deleteToken(v visit, q tokenRequest) (empty, error) {
	list, err := s.Workspaces.Tokens(v.Namespace, v.who.Name)
	if err != nil {
		return empty{}, err
	}
	if !slices.ContainsFunc(list, func(t workspace.Token) bool { return t.ID == q.ID }) {
		return empty{}, &workspace.Error{Code: workspace.DoesNotExist, Message: "Token " + q.ID + " does not exist."}
	}
	return empty{}, s.Workspaces.RevokeToken(q.ID)
}

func (s *Server) manageTokens(v visit, q tokenRequest) (tokensAnswer, error) {
	if err := v.People.RequireAdmin(v.who, "manage tokens"); err != nil {
		return tokensAnswer{}, err
	}
	ans, err := s.tokensOf(v.Namespace, "")
	ans.Infos = slices.DeleteFunc(ans.Infos, func(t wireToken) bool {
		return (q.CreatedByName != "" && q.CreatedByName != t.CreatedBy) || (q.CreatedByID != "" && q.CreatedByID != t.Owner)
	})
	return ans, err
}

// aboutToken makes a handler of a function about the token that a path names,
// for admins.
func (s *Server) aboutToken(fn func(workspace.Token) (any, error)) http.Handler {
	return answering(func(_ http.ResponseWriter, r *http.Request) (any, error) {
		v, err := s.visit(r.Context())
		if err == nil {
			err = v.People.RequireAdmin(v.who, "manage tokens")
		}
		var t workspace.Token
		if err == nil {
			t, err = s.Workspaces.Token(v.Namespace, r.PathValue("id"))
		}
		if err != nil {
			return nil, err
		}
		return fn(t)
	})
}

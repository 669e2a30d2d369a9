package api

import (
	"encoding/base64"
	"net/http"

	"flowctl/engine/workspace"
)

func (s *Server) secretRoutes() map[string]http.Handler {
	const p = "/api/2.0/secrets/"
	return map[string]http.Handler{
		"POST " + p + "scopes/create": inside(s, createScope),
		"POST " + p + "scopes/delete": inside(s, func(v visit, q secretRequest) (empty, error) {
			return empty{}, v.Secrets.DeleteScope(v.who, q.Scope)
		}),
		"GET " + p + "scopes/list": inside(s, listScopes),
		"POST " + p + "put":        inside(s, putSecret),
		"POST " + p + "delete": inside(s, func(v visit, q secretRequest) (empty, error) {
			return empty{}, v.Secrets.Delete(v.who, q.Scope, q.Key)
		}),
		"GET " + p + "list": inside(s, listSecrets),
		"GET " + p + "get":  inside(s, getSecret),
		"POST " + p + "acls/put": inside(s, func(v visit, q aclRequest) (empty, error) {
			return empty{}, v.Secrets.PutACL(v.who, q.Scope, workspace.SecretACL{Principal: q.Principal, Permission: workspace.SecretPermission(q.Permission)})
		}),
		"POST " + p + "acls/delete": inside(s, func(v visit, q aclRequest) (empty, error) {
			return empty{}, v.Secrets.DeleteACL(v.who, q.Scope, q.Principal)
		}),
		"GET " + p + "acls/get": inside(s, func(v visit, q aclRequest) (workspace.SecretACL, error) {
			return v.Secrets.ACL(v.who, q.Scope, q.Principal)
		}),
		"GET " + p + "acls/list": inside(s, func(v visit, q aclRequest) (aclsAnswer, error) {
			list, err := v.Secrets.ACLs(v.who, q.Scope)
			return aclsAnswer{list}, err
		}),
	}
}

type secretRequest struct {
	Scope       string  `json:"scope"`
	Key         string  `json:"key"`
	StringValue *string `json:"string_value"`
	BytesValue  *string `json:"bytes_value"`
}

type createScopeRequest struct {
	Scope         string `json:"scope"`
	InitialManage string `json:"initial_manage_principal"`
	Backend       string `json:"scope_backend_type"`
}

func createScope(v visit, q createScopeRequest) (empty, error) {
	if q.Backend != "" && q.Backend != "DATABRICKS" {
		return empty{}, invalid("scope_backend_type %q is not here; only DATABRICKS is.", q.Backend)
	}
	return empty{}, v.Secrets.CreateScope(v.who, q.Scope, q.InitialManage)
}

type wireScope struct {
	Name    string `json:"name"`
	Backend string `json:"backend_type"`
}

type scopesAnswer struct {
	Scopes []wireScope `json:"scopes,omitempty"`
}

func listScopes(v visit, _ empty) (scopesAnswer, error) {
	var ans scopesAnswer
	names, err := v.Secrets.Scopes(v.who)
	for _, n := range names {
		ans.Scopes = append(ans.Scopes, wireScope{n, "DATABRICKS"})
	}
	return ans, err
}

func putSecret(v visit, q secretRequest) (empty, error) {
	var value []byte
	switch {
	case q.StringValue != nil && q.BytesValue != nil:
		return empty{}, invalid("Only one of string_value and bytes_value may be given.")
	case q.StringValue != nil:
		value = []byte(*q.StringValue)
	case q.BytesValue != nil:
		var err error
		if value, err = base64.StdEncoding.DecodeString(*q.BytesValue); err != nil {
			return empty{}, invalid("bytes_value must be base64-encoded: %v", err)
		}
	default:
		return empty{}, invalid("One of string_value and bytes_value must be given.")
	}
	return empty{}, v.Secrets.Put(v.who, q.Scope, q.Key, value)
}

type wireSecret struct {
	Key     string `json:"key"`
	Updated int64  `json:"last_updated_timestamp"`
}

type secretsAnswer struct {
	Secrets []wireSecret `json:"secrets,omitempty"`
}

func listSecrets(v visit, q secretRequest) (secretsAnswer, error) {
	var ans secretsAnswer
	list, err := v.Secrets.List(v.who, q.Scope)
	for _, i := range list {
		ans.Secrets = append(ans.Secrets, wireSecret{i.Key, i.Updated.UnixMilli()})
	}
	return ans, err
}

type secretAnswer struct {
	Key   string `json:"key"`
	Value string `json:"value"` // base64
}

func getSecret(v visit, q secretRequest) (secretAnswer, error) {
	value, err := v.Secrets.Get(v.who, q.Scope, q.Key)
	return secretAnswer{q.Key, base64.StdEncoding.EncodeToString(value)}, err
}

type aclRequest struct {
	Scope      string `json:"scope"`
	Principal  string `json:"principal"`
	Permission string `json:"permission"`
}

type aclsAnswer struct {
	Items []workspace.SecretACL `json:"items,omitempty"`
}

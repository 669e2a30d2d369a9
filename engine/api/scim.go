package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"flowctl/engine/workspace"
)

// SCIM: people, as far as clients of jobs ask about them. The wire's shapes
// are those of the SDK's iam.User, Group and ServicePrincipal.

const scimRoot = "/api/2.0/preview/scim/v2/"

func (s *Server) scimRoutes() map[string]http.Handler {
	routes := map[string]http.Handler{"GET " + scimRoot + "Me": inside(s, me)}
	for plural, kind := range map[string]workspace.Kind{
		"Users": workspace.User, "Groups": workspace.Group, "ServicePrincipals": workspace.ServicePrincipal,
	} {
		p := people{s, kind}
		routes["GET "+scimRoot+plural] = inside(s, p.list)
		routes["POST "+scimRoot+plural] = p.answers(http.StatusCreated, p.create)
		one := scimRoot + plural + "/{id}"
		routes["GET "+one] = p.answers(http.StatusOK, p.get)
		routes["PUT "+one] = p.answers(http.StatusOK, p.replace)
		routes["PATCH "+one] = p.answers(http.StatusOK, p.patch)
		routes["DELETE "+one] = p.answers(http.StatusNoContent, p.delete)
	}
	return routes
}

// wirePerson is a person of any kind.
type wirePerson struct {
	Schemas       []string    `json:"schemas,omitempty"`
	ID            string      `json:"id,omitempty"`
	UserName      string      `json:"userName,omitempty"`
	ApplicationID string      `json:"applicationId,omitempty"`
	DisplayName   string      `json:"displayName,omitempty"`
	ExternalID    string      `json:"externalId,omitempty"`
	Active        *bool       `json:"active,omitempty"`
	Name          *wireName   `json:"name,omitempty"`
	Emails        []wireValue `json:"emails,omitempty"`
	Groups        []wireValue `json:"groups,omitempty"`
	Members       []wireValue `json:"members,omitempty"`
	Roles         []wireValue `json:"roles,omitempty"`
	Entitlements  []wireValue `json:"entitlements,omitempty"`
	Meta          *wireMeta   `json:"meta,omitempty"`
}

type wireName struct {
	GivenName  string `json:"givenName,omitempty"`
	FamilyName string `json:"familyName,omitempty"`
}

type wireValue = workspace.Value

type wireMeta struct {
	ResourceType string `json:"resourceType"`
}

var schemas = map[workspace.Kind]string{
	workspace.User:             "urn:ietf:params:scim:schemas:core:2.0:User",
	workspace.Group:            "urn:ietf:params:scim:schemas:core:2.0:Group",
	workspace.ServicePrincipal: "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal",
}

// personOf writes a person, with the groups that they are in.
func personOf(v visit, p workspace.Person) (wirePerson, error) {
	w := wirePerson{
		Schemas: []string{schemas[p.Kind]}, ID: p.ID, DisplayName: p.DisplayName, ExternalID: p.ExternalID,
		Emails: p.Emails, Roles: p.Roles, Entitlements: p.Entitlements,
	}
	switch p.Kind {
	case workspace.Group:
		w.DisplayName, w.Meta = p.Name, &wireMeta{"WorkspaceGroup"}
		for _, id := range p.Members {
			w.Members = append(w.Members, member(v, id))
		}
	case workspace.User:
		w.UserName, w.Active = p.Name, &p.Active
	case workspace.ServicePrincipal:
		w.ApplicationID, w.Active = p.Name, &p.Active
	}
	if p.GivenName != "" || p.FamilyName != "" {
		w.Name = &wireName{p.GivenName, p.FamilyName}
	}
	groups, err := v.People.Groups(p.ID)
	for _, g := range groups {
		w.Groups = append(w.Groups, wireValue{Value: g.ID, Display: g.Name, Type: "direct", Ref: "Groups/" + g.ID})
	}
	return w, err
}

// member names a member of a group. One that was just deleted has an id only.
func member(v visit, id string) wireValue {
	for _, kind := range []workspace.Kind{workspace.User, workspace.Group, workspace.ServicePrincipal} {
		p, err := v.People.Get(kind, id)
		if err != nil {
			continue
		}
		display := p.DisplayName
		if display == "" {
			display = p.Name
		}
		return wireValue{Value: id, Display: display, Ref: string(kind) + "s/" + id}
	}
	return wireValue{Value: id}
}

// into writes what the wire says over a person.
func (w wirePerson) into(p *workspace.Person) {
	p.DisplayName, p.ExternalID = w.DisplayName, w.ExternalID
	p.Emails, p.Roles, p.Entitlements = w.Emails, w.Roles, w.Entitlements
	if w.Active != nil {
		p.Active = *w.Active
	}
	p.GivenName, p.FamilyName = "", ""
	if w.Name != nil {
		p.GivenName, p.FamilyName = w.Name.GivenName, w.Name.FamilyName
	}
	switch p.Kind {
	case workspace.User:
		p.Name = w.UserName
	case workspace.ServicePrincipal:
		p.Name = w.ApplicationID
	case workspace.Group:
		p.Name, p.DisplayName = w.DisplayName, ""
		p.Members = nil
		for _, m := range w.Members {
			p.Members = append(p.Members, m.Value)
		}
	}
}

// me answers who is asking. Clients take the workspace's id from a header of
// this answer.
func me(v visit, _ empty) (wirePerson, error) {
	p, err := v.People.Get(v.who.Kind, v.who.ID)
	if err != nil {
		return wirePerson{}, err
	}
	w, err := personOf(v, p)
	if p.Kind == workspace.ServicePrincipal {
		// A service principal is told its application id as its user name.
		w.UserName = p.Name
	}
	return w, err
}

// people answers about one kind of people.
type people struct {
	server *Server
	kind   workspace.Kind
}

// answers makes a handler of a function about one person.
func (p people) answers(status int, fn func(v visit, id string, body json.RawMessage) (wirePerson, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		v, err := p.server.visit(r.Context())
		if err == nil && r.Method != http.MethodGet {
			err = decode(w, r, &body)
		}
		var ans wirePerson
		if err == nil {
			ans, err = fn(v, r.PathValue("id"), body)
		}
		switch {
		case err != nil:
			writeError(w, err)
		case status == http.StatusNoContent:
			w.WriteHeader(status)
		default:
			writeJSON(w, status, ans)
		}
	})
}

func (p people) create(v visit, _ string, body json.RawMessage) (wirePerson, error) {
	var w wirePerson
	if err := unmarshal(body, &w); err != nil {
		return w, err
	}
	q := workspace.Person{Kind: p.kind, Active: true}
	w.into(&q)
	made, err := v.People.Create(v.who, q)
	if err != nil {
		return w, err
	}
	return personOf(v, made)
}

func (p people) get(v visit, id string, _ json.RawMessage) (wirePerson, error) {
	q, err := v.People.Get(p.kind, id)
	if err != nil {
		return wirePerson{}, err
	}
	return personOf(v, q)
}

func (p people) replace(v visit, id string, body json.RawMessage) (wirePerson, error) {
	var w wirePerson
	if err := unmarshal(body, &w); err != nil {
		return w, err
	}
	q, err := v.People.Update(v.who, p.kind, id, func(q *workspace.Person) error {
		q.Active = true
		w.into(q)
		return nil
	})
	if err != nil {
		return w, err
	}
	return personOf(v, q)
}

// patch applies SCIM operations to the person's own JSON, so that every field
// that can be read can be patched.
func (p people) patch(v visit, id string, body json.RawMessage) (wirePerson, error) {
	var req patchRequest
	if err := unmarshal(body, &req); err != nil {
		return wirePerson{}, err
	}
	q, err := v.People.Update(v.who, p.kind, id, func(q *workspace.Person) error {
		doc, err := patchable(*q)
		if err != nil {
			return err
		}
		for _, op := range req.Operations {
			if err := op.apply(doc); err != nil {
				return err
			}
		}
		var w wirePerson
		raw, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("patch %s: %w", p.kind, err)
		}
		if err := unmarshal(raw, &w); err != nil {
			return err
		}
		w.into(q)
		return nil
	})
	if err != nil {
		return wirePerson{}, err
	}
	return personOf(v, q)
}

func (p people) delete(v visit, id string, _ json.RawMessage) (wirePerson, error) {
	return wirePerson{}, v.People.Delete(v.who, p.kind, id)
}

// unmarshal reads JSON of a request.
func unmarshal(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return invalid("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

package api

import (
	"encoding/json"
	"net/http"

	"flowctl/engine/workspace"
)

// destinationRoutes are the endpoints about notification destinations: the
// places that webhook_notifications of jobs name by id.
//
// A generic webhook's password signs what is sent; see engine/notify.
func (s *Server) destinationRoutes() map[string]http.Handler {
	const path = "/api/2.0/notification-destinations"
	return map[string]http.Handler{
		"POST " + path:             inside(s, createDestination),
		"GET " + path:              inside(s, listDestinations),
		"GET " + path + "/{id}":    s.aboutDestination(getDestination),
		"PATCH " + path + "/{id}":  s.aboutDestination(updateDestination),
		"DELETE " + path + "/{id}": s.aboutDestination(deleteDestination),
	}
}

// aboutDestination makes a handler of a function about the destination that a
// path names.
func (s *Server) aboutDestination(fn func(v visit, id string, q destinationRequest) (any, error)) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		var q destinationRequest
		v, err := s.visit(r.Context())
		if err == nil && r.Method == http.MethodPatch {
			err = decode(w, r, &q)
		}
		if err != nil {
			return nil, err
		}
		return fn(v, r.PathValue("id"), q)
	})
}

type destinationRequest struct {
	Name   string          `json:"display_name"`
	Config json.RawMessage `json:"config"`
}

type wireDestination struct {
	ID     string         `json:"id"`
	Name   string         `json:"display_name"`
	Type   string         `json:"destination_type"`
	Config map[string]any `json:"config,omitempty"`
}

// destinationOf is a destination as the wire has it: of what is secret it
// tells only that it is set.
//
// Source: the SDK's documentation of the configurations' output-only fields.
func destinationOf(d workspace.Destination) wireDestination {
	w := wireDestination{ID: d.ID, Name: d.Name, Type: string(d.Type)}
	switch c := d.Config; {
	case c.Email != nil:
		w.Config = map[string]any{"email": c.Email}
	case c.Webhook != nil:
		w.Config = map[string]any{"generic_webhook": map[string]bool{
			"url_set": true, "username_set": c.Webhook.Username != "", "password_set": c.Webhook.Password != "",
		}}
	case c.Slack != nil:
		w.Config = map[string]any{"slack": map[string]bool{"url_set": true}}
	case c.Teams != nil:
		w.Config = map[string]any{"microsoft_teams": map[string]bool{"url_set": true}}
	case c.PagerDuty != nil:
		w.Config = map[string]any{"pagerduty": map[string]bool{"integration_key_set": true}}
	}
	return w
}

func createDestination(v visit, q destinationRequest) (wireDestination, error) {
	d, err := v.Destinations.Create(v.who, q.Name, q.Config)
	return destinationOf(d), err
}

func getDestination(v visit, id string, _ destinationRequest) (any, error) {
	d, err := v.Destinations.Get(v.who, id)
	return destinationOf(d), err
}

func updateDestination(v visit, id string, q destinationRequest) (any, error) {
	d, err := v.Destinations.Update(v.who, id, q.Name, q.Config)
	return destinationOf(d), err
}

func deleteDestination(v visit, id string, _ destinationRequest) (any, error) {
	return empty{}, v.Destinations.Delete(v.who, id)
}

type listDestinationsRequest struct {
	PageSize int    `json:"page_size"`
	Token    string `json:"page_token"`
}

type destinationsPage struct {
	Results []wireDestination `json:"results"`
	Next    string            `json:"next_page_token,omitempty"`
}

// listDestinations answers by pages; a page's token is its predecessor's last id.
func listDestinations(v visit, q listDestinationsRequest) (destinationsPage, error) {
	switch {
	case q.PageSize < 0:
		return destinationsPage{}, invalid("page_size: %d is less than 0.", q.PageSize)
	case q.PageSize == 0 || q.PageSize > pageSize:
		q.PageSize = pageSize
	}
	list, more, err := v.Destinations.List(q.Token, q.PageSize)
	page := destinationsPage{Results: []wireDestination{}}
	for _, d := range list {
		page.Results = append(page.Results, destinationOf(d))
	}
	if more {
		page.Next = page.Results[len(list)-1].ID
	}
	return page, err
}

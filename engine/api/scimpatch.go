package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"flowctl/engine/workspace"
)

// patchRequest is a SCIM PatchOp message (RFC 7644, section 3.5.2).
type patchRequest struct {
	Operations []patchOp `json:"Operations"`
}

type patchOp struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// patchable is a person as the JSON object that operations apply to. Members
// and the like have only their values: what else is shown of them follows.
func patchable(q workspace.Person) (map[string]any, error) {
	w := wirePerson{
		DisplayName: q.DisplayName, ExternalID: q.ExternalID, Active: &q.Active, Emails: q.Emails, Roles: q.Roles, Entitlements: q.Entitlements,
		Name: &wireName{q.GivenName, q.FamilyName},
	}
	switch q.Kind {
	case workspace.User:
		w.UserName = q.Name
	case workspace.ServicePrincipal:
		w.ApplicationID = q.Name
	case workspace.Group:
		w.DisplayName = q.Name
		for _, id := range q.Members {
			w.Members = append(w.Members, wireValue{Value: id})
		}
	}
	raw, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("patch %s: %w", q.Kind, err)
	}
	doc := map[string]any{}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("patch %s: %w", q.Kind, err)
	}
	return doc, nil
}

// apply carries one operation out on an object.
func (op patchOp) apply(doc map[string]any) error {
	var value any
	if len(op.Value) > 0 {
		if err := json.Unmarshal(op.Value, &value); err != nil {
			return invalid("Operations: value is no JSON: %v", err)
		}
	}
	verb := strings.ToLower(op.Op)
	if !slices.Contains([]string{"add", "replace", "remove"}, verb) {
		return invalid("Operations: op %q must be one of add, replace, remove.", op.Op)
	}
	if op.Path == "" {
		fields, ok := value.(map[string]any)
		if !ok || verb == "remove" {
			return invalid("Operations: without a path the value must be an object, and op add or replace.")
		}
		for name, v := range fields {
			set(doc, name, v, verb == "replace")
		}
		return nil
	}
	name, filter, sub, err := splitPath(op.Path)
	if err != nil {
		return err
	}
	switch {
	case filter != nil:
		return op.applyFiltered(doc, name, filter, sub, value)
	case sub != "":
		inner, _ := doc[name].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
		}
		doc[name] = inner
		doc, name = inner, sub
	}
	if verb == "remove" {
		removeValues(doc, name, value)
		return nil
	}
	set(doc, name, value, verb == "replace")
	return nil
}

// set gives a field a value. Adding to a list appends what is not in it yet.
func set(doc map[string]any, name string, value any, replace bool) {
	list, isList := doc[name].([]any)
	if text, ok := value.(string); ok && name == "active" {
		// Clients send "false" here as often as false.
		if b, err := strconv.ParseBool(text); err == nil {
			value = b
		}
	}
	if one, ok := value.(map[string]any); ok && (isList || isListField(name)) {
		value = []any{one}
	}
	more, ok := value.([]any)
	if replace || !isList || !ok {
		doc[name] = value
		return
	}
	for _, v := range more {
		if !slices.ContainsFunc(list, func(have any) bool { return sameValue(have, v) }) {
			list = append(list, v)
		}
	}
	doc[name] = list
}

func isListField(name string) bool {
	return slices.Contains([]string{"members", "emails", "roles", "entitlements", "groups"}, name)
}

// sameValue compares elements of a list by what tells them apart.
func sameValue(a, b any) bool {
	x, xok := a.(map[string]any)
	y, yok := b.(map[string]any)
	if xok && yok {
		return reflect.DeepEqual(x["value"], y["value"])
	}
	return reflect.DeepEqual(a, b)
}

// removeValues removes a field, or of a list the elements given.
func removeValues(doc map[string]any, name string, value any) {
	list, isList := doc[name].([]any)
	gone, some := value.([]any)
	if one, ok := value.(map[string]any); ok {
		gone, some = []any{one}, true
	}
	if !isList || !some {
		delete(doc, name)
		return
	}
	doc[name] = slices.DeleteFunc(list, func(have any) bool {
		return slices.ContainsFunc(gone, func(v any) bool { return sameValue(have, v) })
	})
}

// applyFiltered carries an operation out on the elements of a list that match.
func (op patchOp) applyFiltered(doc map[string]any, name string, f *scimFilter, sub string, value any) error {
	list, _ := doc[name].([]any)
	matches := func(e any) bool {
		o, ok := e.(map[string]any)
		return ok && f.matches(o)
	}
	if strings.EqualFold(op.Op, "remove") && sub == "" {
		doc[name] = slices.DeleteFunc(list, matches)
		return nil
	}
	if sub == "" {
		return invalid("Operations: op %s with path %q needs an attribute after the filter.", op.Op, op.Path)
	}
	for _, e := range list {
		if !matches(e) {
			continue
		}
		if o := e.(map[string]any); strings.EqualFold(op.Op, "remove") {
			delete(o, sub)
		} else {
			o[sub] = value
		}
	}
	return nil
}

// splitPath takes a path apart: members, name.givenName, members[value eq "1"],
// emails[type eq "work"].value. A schema's urn before it says nothing new.
func splitPath(path string) (name string, f *scimFilter, sub string, err error) {
	if i := strings.LastIndex(path, ":"); strings.HasPrefix(strings.ToLower(path), "urn:") && !strings.Contains(path, "[") {
		path = path[i+1:]
	}
	name = path
	if open := strings.IndexByte(path, '['); open >= 0 {
		end := strings.LastIndexByte(path, ']')
		if end < open {
			return "", nil, "", invalid("Operations: path %q has a [ without a ].", path)
		}
		if f, err = parseFilter(path[open+1 : end]); err != nil {
			return "", nil, "", err
		}
		return path[:open], f, strings.TrimPrefix(path[end+1:], "."), nil
	}
	name, sub, _ = strings.Cut(path, ".")
	return name, nil, sub, nil
}

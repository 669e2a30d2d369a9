package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flowctl/engine/workspace"
)

type scimListRequest struct {
	Filter     string `json:"filter"`
	StartIndex int    `json:"startIndex"` // 1-based
	Count      *int   `json:"count"`
	SortBy     string `json:"sortBy"`
	SortOrder  string `json:"sortOrder"`
	Attributes string `json:"attributes"`
	Excluded   string `json:"excludedAttributes"`
}

type scimListAnswer struct {
	Schemas      []string         `json:"schemas"`
	TotalResults int              `json:"totalResults"`
	StartIndex   int              `json:"startIndex"`
	ItemsPerPage int              `json:"itemsPerPage"`
	Resources    []map[string]any `json:"Resources,omitempty"`
}

// scimPage bounds a page of people. Source: the REST API reference: 10,000.
const scimPage = 10_000

func (p people) list(v visit, q scimListRequest) (scimListAnswer, error) {
	ans := scimListAnswer{Schemas: []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, StartIndex: max(q.StartIndex, 1)}
	f, err := parseFilter(q.Filter)
	if err != nil {
		return ans, err
	}
	found, err := p.find(v, f)
	if err != nil {
		return ans, err
	}
	if q.SortBy != "" {
		slices.SortStableFunc(found, func(a, b map[string]any) int {
			return strings.Compare(first(valuesOf(a, q.SortBy)), first(valuesOf(b, q.SortBy)))
		})
	}
	if strings.EqualFold(q.SortOrder, "descending") {
		slices.Reverse(found)
	}
	ans.TotalResults = len(found)
	count := scimPage
	if q.Count != nil {
		count = min(max(*q.Count, 0), scimPage)
	}
	from := min(ans.StartIndex-1, len(found))
	ans.Resources = found[from:min(from+count, len(found))]
	ans.ItemsPerPage = len(ans.Resources)
	for i := range ans.Resources {
		ans.Resources[i] = project(ans.Resources[i], q.Attributes, q.Excluded)
	}
	return ans, nil
}

// find lists the people that pass a filter, sorted by name. A filter for one
// name looks at that one alone.
func (p people) find(v visit, f *scimFilter) ([]map[string]any, error) {
	var list []workspace.Person
	if name, ok := f.oneName(p.kind); ok {
		q, there, err := v.People.Named(p.kind, name)
		if err != nil || !there {
			return nil, err
		}
		list = []workspace.Person{q}
	} else {
		var err error
		if list, err = v.People.List(p.kind); err != nil {
			return nil, err
		}
	}
	var found []map[string]any
	for _, q := range list {
		w, err := personOf(v, q)
		if err != nil {
			return nil, err
		}
		o, err := objectMap(w)
		if err != nil {
			return nil, err
		}
		if f.matches(o) {
			found = append(found, o)
		}
	}
	return found, nil
}

// oneName says whether a filter is for one name alone.
func (f *scimFilter) oneName(kind workspace.Kind) (string, bool) {
	attribute := map[workspace.Kind]string{workspace.User: "username", workspace.Group: "displayname", workspace.ServicePrincipal: "applicationid"}[kind]
	if f == nil || len(f.terms) != 1 || f.terms[0].op != "eq" || f.terms[0].attribute != attribute {
		return "", false
	}
	return f.terms[0].value, true
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func objectMap(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write person: %w", err)
	}
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("write person: %w", err)
	}
	return o, nil
}

// project keeps the attributes asked for, the id always among them.
func project(o map[string]any, attributes, excluded string) map[string]any {
	keep, drop := names(attributes), names(excluded)
	for k := range o {
		name := strings.ToLower(k)
		if name != "id" && ((len(keep) > 0 && !keep[name]) || drop[name]) {
			delete(o, k)
		}
	}
	return o
}

// names reads a list of attributes with commas; of name.givenName, name.
func names(list string) map[string]bool {
	out := map[string]bool{}
	for a := range strings.SplitSeq(list, ",") {
		a, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(a)), ".")
		if a != "" {
			out[a] = true
		}
	}
	return out
}

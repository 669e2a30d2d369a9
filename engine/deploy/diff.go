package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is one difference between two definitions of a job.
type Change struct {
	Path string `json:"path"`          // "tasks[train].max_retries"
	Old  any    `json:"old,omitempty"` // nil: it is new
	New  any    `json:"new,omitempty"` // nil: it goes
}

// String is the change for people.
func (c Change) String() string {
	if c.Path == "" {
		c.Path = "the job"
	}
	switch {
	case c.Old == nil:
		return "+ " + c.Path + brief(": ", c.New)
	case c.New == nil:
		return "- " + c.Path + brief(": ", c.Old)
	}
	return "~ " + c.Path + brief(": ", c.Old) + brief(" -> ", c.New)
}

// brief is a value on the rest of a line: an object says enough by its path.
func brief(before string, v any) string {
	if _, ok := v.(map[string]any); ok {
		return ""
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	if text := string(raw); len(text) <= 120 {
		return before + text
	}
	return before + string(raw[:117]) + "..."
}

// keys are the lists whose elements have names; their order means nothing.
var keys = map[string]string{
	"tasks": "task_key", "job_clusters": "job_cluster_key", "environments": "environment_key", "parameters": "name", "depends_on": "task_key",
}

// Diff lists what makes the settings have into want. The order of named
// elements, values that mean nothing (null, zero, empty) and the defaults that
// a workspace fills in are no difference.
func Diff(have, want json.RawMessage) ([]Change, error) {
	old, err := tree(have)
	if err != nil {
		return nil, err
	}
	target, err := tree(want)
	if err != nil {
		return nil, err
	}
	var list []Change
	compare("", old, target, &list)
	return list, nil
}

func tree(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read job settings: %w", err)
	}
	return meaningful("", v), nil
}

// meaningful drops what means nothing and turns lists of named elements into
// objects under their names. Nil: nothing is left.
func meaningful(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if x = meaningful(k, x); x != nil {
				out[k] = x
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		return meaningfulList(name, v)
	case string:
		if v == "" {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && f == 0 {
			return nil
		}
	}
	return v
}

// meaningfulList keeps the order of a plain list, and of a named one the names.
func meaningfulList(name string, list []any) any {
	if len(list) == 0 {
		return nil
	}
	key, named := keys[name]
	byName := map[string]any{}
	plain := make([]any, 0, len(list))
	for _, it := range list {
		o, ok := it.(map[string]any)
		k, _ := o[key].(string)
		x := meaningful("", it)
		if named = named && ok && k != ""; named {
			if rest, ok := x.(map[string]any); ok && name != "depends_on" {
				delete(rest, key)
			}
			byName["["+k+"]"] = x
		}
		if x == nil {
			x = "" // its place in the list counts
		}
		plain = append(plain, x)
	}
	if named {
		return byName
	}
	return plain
}

func compare(path string, old, want any, list *[]Change) {
	if reflect.DeepEqual(old, want) {
		return
	}
	a, aIs := old.(map[string]any)
	b, bIs := want.(map[string]any)
	if !aIs || !bIs {
		if !filledIn(path, old, want) {
			*list = append(*list, Change{Path: path, Old: old, New: want})
		}
		return
	}
	for _, k := range slices.Sorted(maps.Keys(union(a, b))) {
		at := path + "." + k
		if path == "" {
			at = k
		} else if strings.HasPrefix(k, "[") {
			at = path + k
		}
		compare(at, a[k], b[k], list)
	}
}

func union(a, b map[string]any) map[string]struct{} {
	all := map[string]struct{}{}
	for k := range a {
		all[k] = struct{}{}
	}
	for k := range b {
		all[k] = struct{}{}
	}
	return all
}

// defaults are what a workspace fills in where a job says nothing: by the last
// word of the path, the value, or "" for whatever it is.
//
// Source: measured with the Databricks CLI, which takes the same for no change.
var defaults = map[string]string{
	"format": "MULTI_TASK", "run_if": "ALL_SUCCESS", "source": "", "max_concurrent_runs": "1", "pause_status": "UNPAUSED",
	"run_as": "", "edit_mode": "", "aws_attributes": "", "azure_attributes": "", "gcp_attributes": "", "data_security_mode": "",
	"enable_elastic_disk": "", "driver_node_type_id": "", "node_type_id": "",
}

// filledIn says whether a difference is only a default that one side spells out.
func filledIn(path string, old, want any) bool {
	if old != nil && want != nil {
		return false
	}
	value, ok := defaults[path[strings.LastIndexAny(path, ".]")+1:]]
	return ok && (value == "" && want == nil || fmt.Sprint(old) == value || fmt.Sprint(want) == value)
}

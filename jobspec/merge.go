package jobspec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// mergeKeys are the lists whose elements a partial update replaces one by one,
// with the field that tells their elements apart. Every other field is
// replaced as a whole.
//
// Source: the SDK's documentation of UpdateJob.NewSettings names task_key and
// job_cluster_key; that environments and parameters merge in the same way is
// what the Databricks Terraform provider relies on.
var mergeKeys = map[string]string{
	"tasks": "task_key", "job_clusters": "job_cluster_key", "environments": "environment_key", "parameters": "name",
}

// Merge changes settings as a partial update does: the fields of changes
// replace those of old, elements of keyed lists one by one, and remove names
// the fields that go: a top-level field, or "tasks/KEY" for one element of a
// keyed list. What is removed and also given stays as it is given. Fields that
// nobody mentions keep their bytes.
func Merge(old, changes json.RawMessage, remove []string) (json.RawMessage, error) {
	have, err := objectOf(old)
	if err != nil {
		return nil, err
	}
	news := object{}
	if len(changes) > 0 && string(changes) != "null" {
		if news, err = objectOf(changes); err != nil {
			return nil, err
		}
	}
	for _, name := range remove {
		if err := have.remove(name); err != nil {
			return nil, err
		}
	}
	for name, v := range news {
		key, keyed := mergeKeys[name]
		if !keyed {
			have[name] = v
			continue
		}
		if have[name], err = mergeList(name, key, have[name], v); err != nil {
			return nil, err
		}
	}
	return json.Marshal(have)
}

// remove takes a field away, or one element of a keyed list. Without it there
// is nothing to do.
func (o object) remove(name string) error {
	list, key, nested := strings.Cut(name, "/")
	if !nested {
		delete(o, name)
		return nil
	}
	field, ok := mergeKeys[list]
	if !ok {
		return fmt.Errorf("fields_to_remove: %q: of nested fields only elements of tasks, job_clusters, environments and parameters can be removed, as in tasks/KEY", name)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(o[list], &items); o[list] != nil && err != nil {
		return fmt.Errorf("%s: a list is expected", list)
	}
	items = slices.DeleteFunc(items, func(it json.RawMessage) bool { return keyOf(it, field) == key })
	if len(items) == 0 {
		delete(o, list)
		return nil
	}
	raw, err := json.Marshal(items)
	o[list] = raw
	return err
}

// mergeList replaces the elements of old that more has too, and appends the others.
func mergeList(name, key string, old, more json.RawMessage) (json.RawMessage, error) {
	var have, news []json.RawMessage
	if err := json.Unmarshal(more, &news); err != nil {
		return nil, fmt.Errorf("new_settings.%s: a list is expected, this is %.40s", name, more)
	}
	if old != nil {
		if err := json.Unmarshal(old, &have); err != nil {
			return nil, fmt.Errorf("%s: a list is expected", name)
		}
	}
	for i, it := range news {
		k := keyOf(it, key)
		if k == "" {
			return nil, fmt.Errorf("new_settings.%s[%d]: %s is missing", name, i, key)
		}
		if at := slices.IndexFunc(have, func(h json.RawMessage) bool { return keyOf(h, key) == k }); at >= 0 {
			have[at] = it
		} else {
			have = append(have, it)
		}
	}
	return json.Marshal(have)
}

func keyOf(item json.RawMessage, field string) string {
	o, err := objectOf(item)
	if err != nil {
		return ""
	}
	return o.str(field)
}

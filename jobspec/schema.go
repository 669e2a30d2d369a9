package jobspec

import (
	_ "embed"
	"strings"
	"sync"
)

// fieldsText lists the objects of a job and their fields, one object a line:
// "Task task_key:s depends_on:[@TaskDependency] run_if:e(ALL_DONE|…)". A type
// is s string, i whole number, n number, b boolean, ? anything, {T} map,
// [T] list, @Object, or e(A|B) one of these words. It is made from the SDK's
// own types by a test.
//
//go:embed fields.txt
var fieldsText string

// schema is fieldsText by object, then field.
var schema = sync.OnceValue(func() map[string]map[string]string {
	objects := map[string]map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(fieldsText), "\n") {
		words := strings.Fields(line)
		fields := make(map[string]string, len(words)-1)
		for _, w := range words[1:] {
			name, typ, _ := strings.Cut(w, ":")
			fields[name] = typ
		}
		objects[words[0]] = fields
	}
	return objects
})

// rootFields are keys that a job file may have at its top beside the settings'
// own: what the CLI and bundles add, and what answers of the API carry.
var rootFields = map[string]string{
	"deployment": "?", "edit_mode": "s", "format": "s", "permissions": "?", "lifecycle": "?", "job_id": "?",
	"access_control_list": "?", "parent_path": "s",
}

package workspacetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// bodies are the official SDK's request types by path.
var bodies = map[string]func() any{
	"/api/2.2/jobs/create":       func() any { return &jobs.CreateJob{} },
	"/api/2.2/jobs/reset":        func() any { return &jobs.ResetJob{} },
	"/api/2.2/jobs/delete":       func() any { return &jobs.DeleteJob{} },
	"/api/2.2/jobs/run-now":      func() any { return &jobs.RunNow{} },
	"/api/2.2/jobs/runs/submit":  func() any { return &jobs.SubmitRun{} },
	"/api/2.2/jobs/runs/cancel":  func() any { return &jobs.CancelRun{} },
	"/api/2.0/workspace/import":  func() any { return &workspace.Import{} },
	"/api/2.0/workspace/mkdirs":  func() any { return &workspace.Mkdirs{} },
	"/api/2.0/workspace/delete":  func() any { return &workspace.Delete{} },
	"/api/2.0/permissions/jobs/": func() any { return &iam.SetObjectPermissions{} },
}

// Unknown lists what of a request's body the official SDK does not know, as
// paths in the body. The SDK's types leave out what they do not know, and send
// every field that they have read: what is gone after the way through them was
// unknown.
func Unknown(path string, body []byte) ([]string, error) {
	make := bodies[path]
	if make == nil {
		if i := strings.LastIndex(path, "/") + 1; bodies[path[:i]] != nil {
			make = bodies[path[:i]]
		}
	}
	if make == nil {
		return nil, fmt.Errorf("no request type is known for %s", path)
	}
	typed := make()
	if err := json.Unmarshal(body, typed); err != nil {
		return nil, fmt.Errorf("read the body of %s: %w", path, err)
	}
	back, err := json.Marshal(typed)
	if err != nil {
		return nil, fmt.Errorf("write the body of %s: %w", path, err)
	}
	var sent, known any
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, fmt.Errorf("read the body of %s: %w", path, err)
	}
	if err := json.Unmarshal(back, &known); err != nil {
		return nil, fmt.Errorf("read the body of %s: %w", path, err)
	}
	return missing("", sent, known), nil
}

// missing lists the paths that are in a and not, or with another value, in b.
func missing(at string, a, b any) []string {
	var list []string
	switch a := a.(type) {
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok {
			return []string{at}
		}
		for _, k := range slices.Sorted(maps.Keys(a)) {
			v, ok := other[k]
			if !ok {
				list = append(list, at+"."+k)
				continue
			}
			list = append(list, missing(at+"."+k, a[k], v)...)
		}
	case []any:
		other, ok := b.([]any)
		if !ok || len(other) != len(a) {
			return []string{at}
		}
		for i := range a {
			list = append(list, missing(fmt.Sprintf("%s[%d]", at, i), a[i], other[i])...)
		}
	default:
		if a != b {
			list = append(list, at)
		}
	}
	return list
}

package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"flowctl/tasks"
)

// place is where a path of the job leads on this machine.
type place struct {
	path string
	root string // of the code that it belongs to; empty if unknown
}

// locate finds a path of the job: relative ones from the job file's folder, or
// from the git checkout; workspace paths through the roots, then in the local
// workspace tree; dbfs:/ and /Volumes in the data directory.
func (o *Options) locate(ctx context.Context, a tasks.Attempt, out tasks.Sink, field, path, source string) (place, error) {
	if path == "" {
		return place{}, invalid("%s: no path is given", field)
	}
	switch {
	case a.Job != nil && a.Job.Git != nil && source != "WORKSPACE" && !strings.HasPrefix(path, "/"):
		root, err := o.checkout(ctx, a, out)
		if err != nil {
			return place{}, err
		}
		return inside(root, path, field)
	case source == "GIT" && (a.Job == nil || a.Job.Git == nil):
		return place{}, invalid("%s: source is GIT, but the job has no git_source", field)
	case strings.Contains(path, ":/") && !strings.HasPrefix(path, "dbfs:/") && !strings.HasPrefix(path, "file:/"):
		return place{}, invalid("%s: %s lies in cloud storage, which is not here; copy it beside the job file or under dbfs:/", field, path)
	case strings.HasPrefix(path, "file:/"):
		return place{path: "/" + strings.TrimLeft(strings.TrimPrefix(path, "file:"), "/")}, nil
	case !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "dbfs:/"):
		if a.Code.Dir == "" {
			return place{}, invalid("%s: %q is relative, but this job comes from no file; use a workspace path", field, path)
		}
		return place{filepath.Join(a.Code.Dir, filepath.FromSlash(path)), a.Code.Dir}, nil
	}
	return o.absolute(a, path), nil
}

// absolute maps a path that begins with / or dbfs:/.
func (o *Options) absolute(a tasks.Attempt, path string) place {
	fs := filepath.Join(a.Home, "fs")
	path, dbfs := strings.CutPrefix(path, "dbfs:")
	if rest, ok := strings.CutPrefix(path, "/Volumes/"); ok {
		return place{path: filepath.Join(fs, "volumes", filepath.FromSlash(filepath.Clean("/"+rest)))}
	}
	if rest, ok := strings.CutPrefix(path, "/dbfs/"); ok || dbfs {
		return place{path: filepath.Join(fs, "dbfs", filepath.FromSlash(filepath.Clean("/"+rest)))}
	}
	path = filepath.Clean("/" + strings.TrimPrefix(path, "/Workspace/"))
	best := ""
	for prefix := range a.Code.Roots {
		p := filepath.Clean("/" + strings.TrimPrefix(prefix, "/Workspace/"))
		if (path == p || strings.HasPrefix(path, p+"/")) && len(p) > len(best) {
			best = p
		}
	}
	for prefix, dir := range a.Code.Roots {
		if best != "" && filepath.Clean("/"+strings.TrimPrefix(prefix, "/Workspace/")) == best {
			return place{filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(path, best))), dir}
		}
	}
	return place{path: filepath.Join(fs, "workspace", filepath.FromSlash(path))}
}

// inside joins a relative path to a root that it may not leave.
func inside(root, path, field string) (place, error) {
	if !filepath.IsLocal(filepath.FromSlash(path)) {
		return place{}, invalid("%s: %s leads out of the git checkout", field, path)
	}
	return place{filepath.Join(root, filepath.FromSlash(path)), root}, nil
}

// regular refuses what is no file, and names what lies beside it.
func regular(field, path string) error {
	st, err := os.Stat(path)
	switch {
	case err == nil && st.Mode().IsRegular():
		return nil
	case err == nil:
		return notFound("%s: %s is no file", field, path)
	}
	entries, derr := os.ReadDir(filepath.Dir(path))
	if derr != nil {
		return notFound("%s: no file %s: there is no folder %s", field, path, filepath.Dir(path))
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".py") && len(names) < 8 {
			names = append(names, e.Name())
		}
	}
	if len(names) > 0 {
		return notFound("%s: no file %s; the folder has %s", field, path, strings.Join(names, ", "))
	}
	return notFound("%s: no file %s", field, path)
}

// namedArgv turns named_parameters into --key=value, in the order written.
func namedArgv(payload json.RawMessage) ([]string, error) {
	var p struct {
		Named json.RawMessage `json:"named_parameters"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, invalid("python_wheel_task: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(p.Named))
	if _, err := dec.Token(); err != nil {
		return nil, invalid("python_wheel_task.named_parameters: %v", err)
	}
	var argv []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, invalid("python_wheel_task.named_parameters: %v", err)
		}
		var value string
		if err := dec.Decode(&value); err != nil {
			return nil, invalid("python_wheel_task.named_parameters.%v: %v", key, err)
		}
		argv = append(argv, fmt.Sprintf("--%v=%s", key, value))
	}
	return argv, nil
}

package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"flowctl/tasks"
)

// place is where a path of the job leads on this machine.
type place struct {
	path string
	root string // of the code that it belongs to; empty if unknown
	hint string // what to say if nothing is there
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
		return place{path: filepath.Join(a.Code.Dir, filepath.FromSlash(path)), root: a.Code.Dir}, nil
	}
	return o.absolute(a, path), nil
}

// absolute maps a path that begins with / or dbfs:/.
func (o *Options) absolute(a tasks.Attempt, path string) place {
	fs := a.Tree()
	path, dbfs := strings.CutPrefix(path, "dbfs:")
	if rest, ok := strings.CutPrefix(path, "/Volumes/"); ok {
		return place{path: filepath.Join(fs, "volumes", filepath.FromSlash(filepath.Clean("/"+rest)))}
	}
	rest, fuse := strings.CutPrefix(path, "/dbfs/")
	if dbfs {
		rest = path
	}
	if dbfs || fuse {
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
			return place{path: filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(path, best))), root: dir}
		}
	}
	return place{
		path: filepath.Join(fs, "workspace", filepath.FromSlash(path)),
		hint: "; " + path + " is a workspace path: --workspace-root PREFIX=DIR says which folder it means here",
	}
}

// inside joins a relative path to a root that it may not leave.
func inside(root, path, field string) (place, error) {
	if !filepath.IsLocal(filepath.FromSlash(path)) {
		return place{}, invalid("%s: %s leads out of the git checkout", field, path)
	}
	return place{path: filepath.Join(root, filepath.FromSlash(path)), root: root}, nil
}

// beside says what an absent file may have been meant to be: the one of the
// same folder that differs in capitals or lacks the extension, else all of
// that extension.
func beside(path, ext string) string {
	dir, name := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "; there is no folder " + filepath.Clean(dir)
	}
	var names []string
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) || strings.EqualFold(e.Name(), name+ext) {
			return "; did you mean " + filepath.Join(dir, e.Name()) + "?"
		}
		if strings.HasSuffix(e.Name(), ext) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return ""
	}
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return "; the folder has " + strings.Join(names, ", ")
}

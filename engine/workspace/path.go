package workspace

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a path, below what file systems take so that an extension fits in.
const (
	maxName = 240
	maxPath = 3800
)

// partialDir is the folder of a tree that holds what is not whole yet. No path
// may name it.
const partialDir = ".partial"

// cleanPath turns an absolute path of an API into a name within a tree: no
// leading slash, "" for the root. Doubled slashes count as one, as they do in
// a workspace; a "." or ".." is refused rather than resolved.
func cleanPath(p string) (string, error) {
	switch {
	case p == "":
		return "", refuse(InvalidParameter, "A path is required.")
	case !strings.HasPrefix(p, "/"):
		return "", refuse(InvalidParameter, "Path (%s) must be absolute: it starts with \"/\".", p)
	case len(p) > maxPath:
		return "", refuse(InvalidParameter, "Path (%s…) is longer than %d bytes.", strings.ToValidUTF8(p[:60], ""), maxPath)
	case !utf8.ValidString(p):
		return "", refuse(InvalidParameter, "Path (%s) is not valid UTF-8.", strings.ToValidUTF8(p, "?"))
	}
	var names []string
	for name := range strings.SplitSeq(p, "/") {
		switch {
		case name == "":
			continue
		case name == "." || name == "..":
			return "", refuse(InvalidParameter, "Path (%s) must not contain %q.", p, name)
		case len(name) > maxName:
			return "", refuse(InvalidParameter, "Path (%s) has a name longer than %d bytes.", p, maxName)
		case strings.ContainsFunc(name, unicode.IsControl):
			return "", refuse(InvalidParameter, "Path (%q) has a control character in it.", p)
		}
		names = append(names, name)
	}
	rel := strings.Join(names, "/")
	if rel == "" {
		return "", nil
	}
	if names[0] == partialDir || !filepath.IsLocal(filepath.FromSlash(rel)) {
		return "", refuse(InvalidParameter, "Path (%s) has a name that is not allowed here.", p)
	}
	return rel, nil
}

// treePath is a path of the workspace tree: its name in the tree, and the
// "/Workspace" that it was asked with, if it was. Both spellings mean the same
// object, and an answer keeps the one of the question.
type treePath struct{ mount, rel string }

func parseTreePath(p string) (treePath, error) {
	rel, err := cleanPath(p)
	if err != nil {
		return treePath{}, err
	}
	if rel != "Workspace" && !strings.HasPrefix(rel, "Workspace/") {
		return treePath{rel: rel}, nil
	}
	t := treePath{mount: "/Workspace", rel: strings.TrimPrefix(strings.TrimPrefix(rel, "Workspace"), "/")}
	// A doubled first slash is answered without the mount, as a workspace does.
	if strings.HasPrefix(p, "//") && t.rel != "" {
		t.mount = ""
	}
	return t, nil
}

// String is the path as the API writes it.
func (t treePath) String() string {
	if t.rel == "" && t.mount != "" {
		return t.mount
	}
	return t.mount + "/" + t.rel
}

func (t treePath) child(name string) treePath {
	if t.rel == "" {
		return treePath{t.mount, name}
	}
	return treePath{t.mount, t.rel + "/" + name}
}

func (t treePath) parent() treePath { return treePath{t.mount, parentOf(t.rel)} }

// parentOf is the name of the folder that holds rel; "" is the root.
func parentOf(rel string) string {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i]
	}
	return ""
}

func baseOf(rel string) string { return rel[strings.LastIndexByte(rel, '/')+1:] }

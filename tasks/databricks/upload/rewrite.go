package upload

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Map says where code of this machine is on a workspace. It is kept with a
// run, so that each of its tasks finds the same code.
type Map struct {
	Dir    string            `json:"dir"`             // the job file's folder
	Roots  map[string]string `json:"roots,omitempty"` // as in Source
	Base   string            `json:"base,omitempty"`  // the local folder that Folder mirrors; empty: nothing was uploaded
	Folder string            `json:"folder,omitempty"`
}

// Map is the plan's, once its files are in a folder of the workspace.
func (p *Plan) Map(folder string) Map {
	return Map{Dir: p.src.Dir, Roots: p.src.Roots, Base: p.Base, Folder: folder}
}

// Job writes a job so that its paths lead to the workspace's folder. What
// leads elsewhere stays.
func (m Map) Job(settings json.RawMessage) (json.RawMessage, error) {
	job, err := decode(settings)
	if err != nil {
		return nil, err
	}
	if err := visitJob(job, m.visit); err != nil {
		return nil, err
	}
	return encode(job)
}

// Task writes a task so that its paths lead to the workspace's folder. git
// says that the job has a git_source.
func (m Map) Task(task json.RawMessage, git bool) (json.RawMessage, error) {
	t, err := decode(task)
	if err != nil {
		return nil, err
	}
	if err := visitTask(t, "", git, m.visit); err != nil {
		return nil, err
	}
	return encode(t)
}

// Environment writes an element of environments so that its dependencies lead
// to the workspace's folder.
func (m Map) Environment(env json.RawMessage) (json.RawMessage, error) {
	e, err := decode(env)
	if err != nil {
		return nil, err
	}
	if spec, ok := e["spec"].(map[string]any); ok {
		if err := visitList(spec, "dependencies", "spec.", aRequirement, m.visit); err != nil {
			return nil, err
		}
	}
	return encode(e)
}

func encode(v map[string]any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write job: %w", err)
	}
	return raw, nil
}

func (m Map) visit(at string, k kind, value string) (string, error) {
	before, p := split(k, value)
	src := Source{Dir: m.Dir, Roots: m.Roots}
	file := src.local(p)
	if file == "" {
		return value, nil
	}
	if m.Base == "" {
		return value, &Problem{at, fmt.Sprintf("%s is on this machine, and no code was uploaded", p)}
	}
	if !dynamic(p) {
		found, err := resolve(k, file)
		if err != nil {
			return value, &Problem{at, err.Error()}
		}
		file = found
	}
	if !within(m.Base, file) {
		return value, &Problem{at, fmt.Sprintf("%s is not in the code that was uploaded from %s", p, m.Base)}
	}
	rel, err := filepath.Rel(m.Base, file)
	if err != nil {
		return value, &Problem{at, err.Error()}
	}
	if k == aNotebook {
		rel = strings.TrimSuffix(rel, notebookExt(rel))
	}
	return before + path.Join(m.Folder, filepath.ToSlash(rel)), nil
}

// notebookExt is the extension that a notebook loses on a workspace.
func notebookExt(name string) string {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".py", ".sql", ".scala", ".r", ".ipynb":
		return filepath.Ext(name)
	}
	return ""
}

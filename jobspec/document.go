package jobspec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxFile bounds a job file. The Jobs API takes far less.
const maxFile = 16 << 20

// Document is a job file as written: its jobs, and where each value stands.
type Document struct {
	Name string
	Jobs []Entry

	problems []Problem // found while reading
}

// Entry is one job of a file.
type Entry struct {
	Key string // of a bundle's resource; empty otherwise
	ID  int64  // of a jobs/get answer; 0 otherwise
	Job *Job
	// Pipelines are the pipelines of the same bundle file by their resource
	// keys, each as it is written there.
	Pipelines map[string]json.RawMessage

	root  *node  // the settings
	path  string // of the settings within the file
	isRun bool   // a submit body: run_name, no schedule
}

// Read reads a job file, JSON or YAML: job settings, a jobs/get answer, an
// update or reset body, a submit body, or a bundle with resources.jobs. The
// error is an Invalid. Name is used in messages alone.
func Read(name string, data []byte) (*Document, error) {
	d := &Document{Name: name}
	root, doubles, bad := parseFile(data)
	if bad != nil {
		bad.File = name
		return nil, Invalid{*bad}
	}
	for _, p := range doubles {
		p.File = name
		d.problems = append(d.problems, p)
	}
	if root.kind != nodeObject {
		return nil, Invalid{{File: name, Line: root.line, Col: root.col, Message: "a job is an object; this is " + root.kind.String()}}
	}
	if err := d.unwrap(root); err != nil {
		return nil, err
	}
	for i := range d.Jobs {
		e := &d.Jobs[i]
		job, err := Parse(e.root.json())
		if err != nil {
			return nil, Invalid{{File: name, Line: e.root.line, Col: e.root.col, Path: e.path, Message: err.Error()}}
		}
		e.Job = job
	}
	return d, nil
}

func parseFile(data []byte) (*node, []Problem, *Problem) {
	if len(data) > maxFile {
		return nil, nil, &Problem{Line: 1, Col: 1, Message: fmt.Sprintf("the file has %d bytes; a job file has at most %d", len(data), maxFile)}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return nil, nil, &Problem{Line: 1, Col: 1, Message: "the file is not UTF-8 text"}
	}
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, nil, &Problem{Line: 1, Col: 1, Message: "the file is empty"}
	}
	if trimmed[0] == '{' || trimmed[0] == '[' {
		return readJSON(data)
	}
	return readYAML(data)
}

// unwrap finds the jobs in a file, whatever they are wrapped in.
func (d *Document) unwrap(root *node) error {
	if res := root.get("resources"); res != nil {
		return d.bundle(res)
	}
	for _, key := range []string{"settings", "new_settings"} {
		if inner := root.get(key); inner != nil && inner.kind == nodeObject && root.get("tasks") == nil {
			e := Entry{root: inner, path: key + "."}
			if id := root.get("job_id"); id != nil {
				_ = json.Unmarshal(id.json(), &e.ID) // an id of another form is no id
			}
			d.Jobs = append(d.Jobs, e)
			return nil
		}
	}
	d.Jobs = append(d.Jobs, Entry{root: root, isRun: root.get("run_name") != nil})
	return nil
}

func (d *Document) bundle(res *node) error {
	defined := map[string]json.RawMessage{}
	if pipelines := res.get("pipelines"); pipelines != nil && pipelines.kind == nodeObject {
		for _, m := range pipelines.members {
			defined[m.key] = m.value.json()
		}
	}
	jobs := res.get("jobs")
	if jobs == nil || jobs.kind != nodeObject || len(jobs.members) == 0 {
		return Invalid{{File: d.Name, Line: res.line, Col: res.col, Path: "resources", Message: "there is no job under resources.jobs"}}
	}
	for _, m := range jobs.members {
		if m.value.kind != nodeObject {
			return Invalid{{File: d.Name, Line: m.line, Col: m.col, Path: "resources.jobs." + m.key, Message: "a job is an object; this is " + m.value.kind.String()}}
		}
		d.Jobs = append(d.Jobs, Entry{Key: m.key, Pipelines: defined, root: m.value, path: "resources.jobs." + m.key + "."})
	}
	return nil
}

// Pick chooses the job of a file that key names, by its resource key or its
// name. An empty key is right for a file with one job.
func (d *Document) Pick(key string) (*Entry, error) {
	if key == "" && len(d.Jobs) == 1 {
		return &d.Jobs[0], nil
	}
	var names []string
	for i := range d.Jobs {
		e := &d.Jobs[i]
		if key != "" && (e.Key == key || e.Job.Name == key) {
			return e, nil
		}
		names = append(names, e.Label())
	}
	if key == "" {
		return nil, fmt.Errorf("%s holds %d jobs; say which with --job: %s", d.Name, len(d.Jobs), strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%s has no job %q%s", d.Name, key, didYouMean(key, names))
}

// Label is what people call the job: its key, else its name.
func (e *Entry) Label() string {
	if e.Key != "" {
		return e.Key
	}
	return e.Job.Name
}

// Siblings are the definitions of all jobs of the file by the names that a
// run_job_task may use: resource key, name, and id.
func (d *Document) Siblings() map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for _, e := range d.Jobs {
		if e.Job.Name != "" {
			m[e.Job.Name] = e.Job.Source
		}
		if e.Key != "" {
			m[e.Key] = e.Job.Source
		}
		if e.ID != 0 {
			m[fmt.Sprint(e.ID)] = e.Job.Source
		}
	}
	return m
}

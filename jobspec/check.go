package jobspec

import (
	"fmt"
	"slices"
	"strings"

	"flowctl/jobspec/ref"
)

// CheckOptions say what the job is checked for.
type CheckOptions struct {
	// LocalKinds are the task kinds that can run here. Nil: the job shall not
	// run here, so kinds are not looked at.
	LocalKinds []Type
	// Remote are the keys of tasks that do not run here: they run on a
	// workspace, or not at all.
	Remote []string
	// Draft says that the job is kept and need not be able to run yet, as a
	// workspace keeps jobs: what it lacks is then a warning.
	Draft bool
}

// Check reports everything that is wrong with the file's jobs, in the order
// in which it stands in the file.
func (d *Document) Check(opt CheckOptions) []Problem {
	problems := slices.Clone(d.problems)
	for i := range d.Jobs {
		c := &checker{doc: d, entry: &d.Jobs[i], opt: opt}
		c.job()
		problems = append(problems, c.problems...)
	}
	for i := range problems {
		problems[i].File = d.Name
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return problems
}

// checker collects the problems of one job.
type checker struct {
	doc      *Document
	entry    *Entry
	opt      CheckOptions
	problems []Problem
}

func (c *checker) add(sev Severity, n *node, path, format string, args ...any) {
	p := Problem{Severity: sev, Path: c.entry.path + path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Col = n.line, n.col
	}
	c.problems = append(c.problems, p)
}

func (c *checker) err(n *node, path, format string, args ...any) {
	c.add(Error, n, path, format, args...)
}

// lack reports what shows only when the job runs: an error, but of a draft.
func (c *checker) lack(n *node, path, format string, args ...any) {
	sev := Error
	if c.opt.Draft {
		sev = Warning
	}
	c.add(sev, n, path, format, args...)
}

func (c *checker) warn(n *node, path, format string, args ...any) {
	c.add(Warning, n, path, format, args...)
}

// job checks the settings: first their shape, then what they mean.
func (c *checker) job() {
	root := c.entry.root
	name := "JobSettings"
	if c.entry.isRun {
		name = "SubmitRun"
	}
	legacy := root.get("tasks") == nil && c.entry.Job != nil && len(c.entry.Job.Tasks) == 1
	c.object(root, "", name, c.extra(legacy))
	if legacy {
		c.warn(root, string(c.entry.Job.Tasks[0].Type), "this is the single-task form of API 2.0; the official form is a list of \"tasks\" with a task_key each")
	}
	c.settings(root)
	c.when(root)
	c.tasks(root)
	c.siblings()
}

// extra are keys that this job may have at its top beside the settings' own.
func (c *checker) extra(legacy bool) map[string]string {
	if !legacy {
		return rootFields
	}
	fields := map[string]string{}
	for _, from := range []map[string]string{schema()["Task"], rootFields} {
		for k, v := range from {
			fields[k] = v
		}
	}
	return fields
}

// settings checks sizes, limits and names of the job itself.
//
// Source: the SDK's documentation of JobSettings.
func (c *checker) settings(root *node) {
	c.longest(root, "name", 4096)
	c.longest(root, "description", 27700)
	c.between(root, "", "max_concurrent_runs", 0, 1000)
	c.between(root, "", "timeout_seconds", 0, 1<<31-1)
	if tags := root.get("tags"); tags != nil && len(tags.members) > 25 {
		c.err(tags, "tags", "%d tags; at most 25 are allowed", len(tags.members))
	}
	if n := root.list("tasks"); len(n) > 1000 {
		c.err(root.get("tasks"), "tasks", "%d tasks; a job has at most 1000", len(n))
	}
	c.parameters(root)
	c.unique(root, "job_clusters", "job_cluster_key", true)
	c.unique(root, "environments", "environment_key", true)
	c.git(root.get("git_source"))
	c.webhooks(root, "")
}

func (c *checker) longest(o *node, key string, most int) {
	if v := o.get(key); v != nil && v.kind == nodeString && len(v.text) > most {
		c.err(v, key, "%d bytes; at most %d are allowed", len(v.text), most)
	}
}

func (c *checker) between(o *node, path, key string, low, high int64) {
	v := o.get(key)
	if v == nil || v.kind != nodeNumber {
		return
	}
	var n int64
	if _, err := fmt.Sscan(v.text, &n); err != nil || n < low || n > high {
		c.err(v, path+key, "%s is not between %d and %d", v.text, low, high)
	}
}

func (c *checker) parameters(root *node) {
	c.unique(root, "parameters", "name", true)
	for i, p := range root.list("parameters") {
		at := fmt.Sprintf("parameters[%d].", i)
		name := p.get("name")
		if name != nil && name.kind == nodeString && strings.Trim(name.text, wordChars+".-") != "" {
			c.err(name, at+"name", "%q: a parameter's name has letters, digits, _ . and - only", name.text)
		}
		if p.kind == nodeObject && p.get("default") == nil {
			c.err(p, at+"default", "a job parameter needs a default; it may be \"\"")
		}
		if d := p.get("default"); d != nil && d.kind == nodeString {
			c.references(d, at+"default", nil)
		}
	}
}

const wordChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// unique checks the keys of a list's elements.
func (c *checker) unique(root *node, list, key string, needed bool) {
	seen := map[string]int{}
	for i, it := range root.list(list) {
		if it.kind != nodeObject {
			continue
		}
		at := fmt.Sprintf("%s[%d].%s", list, i, key)
		k := it.get(key)
		switch {
		case k == nil || k.kind == nodeString && k.text == "":
			if needed {
				c.err(it, at, "%s is missing", key)
			}
		case k.kind == nodeString:
			if first, twice := seen[k.text]; twice {
				c.err(k, at, "%q is the %s of %s[%d] already", k.text, key, list, first)
				continue
			}
			seen[k.text] = i
		}
	}
}

func (c *checker) git(g *node) {
	if g == nil || g.kind != nodeObject {
		return
	}
	var given []string
	for _, key := range []string{"git_branch", "git_tag", "git_commit"} {
		if g.str(key) != "" {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		c.err(g, "git_source", "exactly one of git_branch, git_tag and git_commit is needed; given: %s", strings.Join(append(given, ""), " "))
	}
	for _, key := range []string{"git_url", "git_provider"} {
		if g.get(key) == nil {
			c.err(g, "git_source."+key, "%s is missing", key)
		}
	}
}

// webhooks checks how many notifications go out on each event.
func (c *checker) webhooks(o *node, path string) {
	w := o.get("webhook_notifications")
	if w == nil {
		return
	}
	for _, m := range w.members {
		if len(m.value.items) > 3 {
			c.err(m.value, path+"webhook_notifications."+m.key, "%d destinations; at most 3 are allowed", len(m.value.items))
		}
	}
}

// references checks the references of one string. within is the task that it
// stands in, nil for the job's own fields.
func (c *checker) references(n *node, path string, within *scopeOf) {
	for _, raw := range ref.Malformed(n.text) {
		c.warn(n, path, "%s is no reference and stays as text", shortened(raw))
	}
	for _, r := range ref.List(n.text) {
		name, err := ref.Parse(r)
		if err != nil {
			c.lack(n, path, "%s: %v", r, err)
			continue
		}
		c.reference(n, path, r, name, within)
	}
}

func shortened(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

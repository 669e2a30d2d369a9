package jobspec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flowctl/jobspec/ref"
)

// tasks checks each task and how they hang together.
func (c *checker) tasks(root *node) {
	job := c.entry.Job
	list := root.get("tasks")
	if list == nil {
		if len(job.Tasks) == 0 {
			c.lack(root, "tasks", "the job has no tasks")
		} else {
			c.work(root, "", nil)
		}
		return
	}
	if list.kind != nodeList {
		return // reported by its type
	}
	if len(list.items) == 0 {
		c.lack(list, "tasks", "the job has no tasks")
	}
	c.unique(root, "tasks", "task_key", true)
	for i, t := range list.items {
		if t.kind == nodeObject {
			c.task(t, fmt.Sprintf("tasks[%d].", i), nil)
		}
	}
	if cycle := job.Graph.Cycle(); cycle != nil {
		n := c.taskNode(job.Graph.Index(cycle[0])).get("depends_on")
		c.err(n, fmt.Sprintf("tasks[%d].depends_on", job.Graph.Index(cycle[0])), "the tasks wait for each other in a circle: %s", circleText(cycle))
	}
}

// circleText spells a cycle out; each task waits for the next.
func circleText(cycle []string) string {
	return strings.Join(cycle, " waits for ") + " waits for " + cycle[0]
}

// task checks one task; of a for_each's nested task, outer is the for_each's key.
func (c *checker) task(t *node, path string, outer *node) {
	key := t.get("task_key")
	if key != nil && key.kind == nodeString {
		if strings.Trim(key.text, wordChars+"-") != "" || len(key.text) > 100 {
			c.lack(key, path+"task_key", "%s: a task_key has 1 to 100 letters, digits, _ and -", key.brief())
		}
	}
	c.between(t, path, "max_retries", -1, 1<<31-1)
	c.between(t, path, "min_retry_interval_millis", 0, 1<<31-1)
	c.between(t, path, "timeout_seconds", 0, 1<<31-1)
	c.webhooks(t, path)
	c.dependencies(t, path, outer)
	c.compute(t, path)
	c.work(t, path, outer)
}

// work checks what a task does: its kind, and the references in it.
func (c *checker) work(t *node, path string, outer *node) {
	kind := c.kind(t, path)
	if kind == "" {
		return
	}
	within := &scopeOf{key: t.str("task_key"), nested: outer != nil}
	if outer != nil {
		within.key = outer.text
	}
	payload := t.get(string(kind))
	c.kindRules(t, payload, path, kind, outer, within)
	if kind != ForEachTask {
		c.refsIn(payload, path+string(kind), within, kind)
	}
}

// dependencies checks depends_on.
func (c *checker) dependencies(t *node, path string, outer *node) {
	deps := t.get("depends_on")
	if deps == nil {
		return
	}
	if outer != nil {
		c.err(deps, path+"depends_on", "the nested task of a for_each has no depends_on; put it on the for_each task")
		return
	}
	g := c.entry.Job.Graph
	for i, d := range deps.items {
		at := fmt.Sprintf("%sdepends_on[%d].", path, i)
		k := d.get("task_key")
		if k == nil || k.kind != nodeString {
			if d.kind == nodeObject && k == nil {
				c.err(d, at+"task_key", "task_key is missing")
			}
			continue
		}
		up := g.Index(k.text)
		if up < 0 {
			c.err(k, at+"task_key", "no task %q%s", k.text, didYouMean(k.text, g.keys))
			continue
		}
		if k.text == t.str("task_key") {
			c.err(k, at+"task_key", "the task waits for itself")
			continue
		}
		c.outcome(d.get("outcome"), at, &c.entry.Job.Tasks[up])
	}
}

func (c *checker) outcome(o *node, at string, up *Task) {
	if o == nil || o.kind != nodeString {
		return
	}
	if o.text != "true" && o.text != "false" {
		c.err(o, at+"outcome", "%q is neither \"true\" nor \"false\"", o.text)
		return
	}
	if up.Condition == nil {
		c.err(o, at+"outcome", "task %q is no condition_task, so it has no outcome; leave outcome away", up.Key)
	}
}

// compute checks what the task runs on.
func (c *checker) compute(t *node, path string) {
	var given []string
	for _, key := range []string{"existing_cluster_id", "new_cluster", "job_cluster_key", "environment_key"} {
		if v := t.get(key); v != nil && v.kind != nodeNull {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		c.err(t.get(given[1]), path+given[1], "a task runs on one thing; given: %s", strings.Join(given, ", "))
	}
	root := c.entry.root
	c.names(t, path, "job_cluster_key", root.list("job_clusters"), "job_clusters")
	c.names(t, path, "environment_key", root.list("environments"), "environments")
}

func (c *checker) names(t *node, path, key string, among []*node, list string) {
	v := t.get(key)
	if v == nil || v.kind != nodeString || strings.HasPrefix(v.text, "${") {
		return
	}
	var known []string
	for _, n := range among {
		known = append(known, n.str(key))
	}
	if slices.Contains(known, v.text) {
		return
	}
	hint := didYouMean(v.text, known)
	if len(known) == 0 {
		hint = "; the job has no " + list
	}
	c.lack(v, path+key, "no %s %q%s", key, v.text, hint)
}

// kind finds the one kind that a task must have.
func (c *checker) kind(t *node, path string) Type {
	var given []Type
	for _, k := range Kinds {
		if v := t.get(string(k)); v != nil && v.kind != nodeNull {
			given = append(given, k)
		}
	}
	switch len(given) {
	case 1:
		c.runnable(t, path, given[0])
		return given[0]
	case 0:
		var words []string
		for _, m := range t.members {
			if strings.HasSuffix(m.key, "task") {
				words = append(words, m.key)
			}
		}
		hint := ""
		if len(words) > 0 {
			hint = fmt.Sprintf("; %q is none%s", words[0], didYouMean(words[0], kindNames()))
		}
		c.lack(t, strings.TrimSuffix(path, "."), "the task says not what to do: it needs one of notebook_task, spark_python_task, python_wheel_task, condition_task, …%s", hint)
	default:
		c.err(t.get(string(given[1])), path+string(given[1]), "a task does one thing; given: %s and %s", given[0], given[1])
	}
	return ""
}

func kindNames() []string {
	var names []string
	for _, k := range Kinds {
		names = append(names, string(k))
	}
	return names
}

// runnable refuses a kind that has no local runner, before anything starts.
func (c *checker) runnable(t *node, path string, kind Type) {
	if c.opt.LocalKinds == nil || kind == ConditionTask || kind == ForEachTask || kind == RunJobTask {
		return
	}
	key := t.str("task_key")
	if slices.Contains(c.opt.LocalKinds, kind) || slices.Contains(c.opt.Remote, key) {
		return
	}
	if d := t.get("disabled"); d != nil && d.text == "true" {
		return
	}
	c.err(t.get(string(kind)), path+string(kind), "a %s cannot run on this machine; run the job on a workspace, or leave the task out: run --only the others, validate --remote %s", kind, key)
}

// kindRules are the rules of single kinds.
func (c *checker) kindRules(t, p *node, path string, kind Type, outer *node, within *scopeOf) {
	if p.kind != nodeObject {
		return // reported by its type
	}
	at := path + string(kind) + "."
	switch kind {
	case NotebookTask:
		c.needs(p, at, "notebook_path")
	case SparkPythonTask:
		c.needs(p, at, "python_file")
	case PythonWheelTask:
		c.needs(p, at, "package_name")
		c.needs(p, at, "entry_point")
		if n := p.get("named_parameters"); n != nil && p.get("parameters") != nil {
			c.lack(n, at+"named_parameters", "parameters and named_parameters exclude each other")
		}
	case SQLTask:
		c.oneOf(p, at, "query", "file", "dashboard", "alert")
	case DbtTask:
		c.dbt(p, at)
	case PipelineTask:
		c.pipeline(t, p, at)
	case ConditionTask:
		c.condition(p, at)
	case ForEachTask:
		c.forEach(t, p, at, outer, within)
	case RunJobTask:
		if p.get("job_id") == nil {
			c.lack(p, at+"job_id", "job_id is missing")
		}
	}
}

func (c *checker) needs(p *node, at, key string) {
	if v := p.get(key); v == nil || v.kind == nodeString && v.text == "" {
		c.lack(p, at+key, "%s is missing", key)
	}
}

func (c *checker) oneOf(p *node, at string, keys ...string) {
	n := 0
	for _, k := range keys {
		if p.get(k) != nil {
			n++
		}
	}
	if n != 1 {
		c.lack(p, strings.TrimSuffix(at, "."), "exactly one of %s is needed", strings.Join(keys, ", "))
	}
}

func (c *checker) condition(p *node, at string) {
	c.needs(p, at, "op")
	for _, side := range []string{"left", "right"} {
		v := p.get(side)
		if v == nil {
			c.lack(p, at+side, "%s is missing", side)
			continue
		}
		op := p.str("op")
		if v.kind != nodeString || op == "EQUAL_TO" || op == "NOT_EQUAL" || op == "" || strings.Contains(v.text, "{{") {
			continue
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(v.text), 64); err != nil && !strings.Contains(err.Error(), "range") {
			c.lack(v, at+side, "%s compares numbers, and %q is none", op, v.text)
		}
	}
}

// Limits of for_each inputs as the Databricks page on for_each gives them;
// the number of iterations is stated nowhere, and this engine's own limit.
const (
	maxInputChars  = 10_000
	maxIterations  = 5000
	maxConcurrency = 100
)

func (c *checker) forEach(t, p *node, at string, outer *node, within *scopeOf) {
	if outer != nil {
		c.err(p, strings.TrimSuffix(at, "."), "a for_each inside a for_each is not allowed; give the inner one a job of its own and run that with run_job_task")
		return
	}
	c.needs(p, at, "inputs")
	c.between(p, at, "concurrency", 1, maxConcurrency)
	if in := p.get("inputs"); in != nil && in.kind == nodeString {
		c.references(in, at+"inputs", within)
		c.inputs(in, at+"inputs")
	}
	nested := p.get("task")
	if nested == nil {
		c.lack(p, at+"task", "task is missing: what to do for each input")
		return
	}
	if nested.kind == nodeObject {
		key := t.get("task_key")
		if key == nil {
			key = &node{}
		}
		if nested.get("task_key") == nil {
			c.err(nested, at+"task.task_key", "task_key is missing")
		}
		c.task(nested, at+"task.", key)
	}
}

// inputs checks a literal list.
func (c *checker) inputs(in *node, path string) {
	if strings.Contains(in.text, "{{") || in.text == "" {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(in.text), &list) != nil {
		c.lack(in, path, "%s is neither a JSON array nor a reference to one", in.brief())
		return
	}
	if len(in.text) > maxInputChars {
		c.lack(in, path, "%d characters; literal inputs have at most %d. Have a task set them as a task value", len(in.text), maxInputChars)
	}
	if len(list) > maxIterations {
		c.lack(in, path, "%d elements; at most %d are allowed", len(list), maxIterations)
	}
}

// scopeOf is the task in which a reference stands.
type scopeOf struct {
	key    string
	nested bool // inside a for_each
}

// refsIn checks the references in every string of a payload.
func (c *checker) refsIn(n *node, path string, within *scopeOf, kind Type) {
	switch n.kind {
	case nodeString:
		c.references(n, path, within)
	case nodeList:
		for i, it := range n.items {
			c.refsIn(it, fmt.Sprintf("%s[%d]", path, i), within, kind)
		}
	case nodeObject:
		for _, m := range n.members {
			c.refsIn(m.value, path+"."+m.key, within, kind)
		}
	}
}

// reference checks what a well-written reference names.
func (c *checker) reference(n *node, path string, r ref.Ref, name ref.Name, within *scopeOf) {
	if name.Instead != "" {
		c.warn(n, path, "%s is an old form; write %s", r, name.Instead)
	}
	switch {
	case name.Kind == ref.Unknown:
		return // Databricks leaves it as text, and sql tasks have such names of their own
	case name.Kind == ref.Input && (within == nil || !within.nested):
		c.warn(n, path, "%s has a value only inside a for_each's task; here it stays as text", r)
	case name.Kind == ref.JobParameter:
		c.parameterRef(n, path, r, name.Key)
	case name.Task != "":
		c.taskRef(n, path, r, name.Task, within)
	case strings.HasPrefix(string(name.Kind), "task.") && within == nil:
		c.lack(n, path, "%s is about a task, and this is the job's own", r)
	}
}

func (c *checker) parameterRef(n *node, path string, r ref.Ref, key string) {
	var known []string
	for _, p := range c.entry.Job.Parameters {
		known = append(known, p.Name)
	}
	if slices.Contains(known, key) {
		return
	}
	hint := didYouMean(key, known)
	if len(known) == 0 {
		hint = "; the job declares no parameters"
	}
	c.lack(n, path, "%s: no job parameter %q%s", r, key, hint)
}

func (c *checker) taskRef(n *node, path string, r ref.Ref, task string, within *scopeOf) {
	g := c.entry.Job.Graph
	switch {
	case within == nil:
		c.lack(n, path, "%s: tasks have not run when the job's own fields are read", r)
	case g.Index(task) < 0:
		c.lack(n, path, "%s: no task %q%s", r, task, didYouMean(task, g.keys))
	case g.Cycle() == nil && !slices.Contains(g.Ancestors(within.key), task):
		c.lack(n, path, "%s: task %q does not come before %q; add it to depends_on", r, task, within.key)
	}
}

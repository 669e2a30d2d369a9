// Package draw renders a job's task graph: as text, dot, mermaid, SVG or JSON.
// It draws what was asked, never how a run went.
package draw

import (
	"encoding/json"
	"fmt"
	"strings"

	"flowctl/jobspec"
)

// Formats are the formats that Graph knows.
var Formats = []string{"text", "dot", "mermaid", "svg", "json"}

// Graph renders a job's graph. Its tasks must form no cycle.
func Graph(job *jobspec.Job, format string) (string, error) {
	switch format {
	case "text":
		return text(job), nil
	case "dot":
		return dot(job), nil
	case "mermaid":
		return mermaid(job), nil
	case "svg":
		return svg(job), nil
	case "json":
		return asJSON(job)
	}
	return "", fmt.Errorf("-o %s: the formats are %s", format, strings.Join(Formats, ", "))
}

// edge is a dependency with its label: the outcome it waits for.
type edge struct{ from, to, label string }

func edges(job *jobspec.Job) []edge {
	var list []edge
	for i := range job.Tasks {
		for _, d := range job.Tasks[i].DependsOn {
			list = append(list, edge{d.TaskKey, job.Tasks[i].Key, d.Outcome})
		}
	}
	return list
}

// note is what stands beside a task's key.
func note(t *jobspec.Task) string {
	var parts []string
	kind := strings.TrimSuffix(string(t.Type), "_task")
	switch {
	case t.Condition != nil:
		kind = fmt.Sprintf("if %s %s %s", t.Condition.Left, t.Condition.Op, t.Condition.Right)
	case t.ForEach != nil && t.ForEach.Task != nil:
		kind = "for each " + strings.TrimSuffix(string(t.ForEach.Task.Type), "_task")
	}
	parts = append(parts, kind)
	if t.RunIf != jobspec.AllSuccess {
		parts = append(parts, string(t.RunIf))
	}
	if t.Disabled {
		parts = append(parts, "disabled")
	}
	return strings.Join(parts, ", ")
}

// text draws a tree: each task stands once in full below the first task it
// waits for, and as a mention below the others.
func text(job *jobspec.Job) string {
	var b strings.Builder
	if job.Name != "" {
		b.WriteString(job.Name + "\n")
	}
	shown := map[string]bool{}
	var roots []string
	for i := range job.Tasks {
		if len(job.Tasks[i].DependsOn) == 0 {
			roots = append(roots, job.Tasks[i].Key)
		}
	}
	for i, r := range roots {
		branch(&b, job, r, "", "", i == len(roots)-1, shown)
	}
	return b.String()
}

func branch(b *strings.Builder, job *jobspec.Job, key, outcome, prefix string, last bool, shown map[string]bool) {
	t := &job.Tasks[job.Graph.Index(key)]
	arm, next := "├─ ", "│  "
	if last {
		arm, next = "└─ ", "   "
	}
	if outcome != "" {
		outcome = "[" + outcome + "] "
	}
	again := shown[key]
	suffix := ""
	if again {
		suffix = " …"
	}
	fmt.Fprintf(b, "%s%s%s%s (%s)%s\n", prefix, arm, outcome, key, note(t), suffix)
	if again {
		return
	}
	shown[key] = true
	below := job.Graph.Downstream(key)
	for i, d := range below {
		branch(b, job, d, outcomeOf(job, d, key), prefix+next, i == len(below)-1, shown)
	}
}

func outcomeOf(job *jobspec.Job, key, up string) string {
	for _, d := range job.Tasks[job.Graph.Index(key)].DependsOn {
		if d.TaskKey == up {
			return d.Outcome
		}
	}
	return ""
}

func dot(job *jobspec.Job) string {
	var b strings.Builder
	b.WriteString("digraph job {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n")
	for i := range job.Tasks {
		t := &job.Tasks[i]
		shape := ""
		if t.Condition != nil {
			shape = ", shape=diamond"
		}
		fmt.Fprintf(&b, "  %q [label=%q%s];\n", t.Key, t.Key+"\n"+note(t), shape)
	}
	for _, e := range edges(job) {
		label := ""
		if e.label != "" {
			label = fmt.Sprintf(" [label=%q]", e.label)
		}
		fmt.Fprintf(&b, "  %q -> %q%s;\n", e.from, e.to, label)
	}
	b.WriteString("}\n")
	return b.String()
}

func mermaid(job *jobspec.Job) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	id := func(key string) string { return fmt.Sprintf("t%d", job.Graph.Index(key)) }
	clean := strings.NewReplacer(`"`, "#quot;", "{", "#123;", "}", "#125;", "<", "#lt;", ">", "#gt;")
	for i := range job.Tasks {
		t := &job.Tasks[i]
		open, shut := `["`, `"]`
		if t.Condition != nil {
			open, shut = `{"`, `"}`
		}
		fmt.Fprintf(&b, "  %s%s%s<br/><small>%s</small>%s\n", id(t.Key), open, t.Key, clean.Replace(note(t)), shut)
	}
	for _, e := range edges(job) {
		arrow := "-->"
		if e.label != "" {
			arrow = "-->|" + e.label + "|"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", id(e.from), arrow, id(e.to))
	}
	return b.String()
}

func asJSON(job *jobspec.Job) (string, error) {
	type jsonNode struct {
		Key       string               `json:"task_key"`
		Type      jobspec.Type         `json:"type"`
		RunIf     jobspec.RunIf        `json:"run_if"`
		DependsOn []jobspec.Dependency `json:"depends_on"`
		Level     int                  `json:"level"`
	}
	level := levels(job)
	nodes := make([]jsonNode, 0, len(job.Tasks))
	for i := range job.Tasks {
		t := &job.Tasks[i]
		deps := t.DependsOn
		if deps == nil {
			deps = []jobspec.Dependency{}
		}
		nodes = append(nodes, jsonNode{t.Key, t.Type, t.RunIf, deps, level[t.Key]})
	}
	out, err := json.MarshalIndent(map[string]any{"name": job.Name, "tasks": nodes}, "", "  ")
	return string(out) + "\n", err
}

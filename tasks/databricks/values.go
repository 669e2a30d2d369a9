package databricks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/jobspec/ref"
	"flowctl/tasks"
)

// Task values come back in two ways, because no API of a workspace reads
// them. A notebook that ends with dbutils.notebook.exit of a JSON object sets
// each member as a value. And the values that other tasks of the job refer to
// as {{tasks.KEY.values.NAME}} are operands of condition tasks that follow
// the task in its run: they need no compute, and runs/get shows what their
// operands came out as. What only code asks for, by dbutils.jobs.taskValues,
// does not come back unless it is in the JSON. An operand has no type: what
// reads as a JSON number, boolean, list or object becomes one, the rest is text.

// watchPrefix begins the keys of the condition tasks that we append.
const watchPrefix = "flowctl_values_"

// askFor appends the conditions that show the values which the job refers to.
func (s *submit) askFor(a tasks.Attempt) error {
	names := wanted(a)
	for i := 0; i < len(names); i += 2 {
		pair := []string{names[i], names[i]}
		if i+1 < len(names) {
			pair[1] = names[i+1]
		}
		raw, err := json.Marshal(map[string]any{
			"task_key": fmt.Sprintf("%s%d", watchPrefix, i/2), "depends_on": []any{map[string]string{"task_key": a.Key}},
			"condition_task": map[string]string{"op": "EQUAL_TO", "left": valueRef(a.Key, pair[0]), "right": valueRef(a.Key, pair[1])},
		})
		if err != nil {
			return invalid("task %s: %v", a.Key, err)
		}
		s.Tasks = append(s.Tasks, raw)
	}
	return nil
}

func valueRef(task, key string) string { return fmt.Sprintf("{{tasks.%s.values.%s}}", task, key) }

// wanted are the values of a task that its job refers to, sorted. An
// iteration's values are not seen outside of its for_each.
func wanted(a tasks.Attempt) []string {
	if a.Job == nil || a.Job.Graph == nil || a.Job.Graph.Index(a.Key) < 0 {
		return nil
	}
	set := map[string]bool{}
	for _, r := range ref.List(string(a.Job.Source)) {
		n, err := ref.Parse(r)
		if err == nil && n.Task == a.Key && (n.Kind == ref.UpstreamValue || n.Kind == ref.UpstreamParameter) && !strings.ContainsAny(n.Key, "\"\\") {
			set[n.Key] = true
		}
	}
	names := make([]string, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	slices.Sort(names)
	return names[:min(len(names), 2*maxConditions)]
}

// maxConditions keeps a run below the hundred tasks that one runs/get answers.
const maxConditions = 90

// shownValues reads the values out of the conditions of an ended run.
func shownValues(run *jobs.Run, a tasks.Attempt) map[string]json.RawMessage {
	names := wanted(a)
	values := map[string]json.RawMessage{}
	for _, t := range run.Tasks {
		var i int
		if _, err := fmt.Sscanf(t.TaskKey, watchPrefix+"%d", &i); err != nil || t.ResolvedValues == nil || t.ResolvedValues.ConditionTask == nil {
			continue
		}
		c := t.ResolvedValues.ConditionTask
		for n, text := range []string{c.Left, c.Right} {
			if k := 2*i + n; k < len(names) && text != valueRef(a.Key, names[k]) {
				values[names[k]] = typed(text)
			}
		}
	}
	return values
}

// typed gives the text of an operand the type that it reads as.
func typed(text string) json.RawMessage {
	if trimmed := strings.TrimSpace(text); trimmed == text && json.Valid([]byte(text)) && text[0] != '"' && text != "null" {
		return json.RawMessage(text)
	}
	raw, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return raw
}

// exitValues are the members of the JSON object that a notebook ended with;
// nil if it ended with anything else.
func exitValues(result string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if !strings.HasPrefix(strings.TrimSpace(result), "{") || json.Unmarshal([]byte(result), &m) != nil {
		return nil
	}
	return m
}

// maxValue is how large a task value may be as JSON.
//
// Source: the Databricks page on task values: 48 KiB.
const maxValue = 48 << 10

// publish tells the sink of values, and notes those that are too large.
func publish(values map[string]json.RawMessage, out tasks.Sink) error {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		var compact bytes.Buffer
		if err := json.Compact(&compact, values[k]); err != nil {
			continue
		}
		if compact.Len() > maxValue {
			out.Note(fmt.Sprintf("task value %s has %d bytes; at most %d are kept", k, compact.Len(), maxValue))
			continue
		}
		if err := out.SetValue(k, compact.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

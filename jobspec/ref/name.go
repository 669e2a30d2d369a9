package ref

import (
	"fmt"
	"strings"
)

// Kind is what a reference names.
type Kind string

// Every reference that there is.
//
// Source: the Databricks page on dynamic value references.
const (
	Unknown            Kind = "" // a namespace of somebody else: stays as text
	JobID              Kind = "job.id"
	JobName            Kind = "job.name"
	JobRunID           Kind = "job.run_id"
	JobRepairCount     Kind = "job.repair_count"
	JobStartTime       Kind = "job.start_time" // Field
	JobParameter       Kind = "job.parameters" // Key
	TriggerType        Kind = "job.trigger.type"
	TriggerTime        Kind = "job.trigger.time" // Field
	TriggerLocation    Kind = "job.trigger.file_arrival.location"
	TriggerTables      Kind = "job.trigger.table_update.updated_tables"
	TriggerTable       Kind = "job.trigger.table_update" // Key is the table; Field: version, or commit_timestamp.F
	TaskName           Kind = "task.name"
	TaskRunID          Kind = "task.run_id"
	TaskExecutionCount Kind = "task.execution_count"
	TaskNotebookPath   Kind = "task.notebook_path"
	UpstreamRunID      Kind = "tasks.run_id"             // Task
	UpstreamCount      Kind = "tasks.execution_count"    // Task
	UpstreamNotebook   Kind = "tasks.notebook_path"      // Task
	UpstreamResult     Kind = "tasks.result_state"       // Task
	UpstreamError      Kind = "tasks.error_code"         // Task
	UpstreamValue      Kind = "tasks.values"             // Task, Key
	UpstreamParameter  Kind = "tasks.parameters"         // Task, Key: the article's form
	UpstreamRows       Kind = "tasks.output.rows"        // Task
	UpstreamFirstRow   Kind = "tasks.output.first_row"   // Task, Key: a column, or empty
	UpstreamAlert      Kind = "tasks.output.alert_state" // Task
	WorkspaceID        Kind = "workspace.id"
	WorkspaceURL       Kind = "workspace.url"
	Input              Kind = "input"    // Key: a field, or empty
	Backfill           Kind = "backfill" // Field
)

// Name is a reference understood.
type Name struct {
	Kind    Kind
	Task    string
	Key     string
	Field   string
	Instead string // of an old form: the official reference to write
}

// Parse understands a reference. Kind Unknown means that Databricks leaves it
// as text; an error, that its namespace is known and the path in it is not,
// with the nearest right word.
func Parse(r Ref) (Name, error) {
	p := r.Path
	switch p[0] {
	case "job":
		return parseJob(p)
	case "task":
		return parseTask(p)
	case "tasks":
		return parseUpstream(p)
	case "workspace":
		return one(p, map[string]Kind{"id": WorkspaceID, "url": WorkspaceURL})
	case "backfill":
		if len(p) != 2 {
			return Name{}, fmt.Errorf("write backfill.FIELD, FIELD one of %s", strings.Join(timeFields, ", "))
		}
		return Name{Kind: Backfill, Field: p[1]}, checkField(p[1])
	case "input":
		if len(p) > 2 {
			return Name{}, fmt.Errorf("only one level can be read: input.%s", p[1])
		}
		return Name{Kind: Input, Key: strings.Join(p[1:], "")}, nil
	}
	return oldForm(p), nil
}

// oldForm knows the references from before there were namespaces, and those
// that older articles use.
func oldForm(p []string) Name {
	if len(p) != 1 {
		return Name{}
	}
	switch p[0] {
	case "job_id":
		return Name{Kind: JobID, Instead: "{{job.id}}"}
	case "run_id":
		return Name{Kind: TaskRunID, Instead: "{{task.run_id}}"}
	case "start_date", "date":
		return Name{Kind: JobStartTime, Field: "iso_date", Instead: "{{job.start_time.iso_date}}"}
	case "start_time":
		return Name{Kind: JobStartTime, Field: "timestamp_ms", Instead: "{{job.start_time.timestamp_ms}}"}
	case "task_retry_count":
		return Name{Kind: TaskExecutionCount, Field: "retries", Instead: "{{task.execution_count}}"}
	case "parent_run_id":
		return Name{Kind: JobRunID, Instead: "{{job.run_id}}"}
	case "task_key":
		return Name{Kind: TaskName, Instead: "{{task.name}}"}
	}
	return Name{}
}

func parseJob(p []string) (Name, error) {
	if len(p) >= 3 && p[1] == "parameters" {
		if len(p) > 3 {
			return Name{}, fmt.Errorf("a parameter's value has no fields; write {{job.parameters.%s}}, or the name in backticks if it holds dots", p[2])
		}
		return Name{Kind: JobParameter, Key: p[2]}, nil
	}
	if len(p) == 3 && p[1] == "start_time" {
		return Name{Kind: JobStartTime, Field: p[2]}, checkField(p[2])
	}
	if len(p) >= 2 && p[1] == "trigger" {
		return parseTrigger(p)
	}
	if len(p) == 2 && (p[1] == "parameters" || p[1] == "start_time") {
		return Name{}, fmt.Errorf("say which: {{job.%s.NAME}}", p[1])
	}
	return one(p, map[string]Kind{"id": JobID, "name": JobName, "run_id": JobRunID, "repair_count": JobRepairCount},
		"parameters", "start_time", "trigger")
}

func parseTrigger(p []string) (Name, error) {
	switch {
	case len(p) == 3 && p[2] == "type":
		return Name{Kind: TriggerType}, nil
	case len(p) == 4 && p[2] == "time":
		return Name{Kind: TriggerTime, Field: p[3]}, checkField(p[3])
	case len(p) == 4 && p[2] == "file_arrival" && p[3] == "location":
		return Name{Kind: TriggerLocation}, nil
	case len(p) == 4 && p[2] == "table_update" && p[3] == "updated_tables":
		return Name{Kind: TriggerTables}, nil
	case len(p) > 4 && p[2] == "table_update":
		return parseTable(p[3:])
	}
	return Name{}, fmt.Errorf("no such reference; there are job.trigger.type, .time.FIELD, .file_arrival.location, .table_update.updated_tables, .table_update.TABLE.version")
}

// parseTable reads TABLE.version or TABLE.commit_timestamp.FIELD; a table's
// name may be one part in backticks, or three.
func parseTable(p []string) (Name, error) {
	n := len(p)
	switch {
	case p[n-1] == "version" || p[n-1] == "commit_timestamp":
		return Name{Kind: TriggerTable, Key: strings.Join(p[:n-1], "."), Field: p[n-1]}, nil
	case n > 2 && p[n-2] == "commit_timestamp":
		return Name{Kind: TriggerTable, Key: strings.Join(p[:n-2], "."), Field: "commit_timestamp." + p[n-1]}, checkField(p[n-1])
	}
	return Name{}, fmt.Errorf("%s: write version or commit_timestamp.FIELD", p[n-1])
}

func parseTask(p []string) (Name, error) {
	return one(p, map[string]Kind{
		"name": TaskName, "run_id": TaskRunID, "execution_count": TaskExecutionCount, "notebook_path": TaskNotebookPath,
	})
}

func parseUpstream(p []string) (Name, error) {
	if len(p) < 3 {
		return Name{}, fmt.Errorf("write {{tasks.TASK.values.KEY}}, or another field of a task")
	}
	n := Name{Task: p[1]}
	rest := p[2:]
	switch {
	case rest[0] == "values" || rest[0] == "parameters":
		return upstreamKey(n, rest)
	case rest[0] == "output" && len(rest) >= 2:
		return upstreamOutput(n, rest[1:])
	}
	m, err := one(append([]string{"tasks." + p[1]}, rest...), map[string]Kind{
		"run_id": UpstreamRunID, "execution_count": UpstreamCount, "notebook_path": UpstreamNotebook,
		"result_state": UpstreamResult, "error_code": UpstreamError,
	}, "values", "output")
	m.Task = p[1]
	return m, err
}

func upstreamKey(n Name, rest []string) (Name, error) {
	if len(rest) == 1 {
		return n, fmt.Errorf("say which value: {{tasks.%s.values.KEY}}", n.Task)
	}
	if len(rest) > 2 {
		return n, fmt.Errorf("a task value's fields cannot be read by a reference; have the task set %s as a value of its own", strings.Join(rest[1:], "_"))
	}
	n.Kind, n.Key = UpstreamValue, rest[1]
	if rest[0] == "parameters" {
		n.Kind, n.Instead = UpstreamParameter, fmt.Sprintf("{{tasks.%s.values.%s}}", n.Task, n.Key)
	}
	return n, nil
}

func upstreamOutput(n Name, rest []string) (Name, error) {
	switch {
	case rest[0] == "rows" && len(rest) == 1:
		n.Kind = UpstreamRows
	case rest[0] == "alert_state" && len(rest) == 1:
		n.Kind = UpstreamAlert
	case rest[0] == "first_row" && len(rest) <= 2:
		n.Kind, n.Key = UpstreamFirstRow, strings.Join(rest[1:], "")
	default:
		return n, fmt.Errorf("no output %q; there are output.rows, output.first_row, output.first_row.COLUMN and output.alert_state", strings.Join(rest, "."))
	}
	return n, nil
}

// one reads a path of two parts whose second is one of a few words.
func one(p []string, words map[string]Kind, more ...string) (Name, error) {
	if len(p) == 2 {
		if k, ok := words[p[1]]; ok {
			return Name{Kind: k}, nil
		}
	}
	known := append([]string(nil), more...)
	for w := range words {
		known = append(known, w)
	}
	if len(p) < 2 {
		return Name{}, fmt.Errorf("say what of it: %s.%s", p[0], known[0])
	}
	if near := Nearest(p[1], known); near != "" && near != p[1] {
		return Name{}, fmt.Errorf("no %q in %s; did you mean %q?", p[1], p[0], near)
	}
	return Name{}, fmt.Errorf("no %q in %s", strings.Join(p[1:], "."), p[0])
}

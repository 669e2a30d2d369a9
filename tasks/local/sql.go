package local

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// sqlRunner runs sql_task: a file of SQL, or a query whose text was put into
// the data directory. A warehouse is the run's own Spark.
type sqlRunner struct{ o *Options }

func (r *sqlRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := sqlPayload(a.Task.Payload)
		if err != nil {
			return launch{}, err
		}
		path, root, err := r.source(ctx, a, out, t)
		if err != nil {
			return launch{}, err
		}
		bindings := maps.Clone(t.Parameters)
		if bindings == nil {
			bindings = map[string]string{}
		}
		maps.Copy(bindings, a.Parameters)
		return r.o.python(ctx, a, out, python.Context{Kind: "sql", Path: path, Bindings: bindings, CodeDir: root, EntryPoint: t.WarehouseId})
	})
}

// sqlPayload reads the payload, whose warehouse the SDK's type insists on.
func sqlPayload(raw json.RawMessage) (jobs.SqlTask, error) {
	var t jobs.SqlTask
	if err := json.Unmarshal(raw, &t); err != nil {
		return t, invalid("sql_task: %v", err)
	}
	return t, nil
}

// source is the file that holds the task's SQL.
func (r *sqlRunner) source(ctx context.Context, a tasks.Attempt, out tasks.Sink, t jobs.SqlTask) (path, root string, err error) {
	switch {
	case t.File != nil:
		p, err := r.o.locate(ctx, a, out, "sql_task.file.path", t.File.Path, string(t.File.Source))
		if err != nil {
			return "", "", err
		}
		if _, err := os.Stat(p.path); err != nil && filepath.Ext(p.path) == "" {
			p.path += ".sql" // a workspace knows a file by its name with or without it
		}
		return p.path, p.root, present("sql_task.file.path", p.path, ".sql")
	case t.Query != nil:
		dir := filepath.Join(a.Home, "sql_objects")
		id := t.Query.QueryId
		if id == "" || strings.ContainsAny(id, `/\`) || id == ".." {
			return "", "", invalid("sql_task.query.query_id: %q is no id of a query", id)
		}
		path := filepath.Join(dir, id+".sql")
		if _, err := os.Stat(path); err != nil {
			return "", "", notFound("sql_task.query.query_id: the text of query %s is on the workspace only; put it into %s, or use sql_task.file", id, path)
		}
		return path, dir, nil
	case t.Alert != nil:
		return "", "", elsewhere("sql_task.alert", "an alert")
	case t.Dashboard != nil:
		return "", "", elsewhere("sql_task.dashboard", "a dashboard")
	}
	return "", "", invalid("sql_task: one of file, query, alert and dashboard is needed")
}

// elsewhere refuses what only a workspace has.
func elsewhere(field, what string) error {
	return invalid("%s", fmt.Sprintf("%s: %s is on a workspace only; run the task there with --remote, or leave it out with --only", field, what))
}

// present refuses a path that is no file, and says what may have been meant.
func present(field, path, ext string) error {
	if st, err := os.Stat(path); err != nil {
		return notFound("%s: no file %s%s", field, path, beside(path, ext))
	} else if !st.Mode().IsRegular() {
		return notFound("%s: %s is no file", field, path)
	}
	return nil
}

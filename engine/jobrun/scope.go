package jobrun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/jobspec"
	"flowctl/jobspec/ref"
)

// scope gives references their values from the run's own state.
type scope struct {
	run  *Run
	task *TaskRun // whose attempt is about to start; nil while job parameters are resolved
}

// Resolve is the table of dynamic value references.
//
// Source: the Databricks page on dynamic value references.
func (s *scope) Resolve(r ref.Ref) (string, bool, error) {
	n, err := ref.Parse(r)
	if err != nil || n.Kind == ref.Unknown {
		return "", false, err
	}
	if n.Kind == ref.Input {
		return s.input(n)
	}
	v, err := s.value(n)
	return v, err == nil, err
}

func (s *scope) value(n ref.Name) (string, error) {
	switch {
	case n.Task != "":
		return s.upstream(n)
	case strings.HasPrefix(string(n.Kind), "task."):
		return s.own(n)
	case strings.HasPrefix(string(n.Kind), "job.trigger."):
		return s.trigger(n)
	}
	r := s.run
	switch n.Kind {
	case ref.JobID:
		return id(r.JobID), nil
	case ref.JobName:
		return r.Name, nil
	case ref.JobRunID:
		return id(r.ID), nil
	case ref.JobRepairCount:
		return strconv.Itoa(max(len(r.Repairs)-1, 0)), nil
	case ref.JobStartTime:
		return field(r.Created, n.Field)
	case ref.JobParameter:
		return s.parameter(n.Key)
	case ref.WorkspaceID:
		return r.WorkspaceID, nil
	case ref.WorkspaceURL:
		return r.WorkspaceURL, nil
	case ref.Backfill:
		if r.Trigger.Backfill.IsZero() {
			return "", fmt.Errorf("this run is no backfill")
		}
		return field(r.Trigger.Backfill, n.Field)
	}
	return "", fmt.Errorf("has no value here")
}

func (s *scope) parameter(key string) (string, error) {
	params := s.run.Parameters
	if s.task != nil {
		params = s.run.parametersOf(s.task.Last())
	}
	if v, ok := params[key]; ok {
		return v, nil
	}
	var known []string
	for _, p := range s.run.Job.Parameters {
		known = append(known, p.Name)
	}
	if near := ref.Nearest(key, known); near != "" {
		return "", fmt.Errorf("the job has no parameter %q; did you mean %q?", key, near)
	}
	return "", fmt.Errorf("the job has no parameter %q", key)
}

func (s *scope) trigger(n ref.Name) (string, error) {
	t := s.run.Trigger
	switch n.Kind {
	case ref.TriggerType:
		return triggerWord(t.Type), nil
	case ref.TriggerTime:
		at := t.Time
		if at.IsZero() {
			at = s.run.Created
		}
		return field(at.Truncate(time.Minute), n.Field)
	case ref.TriggerLocation:
		return t.Location, nil
	case ref.TriggerTables:
		names := []string{}
		for _, tv := range t.Tables {
			names = append(names, tv.Table)
		}
		if len(names) == 0 {
			return "", nil
		}
		raw, err := json.Marshal(names)
		return string(raw), err
	}
	for _, tv := range t.Tables {
		if tv.Table != n.Key {
			continue
		}
		if n.Field == "version" {
			return strconv.FormatInt(tv.Version, 10), nil
		}
		return field(tv.Timestamp, strings.TrimPrefix(strings.TrimPrefix(n.Field, "commit_timestamp"), "."))
	}
	return "", nil
}

// triggerWord is a trigger's type as {{job.trigger.type}} spells it.
func triggerWord(t TriggerType) string {
	switch t {
	case OneTime, RetryTrigger:
		return "onetime"
	case ContinuousRestart:
		return "continuous"
	}
	return strings.ToLower(string(t))
}

// own is about the attempt that is about to start.
func (s *scope) own(n ref.Name) (string, error) {
	if s.task == nil {
		return "", fmt.Errorf("is about a task; a job parameter is resolved before any task starts")
	}
	a := s.task.Last()
	switch n.Kind {
	case ref.TaskName:
		return s.task.Key, nil
	case ref.TaskRunID:
		return id(a.RunID), nil
	case ref.TaskNotebookPath:
		return notebookPath(s.run.def(s.task)), nil
	}
	if n.Field == "retries" {
		return strconv.Itoa(a.Number), nil
	}
	return strconv.Itoa(a.Number + 1), nil
}

// upstream is about another task of the run.
func (s *scope) upstream(n ref.Name) (string, error) {
	t := s.run.byKey[n.Task]
	if t == nil {
		if s.run.Job.Graph.Index(n.Task) >= 0 {
			return "", fmt.Errorf("task %q is not part of this run", n.Task)
		}
		return "", fmt.Errorf("the job has no task %q", n.Task)
	}
	a := t.Last()
	switch n.Kind {
	case ref.UpstreamRunID:
		return id(a.RunID), nil
	case ref.UpstreamCount:
		return strconv.Itoa(a.Number + 1), nil
	case ref.UpstreamNotebook:
		return notebookPath(s.run.def(t)), nil
	case ref.UpstreamResult:
		return resultWord(a.Status.Result), nil
	case ref.UpstreamError:
		return errorWord(a.Status), nil
	case ref.UpstreamValue, ref.UpstreamParameter:
		return s.taskValue(t, n)
	}
	return rowsOf(t, n)
}

// taskValue is a value that a task set. The article's tasks.T.parameters.K
// falls back on the parameter K of T.
func (s *scope) taskValue(t *TaskRun, n ref.Name) (string, error) {
	if raw, ok := t.Values[n.Key]; ok {
		return bare(raw), nil
	}
	if n.Kind == ref.UpstreamParameter {
		params, err := stringMap(s.run.def(t).Payload, keyed[s.run.def(t).Type])
		if v, ok := params[n.Key]; ok && err == nil {
			return ref.Expand(v, &scope{run: s.run, task: t})
		}
	}
	return "", fmt.Errorf("task %s has not set a value %q%s", t.Key, n.Key, setValues(t, n.Key))
}

// setValues ends the message about a missing value: what there is instead.
func setValues(t *TaskRun, key string) string {
	keys := slices.Sorted(maps.Keys(t.Values))
	switch near := ref.Nearest(key, keys); {
	case len(keys) == 0:
		return "; it has set none"
	case near != "":
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Sprintf("; it has set %q", keys)
}

// rowsOf is what a sql task returned.
func rowsOf(t *TaskRun, n ref.Name) (string, error) {
	if t.Rows == nil {
		return "", fmt.Errorf("task %s has no output that can be referred to; only sql tasks have", t.Key)
	}
	if n.Kind == ref.UpstreamAlert {
		return t.Rows.AlertState, nil
	}
	if n.Kind == ref.UpstreamRows {
		return string(t.Rows.Rows), nil
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(t.Rows.Rows, &rows); err != nil || len(rows) == 0 {
		return "", fmt.Errorf("task %s returned no row", t.Key)
	}
	if n.Key == "" {
		return string(rows[0]), nil
	}
	return fieldOf(rows[0], n.Key)
}

// input is the element that an iteration is about. Outside of a for_each the
// reference is no reference.
func (s *scope) input(n ref.Name) (string, bool, error) {
	if s.task == nil || s.task.parent == nil {
		return "", false, nil
	}
	el := s.task.parent.ForEach.Inputs[s.task.Index]
	if n.Key == "" {
		return bare(el), true, nil
	}
	v, err := fieldOf(el, n.Key)
	return v, err == nil, err
}

func fieldOf(obj json.RawMessage, key string) (string, error) {
	o, err := parseObject(obj)
	if err != nil {
		return "", fmt.Errorf("has no field %q: %s is no object", key, shorten(string(obj)))
	}
	raw, ok := o.get(key)
	if !ok {
		return "", fmt.Errorf("%s has no field %q", shorten(string(obj)), key)
	}
	return bare(raw), nil
}

// bare is a JSON value as a reference shows it: a string without its quotes,
// anything else as compact JSON.
func bare(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && string(raw) != "null" {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// resultWord is a result as {{tasks.T.result_state}} spells it.
func resultWord(r Result) string {
	switch r {
	case UpstreamFailed, UpstreamCanceled:
		return strings.ToLower(string(r))
	case SuccessWithFailures:
		return "success"
	case MaxConcurrentRuns:
		return "failed"
	}
	return strings.ToLower(string(r))
}

// errorWord is a failure as {{tasks.T.error_code}} spells it, empty for
// anything else.
func errorWord(st Status) string {
	if st.Result != Failed && st.Result != TimedOut {
		return ""
	}
	var b strings.Builder
	for _, w := range strings.Split(strings.ToLower(string(st.Code)), "_") {
		if w != "" {
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return b.String()
}

func notebookPath(def *jobspec.Task) string {
	var p struct {
		Path string `json:"notebook_path"`
	}
	if def.Type != jobspec.NotebookTask || json.Unmarshal(def.Payload, &p) != nil {
		return ""
	}
	return p.Path
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func field(t time.Time, name string) (string, error) {
	v, ok := ref.FormatTime(t, name)
	if !ok {
		return "", fmt.Errorf("no time field %q", name)
	}
	return v, nil
}

// parameterScope resolves job parameters, which may refer to each other.
type parameterScope struct {
	scope
	written map[string]string
	done    map[string]string
	open    map[string]bool
}

// Resolve is scope's, but for job parameters that are being resolved.
func (s *parameterScope) Resolve(r ref.Ref) (string, bool, error) {
	n, err := ref.Parse(r)
	if err == nil && n.Kind == ref.JobParameter {
		if _, ok := s.written[n.Key]; ok {
			v, err := s.value(n.Key)
			return v, err == nil, err
		}
	}
	return s.scope.Resolve(r)
}

func (s *parameterScope) value(name string) (string, error) {
	if v, ok := s.done[name]; ok {
		return v, nil
	}
	if s.open[name] {
		return "", fmt.Errorf("refers to itself")
	}
	s.open[name] = true
	v, err := ref.Expand(s.written[name], s)
	if err != nil {
		return "", err
	}
	s.done[name] = v
	return v, nil
}

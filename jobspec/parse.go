// Package jobspec is what was asked: it reads the settings of a Databricks
// job into a Job with its task graph, and reports everything that is wrong
// with a job file, each with its place and its mend.
//
// Parse gives shape to settings that were checked before; Read and Check are
// for files that people write. Nothing here runs anything, and nothing that
// Databricks does not know is ever asked of a job. Start reading at Job.
package jobspec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Parse reads job settings: the "settings" of a jobs/get answer, the body of
// jobs/create or of runs/submit, or the single-task form of API 2.0. It is
// lenient: a field that means nothing here, or has a form that it should not
// have, stays in Source and counts as absent. Only what is no JSON object is
// an error.
func Parse(data []byte) (*Job, error) {
	o, err := objectOf(data)
	if err != nil {
		return nil, err
	}
	j := &Job{Source: slices.Clone(json.RawMessage(data))}
	j.Name = o.str("name")
	if j.Name == "" {
		j.Name = o.str("run_name")
	}
	j.Timeout = o.seconds("timeout_seconds")
	j.MaxConcurrentRuns = 1
	if o.has("max_concurrent_runs") {
		j.MaxConcurrentRuns = o.int("max_concurrent_runs")
	}
	j.Queue = o.object("queue").bool("enabled")
	j.Tags = o.strMap("tags")
	j.Health = parseHealth(o.object("health"))
	j.Notify = parseNotifications(o)
	for _, p := range o.objects("parameters") {
		j.Parameters = append(j.Parameters, Parameter{Name: p.str("name"), Default: p.str("default")})
	}
	for _, c := range o.objects("job_clusters") {
		j.JobClusters = append(j.JobClusters, JobCluster{Key: c.str("job_cluster_key"), NewCluster: c["new_cluster"]})
	}
	for _, e := range o.objects("environments") {
		j.Environments = append(j.Environments, Environment{Key: e.str("environment_key"), Spec: e["spec"]})
	}
	parseWhen(j, o)
	if g := o.object("git_source"); g != nil {
		j.Git = &GitSource{
			URL: g.str("git_url"), Provider: g.str("git_provider"),
			Branch: g.str("git_branch"), Tag: g.str("git_tag"), Commit: g.str("git_commit"),
			SparseCheckout: g["sparse_checkout"],
		}
	}
	j.Tasks = parseTasks(o)
	j.Graph = newGraph(j.Tasks)
	return j, nil
}

// parseTasks reads the tasks, or the one that a job of API 2.0 is.
func parseTasks(o object) []Task {
	var list []Task
	for _, t := range o.objects("tasks") {
		list = append(list, parseTask(t))
	}
	if list == nil && !o.has("tasks") && o.kind() != "" {
		t := parseTask(o)
		t.Key, t.Notify = LegacyKey, nil // the notifications at the top are the job's
		list = append(list, t)
	}
	return list
}

// LegacyKey is the key of the only task of a job in the form of API 2.0.
const LegacyKey = "main"

func parseTask(o object) Task {
	t := Task{
		Key:      o.str("task_key"),
		RunIf:    RunIf(o.str("run_if")),
		Disabled: o.bool("disabled"),
		Retry: Retry{
			Max:         o.int("max_retries"),
			MinInterval: time.Duration(o.int("min_retry_interval_millis")) * time.Millisecond,
			OnTimeout:   o.bool("retry_on_timeout"),
		},
		Timeout: o.seconds("timeout_seconds"),
		Compute: Compute{
			JobClusterKey:     o.str("job_cluster_key"),
			EnvironmentKey:    o.str("environment_key"),
			ExistingClusterID: o.str("existing_cluster_id"),
			NewCluster:        o["new_cluster"],
		},
		Libraries: o["libraries"],
		Health:    parseHealth(o.object("health")),
		Notify:    parseNotifications(o),
		Type:      o.kind(),
		Source:    o.raw(),
	}
	if t.RunIf == "" {
		t.RunIf = AllSuccess
	}
	for _, d := range o.objects("depends_on") {
		t.DependsOn = append(t.DependsOn, Dependency{TaskKey: d.str("task_key"), Outcome: d.str("outcome")})
	}
	if t.Type == "" {
		return t
	}
	t.Payload = o[string(t.Type)]
	p := o.object(string(t.Type))
	switch t.Type {
	case ConditionTask:
		t.Condition = &Condition{Op: p.str("op"), Left: p.str("left"), Right: p.str("right")}
	case RunJobTask:
		t.RunJob = &RunJob{JobParameters: p.strMap("job_parameters"), Payload: t.Payload}
		t.RunJob.JobID, t.RunJob.JobRef = p.jobID("job_id")
	case ForEachTask:
		t.ForEach = &ForEach{Inputs: p.str("inputs"), Concurrency: 1, Task: &Task{}}
		if p.has("concurrency") {
			t.ForEach.Concurrency = p.int("concurrency")
		}
		if nested := p.object("task"); nested != nil {
			n := parseTask(nested)
			t.ForEach.Task = &n
		}
	}
	return t
}

func parseHealth(o object) []HealthRule {
	var rules []HealthRule
	for _, r := range o.objects("rules") {
		rules = append(rules, HealthRule{Metric: r.str("metric"), Op: r.str("op"), Value: int64(r.int("value"))})
	}
	return rules
}

// parseWhen reads what makes a job start by itself.
func parseWhen(j *Job, o object) {
	j.Schedule = parseSchedule(o.object("schedule"))
	j.Continuous = parseContinuous(o.object("continuous"))
	if t := o.object("trigger"); t != nil {
		j.Trigger = parseTrigger(t)
	}
	for _, t := range o.objects("triggers") {
		j.Triggers = append(j.Triggers, *parseTrigger(t))
	}
}

func parseSchedule(o object) *Schedule {
	if o == nil {
		return nil
	}
	return &Schedule{
		Expression: o.str("quartz_cron_expression"), TimezoneID: o.str("timezone_id"), Paused: o.paused(), SQLCondition: o["sql_condition"],
	}
}

func parseContinuous(o object) *Continuous {
	if o == nil {
		return nil
	}
	return &Continuous{Paused: o.paused(), RetryOnFail: o.str("task_retry_mode") == "ON_FAILURE"}
}

func parseTrigger(o object) *Trigger {
	t := &Trigger{
		Paused:       o.paused(),
		Schedule:     parseSchedule(o.object("schedule")),
		Continuous:   parseContinuous(o.object("continuous")),
		Model:        o["model"],
		SQLCondition: o["sql_condition"],
	}
	if p := o.object("periodic"); p != nil {
		t.Periodic = &Periodic{Interval: p.int("interval"), Unit: p.str("unit")}
	}
	if f := o.object("file_arrival"); f != nil {
		t.FileArrival = &FileArrival{
			URL: f.str("url"), MinBetween: f.seconds("min_time_between_triggers_seconds"),
			WaitAfterLastChange: f.seconds("wait_after_last_change_seconds"),
		}
	}
	u := o.object("table_update")
	if u == nil {
		u = o.object("table") // the older name of the same trigger
	}
	if u != nil {
		t.TableUpdate = &TableUpdate{
			TableNames: u.strs("table_names"), All: u.str("condition") == "ALL_UPDATED",
			MinBetween: u.seconds("min_time_between_triggers_seconds"), WaitAfterLastChange: u.seconds("wait_after_last_change_seconds"),
		}
	}
	return t
}

// object is a JSON object, read leniently: a member of another form than
// asked for counts as absent. A nil object has no members.
type object map[string]json.RawMessage

func objectOf(data []byte) (object, error) {
	var o object
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("read job settings: %w", err)
	}
	if o == nil {
		return nil, fmt.Errorf("read job settings: not a JSON object")
	}
	return o, nil
}

func (o object) raw() json.RawMessage {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil // the members were valid JSON when they were read
	}
	return raw
}

func (o object) has(key string) bool {
	raw, ok := o[key]
	return ok && string(raw) != "null"
}

func get[T any](o object, key string) T {
	var v T
	if raw, ok := o[key]; ok && json.Unmarshal(raw, &v) != nil {
		var zero T
		return zero
	}
	return v
}

func (o object) str(key string) string               { return get[string](o, key) }
func (o object) bool(key string) bool                { return get[bool](o, key) }
func (o object) strs(key string) []string            { return get[[]string](o, key) }
func (o object) strMap(key string) map[string]string { return get[map[string]string](o, key) }
func (o object) object(key string) object            { return get[object](o, key) }
func (o object) objects(key string) []object         { return get[[]object](o, key) }
func (o object) paused() bool                        { return o.str("pause_status") == "PAUSED" }

// int reads a whole number; one with a fraction, or one too large, counts as absent.
func (o object) int(key string) int { return get[int](o, key) }

// seconds reads a whole number of seconds. More than a duration can hold is
// without end for every purpose here.
func (o object) seconds(key string) time.Duration {
	const most = 1 << 33 // about 270 years
	return time.Duration(min(max(o.int(key), 0), most)) * time.Second
}

// jobID reads a job's id, or what stands in its place until it is known.
func (o object) jobID(key string) (int64, string) {
	if s := o.str(key); s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, ""
		}
		return 0, s
	}
	return get[int64](o, key), ""
}

// kind is the key of the task's kind: the first of the known kinds in the
// object, empty if there is none.
func (o object) kind() Type {
	for _, k := range Kinds {
		if o.has(string(k)) {
			return k
		}
	}
	return ""
}

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// answered are a job's settings as jobs/get answers them: as they were sent,
// unknown fields too, with the few defaults that a workspace fills in. Nothing
// else may be added: every further field makes the bundles of the Databricks
// CLI see a change that nobody made (measured, field by field).
func answered(raw json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // ids and unknown numbers keep all their digits
	var o map[string]any
	if err := dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("read job settings: %w", err)
	}
	answeredJob(o)
	source := "WORKSPACE"
	if o["git_source"] != nil {
		source = "GIT"
	}
	for _, t := range objects(o["tasks"]) {
		answeredTask(t, source)
	}
	for _, c := range objects(o["job_clusters"]) {
		forgetPolicy(c)
	}
	return o, nil
}

// answeredJob fills in what a workspace answers for the job itself.
func answeredJob(o map[string]any) {
	missing(o, "email_notifications", map[string]any{})
	missing(o, "webhook_notifications", map[string]any{})
	missing(o, "timeout_seconds", 0)
}

// answeredTask fills in what a workspace answers for each task: seen in the
// answers that the Databricks CLI's tests expect of a workspace on AWS.
func answeredTask(t map[string]any, source string) {
	missing(t, "email_notifications", map[string]any{})
	missing(t, "timeout_seconds", 0)
	missing(t, "run_if", "ALL_SUCCESS")
	if n, ok := t["notebook_task"].(map[string]any); ok {
		missing(n, "source", source)
	}
	if list, ok := t["depends_on"].([]any); ok {
		slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(taskKey(a), taskKey(b)) })
	}
	forgetPolicy(t)
	if c, ok := t["new_cluster"].(map[string]any); ok {
		missing(c, "aws_attributes", map[string]any{"availability": "SPOT_WITH_FALLBACK", "zone_id": "us-east-1c"})
		missing(c, "data_security_mode", "SINGLE_USER")
		missing(c, "enable_elastic_disk", false)
	}
	if each, ok := t["for_each_task"].(map[string]any); ok {
		if nested, ok := each["task"].(map[string]any); ok {
			forgetPolicy(nested)
			if n, ok := nested["notebook_task"].(map[string]any); ok {
				missing(n, "source", source)
			}
		}
	}
}

// forgetPolicy removes what a workspace obeys once and does not answer.
func forgetPolicy(holder map[string]any) {
	if c, ok := holder["new_cluster"].(map[string]any); ok {
		delete(c, "apply_policy_default_values")
	}
}

func missing(o map[string]any, name string, v any) {
	if o[name] == nil {
		o[name] = v
	}
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, it := range list {
		if o, ok := it.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

func taskKey(v any) string {
	o, _ := v.(map[string]any)
	key, _ := o["task_key"].(string)
	return key
}

// listed are settings as jobs/list answers them: without what belongs to the
// tasks, unless that was asked for.
//
// Source: the SDK's documentation of ListJobsRequest.ExpandTasks.
func listed(raw json.RawMessage, expand bool) (map[string]any, error) {
	if expand {
		return answered(raw)
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("read job settings: %w", err)
	}
	out := make(map[string]any, len(o))
	for k, v := range o {
		if k != "tasks" && k != "job_clusters" {
			out[k] = v
		}
	}
	answeredJob(out)
	return out, nil
}

// pageSettings leaves one page of the tasks, and the other lists on the first
// page alone. It returns the token of the next page, "" after the last.
//
// Source: the SDK's documentation of jobs/get in API 2.2.
func pageSettings(o map[string]any, from int) string {
	if from > 0 {
		for _, k := range []string{"job_clusters", "environments", "parameters"} {
			delete(o, k)
		}
	}
	list, _ := o["tasks"].([]any)
	if list == nil {
		return ""
	}
	from = min(from, len(list))
	if len(list)-from <= pageSize {
		o["tasks"] = list[from:]
		return ""
	}
	o["tasks"] = list[from : from+pageSize]
	return strconv.Itoa(from + pageSize)
}

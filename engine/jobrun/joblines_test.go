package jobrun_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// jobJSON makes job settings from lines, one a task:
//
//	a
//	b <- a, c:true; run_if ALL_DONE; max_retries 2; disabled
//	c: {{tasks.a.values.x}} EQUAL_TO 1            a condition
//	f: each [1,2,3] concurrency 2; max_retries 1  a for_each; options but depends_on go to the nested task
//	r: job 7 k=v                                  a run_job
//	n: notebook {"notebook_path":"x"}             a notebook with this payload
//	@param day=2026-01-01 | @timeout 5 | @health 5
//	@notify start success failure warn | a; notify failure skipped canceled last email-skipped
//
// Of those notified, ann gets e-mail and hook is a destination.
func jobJSON(t *testing.T, lines []string) json.RawMessage {
	job := map[string]any{"name": "j"}
	var tasks, params []any
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "@"); ok {
			word, arg, _ := strings.Cut(rest, " ")
			k, v, _ := strings.Cut(arg, "=")
			switch word {
			case "param":
				params = append(params, map[string]any{"name": k, "default": v})
			case "timeout":
				job["timeout_seconds"] = number(t, arg)
			case "health":
				job["health"] = health(t, arg)
			case "notify":
				notify(t, job, arg)
			}
			continue
		}
		tasks = append(tasks, taskOf(t, line))
	}
	job["tasks"] = tasks
	if params != nil {
		job["parameters"] = params
	}
	raw, err := json.Marshal(job)
	require.NoError(t, err)
	return raw
}

func taskOf(t *testing.T, line string) map[string]any {
	parts := strings.Split(line, "; ")
	head := parts[0]
	head, after, _ := strings.Cut(head, " <- ")
	key, kind, _ := strings.Cut(head, ": ")
	task := map[string]any{"task_key": key}
	options := map[string]any{}
	switch {
	case kind == "":
		task["spark_python_task"] = map[string]any{}
	case strings.HasPrefix(kind, "each "):
		inputs, conc, _ := strings.Cut(strings.TrimPrefix(kind, "each "), " concurrency ")
		nested := map[string]any{"task_key": key + "_it", "notebook_task": map[string]any{"notebook_path": "{{input}}"}}
		if c, cond, ok := strings.Cut(conc, " cond "); ok {
			conc = c
			delete(nested, "notebook_task")
			nested["condition_task"] = condition(cond)
		}
		each := map[string]any{"inputs": inputs, "task": nested}
		if conc != "" {
			each["concurrency"] = number(t, conc)
		}
		task["for_each_task"] = each
		options = nested
	case strings.HasPrefix(kind, "job "):
		f := strings.Fields(kind)
		rj := map[string]any{"job_id": number(t, f[1])}
		if len(f) > 2 {
			k, v, _ := strings.Cut(f[2], "=")
			rj["job_parameters"] = map[string]any{k: v}
		}
		task["run_job_task"] = rj
	case strings.HasPrefix(kind, "notebook "):
		task["notebook_task"] = json.RawMessage(strings.TrimPrefix(kind, "notebook "))
	default:
		task["condition_task"] = condition(kind)
	}
	if len(options) == 0 {
		options = task
	}
	if after != "" {
		var deps []any
		for _, d := range strings.Split(after, ", ") {
			k, outcome, _ := strings.Cut(d, ":")
			dep := map[string]any{"task_key": k}
			if outcome != "" {
				dep["outcome"] = outcome
			}
			deps = append(deps, dep)
		}
		task["depends_on"] = deps
	}
	for _, opt := range parts[1:] {
		word, arg, _ := strings.Cut(opt, " ")
		switch word {
		case "run_if":
			task[word] = arg
		case "disabled", "retry_on_timeout":
			options[word] = true
		case "health":
			options[word] = health(t, arg)
		case "notify":
			notify(t, options, arg)
		case "notify-each": // the for_each's own, not its nested task's
			notify(t, task, arg)
		default:
			options[word] = number(t, arg)
		}
	}
	return task
}

func condition(text string) map[string]any {
	f := strings.SplitN(text, " ", 3)
	for len(f) < 3 {
		f = append(f, "")
	}
	return map[string]any{"left": f[0], "op": f[1], "right": f[2]}
}

func health(t *testing.T, seconds string) any {
	return map[string]any{"rules": []any{map[string]any{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": number(t, seconds)}}}
}

// notify sets who is told of which events, and what is muted.
func notify(t *testing.T, of map[string]any, words string) {
	email, webhook, settings := map[string]any{}, map[string]any{}, map[string]any{}
	events := map[string]string{"start": "on_start", "success": "on_success", "failure": "on_failure", "warn": "on_duration_warning_threshold_exceeded"}
	mutes := map[string]string{"skipped": "no_alert_for_skipped_runs", "canceled": "no_alert_for_canceled_runs", "last": "alert_on_last_attempt"}
	for _, w := range strings.Fields(words) {
		switch {
		case events[w] != "":
			email[events[w]] = []string{"ann"}
			webhook[events[w]] = []any{map[string]string{"id": "hook"}}
		case mutes[w] != "":
			settings[mutes[w]] = true
		case w == "email-skipped":
			email["no_alert_for_skipped_runs"] = true
		default:
			t.Fatalf("notify: unknown word %q", w)
		}
	}
	of["email_notifications"], of["webhook_notifications"], of["notification_settings"] = email, webhook, settings
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

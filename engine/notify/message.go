package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"flowctl/engine/jobrun"
	"flowctl/engine/workspace"
)

// message is what a recipient is told.
type message struct {
	row
	workspaceID string
	base        string
}

// payload is the body that a generic webhook gets.
//
// Source: the Databricks page on notifications of jobs, whose examples have
// every id as text.
type payload struct {
	EventType   string       `json:"event_type"`
	WorkspaceID string       `json:"workspace_id"`
	Task        *payloadTask `json:"task,omitempty"`
	Run         payloadRun   `json:"run"`
	Job         payloadJob   `json:"job"`
}

type payloadTask struct {
	Key string `json:"task_key"`
}

type payloadRun struct {
	ID     string `json:"run_id"`
	Parent string `json:"parent_run_id,omitempty"` // of a task's run: the job's run
}

type payloadJob struct {
	ID   string `json:"job_id"`
	Name string `json:"name"`
}

func (m message) payload() payload {
	n := m.Notice
	p := payload{
		EventType: "jobs." + string(n.Event), WorkspaceID: m.workspaceID,
		Run: payloadRun{ID: decimal(n.RunID)}, Job: payloadJob{ID: decimal(n.JobID), Name: n.JobName},
	}
	if n.TaskKey != "" {
		p.Task = &payloadTask{n.TaskKey}
		p.Run.Parent = decimal(n.ParentRunID)
	}
	return p
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// title says in a line what happened.
func (m message) title() string {
	n := m.Notice
	what := "Run of job " + quoted(n.JobName)
	if n.TaskKey != "" {
		what = "Task " + quoted(n.TaskKey) + " of job " + quoted(n.JobName)
	}
	switch n.Event {
	case jobrun.OnStart:
		return what + " started"
	case jobrun.OnSuccess:
		if n.Status.Result == jobrun.SuccessWithFailures {
			return what + " succeeded with failures"
		}
		return what + " succeeded"
	case jobrun.OnDurationWarning:
		return fmt.Sprintf("%s takes longer than %s", what, n.Limit)
	}
	switch n.Status.Result {
	case jobrun.Canceled:
		return what + " was canceled"
	case jobrun.TimedOut:
		return what + " timed out"
	case jobrun.UpstreamFailed, jobrun.UpstreamCanceled, jobrun.MaxConcurrentRuns, "":
		return what + " was skipped"
	}
	return what + " failed"
}

// quoted keeps a name within a line and a reasonable length.
func quoted(name string) string {
	const limit = 120
	name = strings.Join(strings.Fields(name), " ")
	if utf8.RuneCountInString(name) > limit {
		name = string([]rune(name)[:limit]) + "…"
	}
	return `"` + name + `"`
}

// details are the lines below the title.
func (m message) details() []string {
	n := m.Notice
	var lines []string
	if n.Event == jobrun.OnFailure && n.Status.Message != "" {
		lines = append(lines, n.Status.Message)
	}
	if n.Event == jobrun.OnFailure && n.Error != "" && n.Error != n.Status.Message {
		lines = append(lines, n.Error)
	}
	run := "Run " + decimal(n.RunID)
	if n.TaskKey != "" {
		run = fmt.Sprintf("Task run %d (attempt %d) of run %d", n.RunID, n.Number, n.ParentRunID)
	}
	lines = append(lines, fmt.Sprintf("%s of job %d, at %s", run, n.JobID, n.At.UTC().Format("2006-01-02 15:04:05 MST")))
	if link := m.link(); link != "" {
		lines = append(lines, link)
	}
	return lines
}

// link is the run's page, in the form of runs/get's run_page_url.
func (m message) link() string {
	if m.base == "" {
		return ""
	}
	return fmt.Sprintf("%s/?o=%s#job/%d/run/%d", m.base, m.workspaceID, m.Notice.JobID, m.Notice.RunID)
}

func (m message) text() string { return m.title() + "\n" + strings.Join(m.details(), "\n") }

// slack is what an incoming webhook of Slack takes. Source: Slack's page on
// incoming webhooks, and on the three characters that must be escaped.
func (m message) slack() any {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	return map[string]string{"text": escape.Replace(m.text())}
}

// teams is a message with an adaptive card, as incoming webhooks and workflows
// of Microsoft Teams take it.
func (m message) teams() any {
	block := func(text string, more map[string]any) map[string]any {
		b := map[string]any{"type": "TextBlock", "text": text, "wrap": true}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	body := []any{block(m.title(), map[string]any{"weight": "Bolder", "size": "Medium"})}
	for _, line := range m.details() {
		body = append(body, block(line, nil))
	}
	card := map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	return map[string]any{
		"type":        "message",
		"attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}},
	}
}

// pagerDutyEvent is an event of PagerDuty's Events API, version 2. PagerDuty
// drops an event whose dedup_key it knows.
func (m message) pagerDutyEvent(key string) any {
	severity := "info"
	switch m.Notice.Event {
	case jobrun.OnFailure:
		severity = "error"
	case jobrun.OnDurationWarning:
		severity = "warning"
	}
	event := map[string]any{
		"routing_key": key, "event_action": "trigger", "dedup_key": m.Event,
		"payload": map[string]any{"summary": m.title(), "source": "flowctl", "severity": severity, "custom_details": m.payload()},
	}
	if link := m.link(); link != "" {
		event["links"] = []any{map[string]string{"href": link, "text": "Run"}}
	}
	return event
}

func encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	return body, nil
}

func isMissing(err error) bool {
	var e *workspace.Error
	return errors.As(err, &e) && e.Code == workspace.DoesNotExist
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// shownRun is what the command line reads of a runs/get answer; raw is all of it.
type shownRun struct {
	RunID       int64       `json:"run_id"`
	RunName     string      `json:"run_name"`
	State       shownState  `json:"state"`
	Status      shownStatus `json:"status"`
	StartTime   int64       `json:"start_time"`
	EndTime     int64       `json:"end_time"`
	RunDuration int64       `json:"run_duration"`
	Trigger     string      `json:"trigger"`
	Tasks       []shownTask `json:"tasks"`
	Iterations  []shownTask `json:"iterations"` // of the attempt of a for_each task
	Next        string      `json:"next_page_token"`

	raw map[string]any
}

type shownState struct {
	LifeCycle string `json:"life_cycle_state"`
	Result    string `json:"result_state"`
	Message   string `json:"state_message"`
}

type shownStatus struct {
	State string `json:"state"`
}

type shownTask struct {
	TaskKey   string     `json:"task_key"`
	RunID     int64      `json:"run_id"`
	State     shownState `json:"state"`
	StartTime int64      `json:"start_time"`
	EndTime   int64      `json:"end_time"`
	Duration  int64      `json:"run_duration"`
	Attempt   int        `json:"attempt_number"`
	Notebook  any        `json:"notebook_task"`
	ForEach   any        `json:"for_each_task"`
}

// outcome is one word for a state: the result, or where it stands.
func (s shownState) outcome() string {
	if s.Result != "" {
		return s.Result
	}
	return s.LifeCycle
}

// getRun reads a run with all pages of its tasks.
func (d *door) getRun(ctx context.Context, id int64) (*shownRun, error) {
	var whole *shownRun
	var tasks []any
	for token := ""; ; {
		path := fmt.Sprintf("/api/2.2/jobs/runs/get?run_id=%d&include_resolved_values=true", id)
		if token != "" {
			path += "&page_token=" + token
		}
		var raw json.RawMessage
		if err := d.call(ctx, path, nil, &raw); err != nil {
			return nil, err
		}
		page := &shownRun{}
		if err := json.Unmarshal(raw, page); err != nil {
			return nil, fmt.Errorf("read run: %w", err)
		}
		if err := json.Unmarshal(raw, &page.raw); err != nil {
			return nil, fmt.Errorf("read run: %w", err)
		}
		if more, ok := page.raw["tasks"].([]any); ok {
			tasks = append(tasks, more...)
		}
		if whole == nil {
			whole = page
		} else {
			whole.Tasks, whole.Iterations = append(whole.Tasks, page.Tasks...), append(whole.Iterations, page.Iterations...)
		}
		if token = page.Next; token == "" {
			whole.raw["tasks"] = tasks
			delete(whole.raw, "has_more")
			delete(whole.raw, "next_page_token")
			return whole, nil
		}
	}
}

// shownOutput is what the command line reads of a get-output answer.
type shownOutput struct {
	Notebook *struct{ Result string } `json:"notebook_output"`
	Error    string                   `json:"error"`
	Trace    string                   `json:"error_trace"`
	Logs     string                   `json:"logs"`
}

func (d *door) getOutput(ctx context.Context, attempt int64, answer any) error {
	return d.call(ctx, fmt.Sprintf("/api/2.2/jobs/runs/get-output?run_id=%d", attempt), nil, answer)
}

// withOutputs adds each task's get-output answer to a run's JSON.
func (f *following) withOutputs(ctx context.Context, r *shownRun) error {
	list, _ := r.raw["tasks"].([]any)
	for i, t := range r.Tasks {
		var out map[string]any
		if err := f.ask(func(d *door) error { return d.getOutput(ctx, t.RunID, &out) }); err != nil {
			return err
		}
		delete(out, "metadata")
		if m, ok := list[i].(map[string]any); ok {
			m["output"] = out
		}
	}
	return nil
}

// withFacts adds to a run's JSON what its attempts read, wrote and ran, under
// a key that no workspace knows.
func (d *door) withFacts(ctx context.Context, r *shownRun) error {
	var facts json.RawMessage
	if err := d.call(ctx, fmt.Sprintf("/flowctl/v1/facts?run_id=%d", r.RunID), nil, &facts); err != nil {
		return err
	}
	r.raw["flowctl_facts"] = facts
	return nil
}

// printResult prints a run's end: a table of its tasks, what failed and why,
// what notebooks returned.
func (f *following) printResult(ctx context.Context, r *shownRun) error {
	w := tabwriter.NewWriter(f.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "TASK\tRESULT\tTIME\tATTEMPTS\n")
	for _, t := range r.Tasks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", t.TaskKey, t.State.outcome(), millis(t.Duration), t.Attempt+1)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	for _, t := range r.Tasks {
		if err := f.printOutput(ctx, t); err != nil {
			return err
		}
		if err := f.printIterations(ctx, t); err != nil {
			return err
		}
	}
	fmt.Fprintf(f.stdout, "\nRun %d %s in %s", r.RunID, r.State.outcome(), millis(r.RunDuration))
	if r.State.Message != "" {
		fmt.Fprintf(f.stdout, ": %s", r.State.Message)
	}
	fmt.Fprintln(f.stdout)
	if r.State.Result == "SUCCESS_WITH_FAILURES" {
		fmt.Fprintln(f.stderr, "The run succeeded although tasks failed: the tasks that nothing depends on are fine.")
	}
	return nil
}

func (f *following) printOutput(ctx context.Context, t shownTask) error {
	if t.State.LifeCycle == "SKIPPED" || t.State.Result == "SUCCESS" && t.Notebook == nil {
		return nil // it has nothing to show
	}
	var out shownOutput
	if err := f.ask(func(d *door) error { return d.getOutput(ctx, t.RunID, &out) }); err != nil {
		return err
	}
	switch {
	case t.State.Result == "SUCCESS" && out.Notebook != nil && out.Notebook.Result != "":
		fmt.Fprintf(f.stdout, "\n%s returned: %s\n", t.TaskKey, out.Notebook.Result)
	case t.State.Result != "SUCCESS" && out.Error != "":
		fmt.Fprintf(f.stdout, "\n%s: %s\n", t.TaskKey, out.Error)
		if out.Trace != "" {
			fmt.Fprintln(f.stdout, indent(out.Trace))
		}
	case t.State.Result != "SUCCESS" && t.State.Message != "":
		fmt.Fprintf(f.stdout, "\n%s: %s\n", t.TaskKey, t.State.Message)
	}
	return nil
}

// shownIterations is how many failed iterations of a task a result shows: with
// thousands the first ones say why.
const shownIterations = 5

// printIterations prints why iterations of a for_each task failed.
func (f *following) printIterations(ctx context.Context, t shownTask) error {
	if t.ForEach == nil || t.State.LifeCycle == "SKIPPED" || t.State.good() {
		return nil
	}
	var r *shownRun
	if err := f.ask(func(d *door) (err error) { r, err = d.getRun(ctx, t.RunID); return err }); err != nil {
		return err
	}
	shown := 0
	for i, it := range r.Iterations {
		if it.State.good() || !it.State.ended() || it.State.LifeCycle == "SKIPPED" {
			continue
		}
		if shown++; shown > shownIterations {
			fmt.Fprintf(f.stdout, "\nMore iterations of %s failed; see one with: flowctl runs output RUN --task '%s[%d]'\n", t.TaskKey, t.TaskKey, place(it.TaskKey, i))
			return nil
		}
		it.TaskKey = fmt.Sprintf("%s[%d]", t.TaskKey, place(it.TaskKey, i))
		if err := f.printOutput(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}

// millis is a duration for people.
func millis(ms int64) string { return short(time.Duration(ms) * time.Millisecond) }

func short(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

func absolute(path string) (string, error) { return filepath.Abs(path) }

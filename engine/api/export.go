package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"flowctl/engine/workspace"
	"flowctl/jobspec"
)

type exportRequest struct {
	RunID int64  `json:"run_id"`
	Views string `json:"views_to_export"`
}

type runExport struct {
	Views []exportedView `json:"views"`
}

type exportedView struct {
	Content string `json:"content"`
	Name    string `json:"name"`
	Type    string `json:"type"`
}

// exportedCell is a cell as the runtime wrote it down when it had ended.
type exportedCell struct {
	Source   string `json:"source"`
	Language string `json:"language"`
	Status   string `json:"status"`
	Start    int64  `json:"start"`
	End      int64  `json:"end"`
	Log      [2]int `json:"log"` // where its part of the output begins and ends
	Output   string `json:"-"`
}

// runsExport answers a notebook task's run as a page: its cells and what they
// printed.
//
// Source: the SDK's documentation of ExportRun: only notebook runs can be
// exported, in HTML, and views are CODE, DASHBOARDS or ALL. There are no
// dashboards here.
func (s *Server) runsExport(ctx context.Context, q exportRequest) (runExport, error) {
	if err := s.onRun(ctx, q.RunID, workspace.CanView); err != nil {
		return runExport{}, err
	}
	switch q.Views {
	case "", "CODE", "ALL", "DASHBOARDS":
	default:
		return runExport{}, invalid("views_to_export %q is none of CODE, DASHBOARDS, ALL.", q.Views)
	}
	a, err := s.attemptOf(ctx, q.RunID)
	if err != nil {
		return runExport{}, err
	}
	if kindOf(a) != jobspec.NotebookTask {
		return runExport{}, invalid("Run %d is not a notebook run; only notebook runs can be exported.", q.RunID)
	}
	if q.Views == "DASHBOARDS" {
		return runExport{Views: []exportedView{}}, nil
	}
	cells, err := s.cells(a.Dir)
	if err != nil {
		return runExport{}, err
	}
	page, err := notebookPage(a.Task.Key, cells)
	return runExport{Views: []exportedView{{Content: page, Name: a.Task.Key, Type: "NOTEBOOK"}}}, err
}

// cells are the cells that an attempt has finished, with their outputs.
func (s *Server) cells(dir string) ([]exportedCell, error) {
	raw, err := s.Engine.Cells(dir)
	if err != nil {
		return nil, err
	}
	text, cut, err := s.Engine.LogTail(dir, logLimit)
	if err != nil {
		return nil, err
	}
	var list []exportedCell
	for line := range bytes.Lines(raw) {
		var c exportedCell
		if json.Unmarshal(line, &c) != nil {
			continue // it was being written when its process was killed
		}
		if from, to := c.Log[0], c.Log[1]; !cut && 0 <= from && from <= to && to <= len(text) {
			c.Output = string(text[from:to])
		}
		list = append(list, c)
	}
	return list, nil
}

var notebookTemplate = template.Must(template.New("notebook").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{{.Name}}</title>
<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}pre{background:#f6f6f6;padding:.6em;overflow-x:auto}.out{background:none;border-left:3px solid #ccc}.FAILED{border-left:3px solid #c00}</style>
</head><body><h1>{{.Name}}</h1>
{{range .Cells}}<pre class="{{.Status}}"><code>{{.Source}}</code></pre>
{{with .Output}}<pre class="out">{{.}}</pre>
{{end}}{{end}}`))

// notebookPage is a page for people, with the model that programs take out of
// a workspace's export: JSON, URL-quoted, in base64.
func notebookPage(name string, cells []exportedCell) (string, error) {
	type result struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}
	type command struct {
		Command string  `json:"command"`
		State   string  `json:"state"`
		Start   int64   `json:"startTime"`
		End     int64   `json:"finishTime"`
		Results *result `json:"results"`
	}
	model := struct {
		Name     string    `json:"name"`
		Language string    `json:"language"`
		Commands []command `json:"commands"`
	}{Name: name, Language: "python", Commands: []command{}}
	for _, c := range cells {
		cmd := command{Command: c.Source, State: "finished", Start: c.Start, End: c.End}
		if c.Status == "FAILED" {
			cmd.State = "error"
		}
		if c.Output != "" {
			cmd.Results = &result{"ansi", c.Output}
		}
		model.Commands = append(model.Commands, cmd)
	}
	raw, err := json.Marshal(model)
	if err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	quoted := strings.ReplaceAll(url.QueryEscape(string(raw)), "+", "%20")
	var page strings.Builder
	if err := notebookTemplate.Execute(&page, map[string]any{"Name": name, "Cells": cells}); err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	// Beside the template: it would escape what base64 has, and programs look
	// for the plain text.
	fmt.Fprintf(&page, "<script>var __DATABRICKS_NOTEBOOK_MODEL = '%s';</script>\n</body></html>\n", base64.StdEncoding.EncodeToString([]byte(quoted)))
	return page.String(), nil
}

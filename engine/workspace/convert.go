package workspace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A notebook in source form is one text: a first line that says so, and cells
// with COMMAND lines between them. Cells of another language, and text, hide
// in MAGIC comments.

var (
	commandLine = regexp.MustCompile(`(?m)^[ \t]*(?:#|--|//)[ \t]*COMMAND[ \t]*-{10,}[ \t]*\r?\n?`)
	titleLine   = regexp.MustCompile(`^(?:#|--|//)[ \t]*DBTITLE[ \t]+[01],(.*)$`)
)

const cellKey = "application/vnd.databricks.v1+cell"

// sourceToJupyter writes a notebook in source form as .ipynb.
func sourceToJupyter(content []byte, d dialect) ([]byte, error) {
	text := strings.TrimPrefix(string(content), "\ufeff")
	if d.headed([]byte(text)) {
		_, text, _ = strings.Cut(text, "\n")
	}
	cells := []any{}
	for _, cell := range commandLine.Split(text, -1) {
		cell = strings.Trim(strings.ReplaceAll(cell, "\r\n", "\n"), "\n")
		if cell != "" || len(cells) > 0 {
			cells = append(cells, jupyterCellOf(cell, d))
		}
	}
	out, err := json.MarshalIndent(map[string]any{
		"cells": cells,
		"metadata": map[string]any{
			"application/vnd.databricks.v1+notebook": map[string]any{"language": d.magic},
			"language_info":                          map[string]any{"name": d.magic},
		},
		"nbformat": 4, "nbformat_minor": 0,
	}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write notebook: %w", err)
	}
	return append(out, '\n'), nil
}

func jupyterCellOf(cell string, d dialect) map[string]any {
	lines := strings.Split(cell, "\n")
	meta := map[string]any{}
	if m := titleLine.FindStringSubmatch(lines[0]); m != nil {
		meta[cellKey] = map[string]any{"title": m[1]}
		lines = lines[1:]
	}
	lines = withoutMagic(lines, d)
	out := map[string]any{"cell_type": "code", "metadata": meta, "execution_count": nil, "outputs": []any{}}
	if len(lines) > 0 && isMarkdown(lines[0]) {
		out = map[string]any{"cell_type": "markdown", "metadata": meta}
		lines[0] = strings.TrimLeft(strings.TrimPrefix(lines[0], "%md"), " ")
		if lines[0] == "" {
			lines = lines[1:]
		}
	}
	source := []string{}
	for i, line := range lines {
		if i < len(lines)-1 {
			line += "\n"
		}
		source = append(source, line)
	}
	out["source"] = source
	return out
}

func isMarkdown(line string) bool { return line == "%md" || strings.HasPrefix(line, "%md ") }

// withoutMagic uncovers a cell whose lines are all MAGIC comments.
func withoutMagic(lines []string, d dialect) []string {
	prefix := d.comment + " MAGIC"
	out := make([]string, 0, len(lines))
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, prefix)
		if !ok {
			return lines
		}
		out = append(out, strings.TrimPrefix(rest, " "))
	}
	return out
}

// jupyterToSource writes an .ipynb notebook in source form. Outputs are lost.
func jupyterToSource(content []byte, d dialect) ([]byte, error) {
	nb, ok := parseJupyter(content)
	if !ok {
		return nil, refuse(InvalidParameter, "The notebook is no longer valid: it must be JSON with cells and an nbformat of 4 or more.")
	}
	var out bytes.Buffer
	out.WriteString(d.header() + "\n")
	for i, cell := range nb.Cells {
		text, err := cell.text()
		if err != nil {
			return nil, refuse(InvalidParameter, "The notebook's cell %d has a source that is neither a string nor a list of strings.", i)
		}
		if i > 0 {
			out.WriteString("\n" + d.comment + " COMMAND ----------\n\n")
		}
		switch {
		case cell.Type == "markdown":
			out.WriteString(magic("%md\n"+text, d))
		case cell.Type == "raw":
			out.WriteString(magic(text, d))
		case strings.HasPrefix(text, "%"):
			out.WriteString(magic(text, d))
		default:
			out.WriteString(text)
		}
		out.WriteString("\n")
	}
	return out.Bytes(), nil
}

// magic hides a cell in comments.
func magic(text string, d dialect) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(d.comment+" MAGIC "+line, " ")
	}
	return strings.Join(lines, "\n")
}

// text is a cell's source, which is a string or a list of lines.
func (c jupyterCell) text() (string, error) {
	var one string
	if json.Unmarshal(c.Source, &one) == nil {
		return strings.TrimSuffix(one, "\n"), nil
	}
	var lines []string
	if err := json.Unmarshal(c.Source, &lines); err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.Join(lines, ""), "\n"), nil
}

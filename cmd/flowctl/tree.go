package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"flowctl/engine/jobrun"
)

// tree is the live part of a terminal: one line a task with its state and the
// time it takes, redrawn in place below what has scrolled by.
type tree struct {
	out   *os.File
	drawn int // lines on the screen
}

func newTree(out *os.File) *tree { return &tree{out: out} }

// clear takes the tree off the screen, so that a line can be printed.
func (t *tree) clear() {
	if t.drawn > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.drawn)
		t.drawn = 0
	}
}

// leave lets the last state stand.
func (t *tree) leave() { t.drawn = 0 }

// draw shows the tasks: all if they fit the screen, else what runs and what
// ended last.
func (t *tree) draw(tasks []*taskLine, start time.Time) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	shown, hidden := fit(tasks, height-3)
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", t.drawn)
	}
	lines := 0
	for _, task := range shown {
		b.WriteString(clip(taskText(task, time.Now()), width) + "\n")
		lines++
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", hidden)
		lines++
	}
	fmt.Fprintf(&b, "%s\n", clip(counts(tasks, start), width))
	t.drawn = lines + 1
	_, _ = io.WriteString(t.out, b.String()) // a terminal that is gone shows nothing
}

// fit chooses the tasks to show when there are more than lines.
func fit(tasks []*taskLine, lines int) (shown []*taskLine, hidden int) {
	if len(tasks) <= lines || lines < 3 {
		return tasks[:min(len(tasks), max(lines, 0))], max(len(tasks)-max(lines, 0), 0)
	}
	for _, t := range tasks {
		st := t.status
		if len(shown) < lines-1 && (st.State != jobrun.Blocked && !st.Ended() || st.Result == jobrun.Failed) {
			shown = append(shown, t)
		}
	}
	return shown, len(tasks) - len(shown)
}

func taskText(t *taskLine, now time.Time) string {
	mark, text := "·", strings.ToLower(string(t.status.State))
	switch st := t.status; {
	case st.State == jobrun.Running:
		mark = "▶"
	case st.Result == jobrun.Success:
		mark, text = "✓", "done"
	case st.Result == jobrun.Failed || st.Result == jobrun.TimedOut:
		mark, text = "✗", strings.ToLower(string(st.Result))
	case st.Ended():
		mark, text = "-", strings.ToLower(string(st.Result))
	}
	line := fmt.Sprintf("%s %s  %s", mark, t.name, text)
	if !t.began.IsZero() {
		end := t.ended
		if end.IsZero() {
			end = now
		}
		line += "  " + short(end.Sub(t.began))
	}
	if t.attempt > 0 {
		line += fmt.Sprintf("  attempt %d", t.attempt+1)
	}
	if t.err != "" {
		line += "  " + t.err
	}
	return line
}

func counts(tasks []*taskLine, start time.Time) string {
	var ended, running int
	for _, t := range tasks {
		switch {
		case t.status.Ended():
			ended++
		case t.status.State == jobrun.Running:
			running++
		}
	}
	return fmt.Sprintf("%d of %d ended, %d running, %s", ended, len(tasks), running, short(time.Since(start)))
}

// clip keeps a line within the screen's width.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) < width {
		return s
	}
	return string([]rune(s)[:max(width-2, 0)]) + "…"
}

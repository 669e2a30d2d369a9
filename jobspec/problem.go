package jobspec

import (
	"fmt"
	"strconv"
	"strings"
)

// Severity tells whether a problem keeps a job from running.
type Severity int

// The severities.
const (
	Error   Severity = iota // a workspace or flowctl would refuse the job
	Warning                 // it is accepted, but likely not what was meant
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Problem is one thing that is wrong with a job file, with its place.
type Problem struct {
	Severity Severity `json:"-"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"` // from 1
	Col      int      `json:"column,omitempty"`
	Path     string   `json:"path,omitempty"` // "tasks[2].depends_on[0].task_key"
	Message  string   `json:"message"`        // what is wrong, the value seen, and how to mend it
}

// String is the problem on one line: file:line:col: error: path: message.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Col)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(p.Severity.String() + ": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Invalid is a job file with errors: all of its problems.
type Invalid []Problem

func (v Invalid) Error() string {
	lines := make([]string, len(v))
	for i, p := range v {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// HasErrors tells whether any problem is more than a warning.
func HasErrors(ps []Problem) bool {
	for _, p := range ps {
		if p.Severity == Error {
			return true
		}
	}
	return false
}

func itoa(n int) string { return strconv.Itoa(n) }

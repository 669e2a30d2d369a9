package venv

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Error says that an environment cannot be built as asked.
type Error struct {
	Blamed []Requirement // those that it is about; empty if that cannot be told
	Reason string        // in a line
	Output string        // all that the installer said
}

func (e *Error) Error() string {
	var names []string
	for _, r := range e.Blamed {
		names = append(names, fmt.Sprintf("%s: %q", r.Field, hidden(r.Line)))
	}
	if len(names) == 0 {
		return e.Reason
	}
	const most = 5
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ") + " cannot be installed: " + e.Reason
}

// refusal makes an error of what an installer said at its end.
func refusal(said string, exit error, reqs []Requirement) *Error {
	e := &Error{Output: said}
	core := complaint(said)
	e.Blamed = blamed(core, said, reqs)
	e.Reason = short(strings.Join(strings.Fields(core), " "), 600)
	if e.Reason == "" {
		e.Reason = "the installer ended with " + exit.Error()
	}
	low := strings.ToLower(said)
	for _, m := range mends {
		if slices.ContainsFunc(m.signs, func(sign string) bool { return strings.Contains(low, sign) }) {
			e.Reason += "; " + m.advice
			break
		}
	}
	return e
}

// mends are what to do about the refusals that people meet most.
var mends = []struct {
	signs  []string
	advice string
}{
	{
		[]string{
			"failed to establish a new connection", "name resolution", "network is unreachable", "connection refused", "connecttimeout", "readtimeout",
			"dns error", "failed to fetch", "could not connect", "proxyerror", "newconnectionerror", "connection error", "error sending request",
		},
		"the package index cannot be reached: check the network, or install from a folder by the lines --no-index and --find-links DIR",
	},
	{[]string{"certificate_verify_failed", "invalid peer certificate"}, "the index's certificate is not trusted: set PIP_CERT or SSL_CERT_FILE"},
	{[]string{"401 ", "403 ", "unauthorized", "forbidden"}, "the index asks for a name and a password: put them into PIP_INDEX_URL or UV_INDEX_URL"},
	{[]string{"requires a different python", "requires-python", "does not satisfy python"}, "another Python can be named by --python or $FLOWCTL_PYTHON"},
	{[]string{"resolutionimpossible", "conflicting dependencies", "are incompatible", "unsatisfiable"}, "these requirements cannot be met together: loosen one of them"},
}

// complaint is the part of an installer's words that says what is wrong.
func complaint(said string) string {
	var core []string
	lines := strings.Split(said, "\n")
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "×") }); i >= 0 { // uv
		for _, l := range lines[i:] {
			if l = strings.TrimLeft(strings.TrimSpace(l), "×╰─▶│ "); strings.HasPrefix(l, "hint:") {
				break
			}
			core = append(core, l)
		}
		return strings.Join(core, " ")
	}
	conflict := false
	for _, l := range lines {
		switch l := strings.TrimSpace(l); {
		case strings.HasPrefix(strings.ToLower(l), "error:"): // both
			core = append(core, strings.TrimSpace(l[len("error:"):]))
		case strings.HasPrefix(l, "Caused by:"):
			core = append(core, l)
		case strings.HasPrefix(l, "The conflict is caused by"):
			conflict = true
			core = append(core, l)
		case conflict && l != "" && !strings.HasPrefix(l, "To fix this"):
			core = append(core, l+";")
		default:
			conflict = conflict && l != "" && !strings.HasPrefix(l, "To fix this")
		}
	}
	return strings.Join(core, " ")
}

// fromLine is how pip says which line of our list brought it to a package.
var fromLine = regexp.MustCompile(`\(from (?:[^()]*->)?-r [^()]*requirements\.txt \(line (\d+)\)\)`)

// notWord separates the words of a complaint.
var notWord = regexp.MustCompile(`[^A-Za-z0-9._/-]+`)

// blamed finds the requirements that a complaint is about: those that it
// names, else the one that the installer was at, else all.
func blamed(core, said string, reqs []Requirement) []Requirement {
	words := map[string]bool{}
	for _, w := range notWord.Split(core, -1) {
		words[normal(w)] = true
	}
	var named []Requirement
	for _, r := range reqs {
		if name := r.name(); name != "" && words[normal(name)] || r.Path != "" && strings.Contains(core, r.Path) {
			named = append(named, r)
		}
	}
	if len(named) > 0 {
		return named
	}
	if at := fromLine.FindAllStringSubmatch(said, -1); len(at) > 0 {
		if n, err := strconv.Atoi(at[len(at)-1][1]); err == nil && n >= 1 && n <= len(reqs) {
			return reqs[n-1 : n]
		}
	}
	return slices.DeleteFunc(slices.Clone(reqs), func(r Requirement) bool {
		return strings.HasPrefix(r.Line, "-") && !r.editable() // it only says how to install
	})
}

// name is the name of the package that a requirement is for; empty if its
// line does not tell.
func (r Requirement) name() string {
	line := strings.TrimSpace(r.Line)
	if r.Path != "" {
		base := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
		name, _, _ := strings.Cut(base, "-")
		return name
	}
	if strings.HasPrefix(line, "-") {
		return ""
	}
	end := strings.IndexFunc(line, func(c rune) bool { return strings.ContainsRune("=<>!~ [;@(,", c) })
	if end < 0 {
		return line
	}
	return line[:end]
}

// normal makes the spellings of a package's name one.
func normal(name string) string {
	return strings.ToLower(strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(name), "-"))
}

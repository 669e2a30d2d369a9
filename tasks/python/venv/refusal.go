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
	// Offline says that an index could not be reached: it may do another time.
	Offline bool
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
	core = listLine.ReplaceAllStringFunc(core, func(ref string) string {
		if r := at(listLine.FindStringSubmatch(ref)[1], reqs); len(r) > 0 {
			return r[0].Line
		}
		return ref
	})
	core = choice.ReplaceAllString(core, "(from versions: …, $1)")
	e.Reason = short(strings.Join(strings.Fields(core), " "), 600)
	if e.Reason == "" {
		e.Reason = "the installer ended with " + exit.Error()
	}
	e.Offline = offline.in(said)
	for _, m := range mends {
		if m.signs.in(said) {
			e.Reason += "; " + m.advice
			break
		}
	}
	return e
}

// signs are words of an installer, in small letters, by which something is known.
type signs []string

func (s signs) in(said string) bool {
	said = strings.ToLower(said)
	return slices.ContainsFunc(s, func(sign string) bool { return strings.Contains(said, sign) })
}

// offline are the signs of an index that cannot be reached.
var offline = signs{
	"failed to establish a new connection", "name resolution", "network is unreachable", "connection refused", "connecttimeout", "readtimeout",
	"dns error", "could not connect", "proxyerror", "newconnectionerror", "connection error", "error sending request",
}

// mends are what to do about the refusals that people meet most.
var mends = []struct {
	signs  signs
	advice string
}{
	{offline, "the package index cannot be reached: check the network, or install from a folder by the lines --no-index and --find-links DIR"},
	{signs{"certificate_verify_failed", "invalid peer certificate"}, "the index's certificate is not trusted: set PIP_CERT or SSL_CERT_FILE"},
	{signs{"401 ", "403 ", "unauthorized", "forbidden"}, "the index asks for a name and a password: put them into PIP_INDEX_URL or UV_INDEX_URL"},
	{signs{"requires a different python", "requires-python", "does not satisfy python"}, "another Python can be named by --python or $FLOWCTL_PYTHON"},
	{signs{"resolutionimpossible", "conflicting dependencies", "are incompatible"}, "these requirements cannot be met together: loosen one of them"},
}

// complaint is the part of an installer's words that says what is wrong: its
// error lines with their causes, and the last line of a project's own build.
func complaint(said string) string {
	var core []string
	conflict, cause, inBuild, last := false, false, false, ""
	for _, line := range strings.Split(said, "\n") {
		l := strings.TrimLeft(strings.TrimSpace(line), "×╰─▶│>| ") // uv once drew trees
		low := strings.ToLower(l)
		switch {
		case l == "":
			conflict, cause = false, false
			continue
		case l == "[end of output]":
			core, inBuild = append(core, last), false
		case l == "[stderr]" || strings.HasSuffix(l, "lines of output]"):
			inBuild = true
		case strings.HasPrefix(low, "hint:") || strings.HasPrefix(low, "note:") || strings.HasPrefix(low, "warning:"):
			conflict = false
		case strings.HasPrefix(low, "error: no matching distribution found") && len(core) > 0:
			// the line before says more
		case strings.HasPrefix(low, "error:"):
			core = append(core, strings.TrimSpace(l[len("error:"):]))
		case strings.HasPrefix(low, "cause:"):
			core, cause = append(core, "("+strings.TrimSpace(l[len("cause:"):])+")"), true
		case cause && strings.HasPrefix(line, "         "):
			core = append(core, l)
		case strings.HasPrefix(l, "Caused by:"), strings.HasPrefix(strings.TrimSpace(line), "×"), strings.HasPrefix(strings.TrimSpace(line), "╰─▶"):
			core = append(core, l)
		case strings.HasPrefix(l, "The conflict is caused by"):
			conflict = true
			core = append(core, l)
		case conflict && !strings.HasPrefix(l, "To fix this"):
			core = append(core, l+";")
		}
		last = l
	}
	if inBuild { // uv does not mark its end
		core = append(core, last)
	}
	return strings.Join(core, " ")
}

// choice is pip's list of versions, of which the last few will do.
var choice = regexp.MustCompile(`\(from versions: [^()]*, ([^(),]+, [^(),]+, [^(),]+)\)`)

// listLine is how pip names a line of our list.
var listLine = regexp.MustCompile(`-r [^()]*requirements\.txt \(line (\d+)\)`)

// at is the requirement on a line of our list, by its number.
func at(number string, reqs []Requirement) []Requirement {
	if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= len(reqs) {
		return reqs[n-1 : n]
	}
	return nil
}

// fromLine is how pip says which line of our list brought it to a package.
var fromLine = regexp.MustCompile(`\(from (?:[^()]*->)?-r [^()]*requirements\.txt \(line (\d+)\)\)`)

// position is how uv says where in our list it cannot read on.
var position = regexp.MustCompile("`[^`]*requirements\\.txt` at position (\\d+)")

// notWord separates the words of a complaint.
var notWord = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// blamed finds the requirements that a complaint is about: those that it
// names, else the one that the installer was at, else all.
func blamed(core, said string, reqs []Requirement) []Requirement {
	if where := position.FindStringSubmatch(core); where != nil {
		rest, _ := strconv.Atoi(where[1])
		for i, r := range reqs {
			if rest -= len(r.listed()) + 1; rest < 0 {
				return reqs[i : i+1]
			}
		}
	}
	var listed []Requirement
	for _, m := range listLine.FindAllStringSubmatch(core, -1) {
		listed = append(listed, at(m[1], reqs)...)
	}
	words := map[string]bool{}
	for _, w := range notWord.Split(core, -1) {
		words[normal(w)] = true
	}
	var named []Requirement
	for _, r := range reqs { // pip's conflict gives one by its line, the other by its name
		if name := r.name(); slices.Contains(listed, r) || name != "" && words[normal(name)] || r.Path != "" && strings.Contains(core, r.Path) {
			named = append(named, r)
		}
	}
	if len(named) > 0 {
		return named
	}
	if from := fromLine.FindAllStringSubmatch(said, -1); len(from) > 0 {
		if last := at(from[len(from)-1][1], reqs); last != nil {
			return last
		}
	}
	return asked(reqs)
}

// asked are the requirements that ask for a package; the others only say how
// to install.
func asked(reqs []Requirement) []Requirement {
	return slices.DeleteFunc(slices.Clone(reqs), func(r Requirement) bool { return strings.HasPrefix(r.Line, "-") && !r.editable() })
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

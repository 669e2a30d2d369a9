// Package ref knows Databricks' dynamic value references: how {{…}} is
// written, which names there are, and how text with references expands. It
// resolves nothing itself: a Scope does.
package ref

import "strings"

// Ref is one reference as written.
type Ref struct {
	Path []string // its parts: {{tasks.`a b`.values.x}} is tasks, "a b", values, x
	Raw  string   // with its braces
	Pos  int      // byte offset in the text
}

// String is the reference with its braces.
func (r Ref) String() string { return r.Raw }

// List finds the references in a text. Braces that do not pair, or whose
// inside is no path, are plain text.
func List(text string) []Ref {
	var refs []Ref
	scan(text, func(r Ref) { refs = append(refs, r) })
	return refs
}

// Malformed finds what looks like a reference and is none: {{ without }}, or
// an inside that is no path. It stays in the text as it is.
func Malformed(text string) []string {
	var bad []string
	for i := strings.Index(text, "{{"); i >= 0; {
		end := strings.Index(text[i:], "}}")
		if end < 0 {
			return append(bad, text[i:])
		}
		raw := text[i : i+end+2]
		if _, ok := split(raw[2 : len(raw)-2]); !ok {
			bad = append(bad, raw)
		}
		next := strings.Index(text[i+end+2:], "{{")
		if next < 0 {
			return bad
		}
		i += end + 2 + next
	}
	return bad
}

// scan calls fn for each reference, in order.
func scan(text string, fn func(Ref)) {
	for pos := 0; ; {
		i := strings.Index(text[pos:], "{{")
		if i < 0 {
			return
		}
		start := pos + i
		end := strings.IndexAny(text[start+2:], "{}") // no path holds a brace
		if end < 0 {
			return
		}
		end += start + 2
		if !strings.HasPrefix(text[end:], "}}") {
			pos = start + 1 // the braces may pair from further right
			continue
		}
		raw := text[start : end+2]
		if path, ok := split(raw[2 : len(raw)-2]); ok {
			fn(Ref{Path: path, Raw: raw, Pos: start})
		}
		pos = end + 2
	}
}

// split reads a path: identifiers joined by dots; letters, digits, _ and - as
// they are, anything else in backticks. [K] stands for .K, as some pages
// write job parameters.
func split(inside string) ([]string, bool) {
	s := strings.TrimSpace(inside)
	if s == "" {
		return nil, false
	}
	var path []string
	for {
		var part string
		var ok bool
		if part, s, ok = identifier(s); !ok {
			return nil, false
		}
		path = append(path, part)
		if s = strings.TrimLeft(s, " \t"); s == "" {
			return path, true
		}
		if s[0] == '[' { // job.parameters[K]
			continue
		}
		if s[0] != '.' {
			return nil, false
		}
		s = strings.TrimLeft(s[1:], " \t")
	}
}

// identifier takes one path part off the front of s.
func identifier(s string) (part, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	for _, q := range []struct {
		open  byte
		close string
	}{{'`', "`"}, {'[', "]"}} {
		if s[0] != q.open {
			continue
		}
		i := strings.Index(s[1:], q.close)
		if i < 1 {
			return "", "", false
		}
		return strings.TrimSpace(s[1 : 1+i]), s[i+2:], true
	}
	n := 0
	for n < len(s) && plain(s[n]) {
		n++
	}
	if n == 0 {
		return "", "", false
	}
	return s[:n], s[n:], true
}

func plain(c byte) bool {
	return c == '_' || c == '-' || c == '/' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

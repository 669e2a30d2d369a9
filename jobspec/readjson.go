package jobspec

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// maxNesting is how deep a job file may nest: far more than any job does, and
// little enough that a file made to hurt does not.
const maxNesting = 100

// jsonReader reads JSON with places, and reports what is not JSON where it stands.
type jsonReader struct {
	data      []byte
	pos       int
	line      int // of the byte at lineStart
	lineStart int
	colPos    int // a place in that line whose column is known
	col       int
	doubles   []Problem
}

// readJSON reads one JSON value. The problem is nil if it could be read.
func readJSON(data []byte) (*node, []Problem, *Problem) {
	r := &jsonReader{data: data, line: 1}
	r.space()
	n, bad := r.value(0)
	if bad == nil {
		r.space()
		if r.pos < len(r.data) {
			bad = r.problem("more text after the end of the job")
		}
	}
	return n, r.doubles, bad
}

// place is where the next byte stands. It counts on from the last place that
// was asked for, so that a file of one long line costs no more than others.
func (r *jsonReader) place() (line, col int) {
	for {
		i := bytes.IndexByte(r.data[r.colPos:max(r.pos, r.colPos)], '\n')
		if i < 0 {
			break
		}
		r.lineStart = r.colPos + i + 1
		r.colPos, r.col = r.lineStart, 0
		r.line++
	}
	if r.pos < r.colPos { // back to the start of a string
		r.colPos, r.col = r.lineStart, 0
	}
	r.col += utf8.RuneCount(r.data[r.colPos:min(r.pos, len(r.data))])
	r.colPos = r.pos
	return r.line, r.col + 1
}

func (r *jsonReader) problem(msg string) *Problem {
	line, col := r.place()
	return &Problem{Line: line, Col: col, Message: msg}
}

func (r *jsonReader) space() {
	for r.pos < len(r.data) && bytes.IndexByte([]byte(" \t\r\n"), r.data[r.pos]) >= 0 {
		r.pos++
	}
}

func (r *jsonReader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

func (r *jsonReader) value(depth int) (*node, *Problem) {
	if depth > maxNesting {
		return nil, r.problem("nested too deep for a job")
	}
	n := &node{}
	n.line, n.col = r.place()
	start := r.pos
	var bad *Problem
	switch c := r.peek(); {
	case c == '{':
		n.kind = nodeObject
		bad = r.object(n, depth)
	case c == '[':
		n.kind = nodeList
		bad = r.array(n, depth)
	case c == '"':
		n.kind = nodeString
		n.text, bad = r.str()
	default:
		bad = r.scalar(n)
	}
	if bad != nil {
		return nil, bad
	}
	n.raw = r.data[start:r.pos]
	return n, nil
}

func (r *jsonReader) object(n *node, depth int) *Problem {
	r.pos++
	seen := map[string]int{}
	for r.space(); r.peek() != '}'; r.space() {
		if len(n.members) > 0 {
			if r.peek() != ',' {
				return r.problem("a comma or } is missing here")
			}
			r.pos++
			r.space()
			if r.peek() == '}' {
				return r.problem("a comma before } is not JSON")
			}
		}
		if r.peek() != '"' {
			return r.problem("a key in double quotes is expected here")
		}
		var m nodeMember
		m.line, m.col = r.place()
		var bad *Problem
		if m.key, bad = r.str(); bad != nil {
			return bad
		}
		r.space()
		if r.peek() != ':' {
			return r.problem("a colon is missing here")
		}
		r.pos++
		r.space()
		if m.value, bad = r.value(depth + 1); bad != nil {
			return bad
		}
		if first, twice := seen[m.key]; twice {
			r.doubles = append(r.doubles, Problem{Line: m.line, Col: m.col, Path: m.key,
				Message: "the key " + string(quoted(m.key)) + " stands twice in this object; the first is on line " + itoa(first)})
		} else {
			seen[m.key] = m.line
		}
		n.members = append(n.members, m)
	}
	r.pos++
	return nil
}

func (r *jsonReader) array(n *node, depth int) *Problem {
	r.pos++
	for r.space(); r.peek() != ']'; r.space() {
		if len(n.items) > 0 {
			if r.peek() != ',' {
				return r.problem("a comma or ] is missing here")
			}
			r.pos++
			r.space()
			if r.peek() == ']' {
				return r.problem("a comma before ] is not JSON")
			}
		}
		it, bad := r.value(depth + 1)
		if bad != nil {
			return bad
		}
		n.items = append(n.items, it)
	}
	r.pos++
	return nil
}

func (r *jsonReader) str() (string, *Problem) {
	start := r.pos
	for r.pos++; r.pos < len(r.data) && r.data[r.pos] != '"'; r.pos++ {
		if r.data[r.pos] == '\\' {
			r.pos++
		} else if r.data[r.pos] == '\n' {
			r.pos = start
			return "", r.problem("this string has no end on its line")
		}
	}
	if r.pos >= len(r.data) {
		r.pos = start
		return "", r.problem("this string has no end")
	}
	r.pos++
	var s string
	if json.Unmarshal(r.data[start:r.pos], &s) != nil {
		r.pos = start
		return "", r.problem("this string is not JSON: a bad escape or a control character")
	}
	return s, nil
}

func (r *jsonReader) scalar(n *node) *Problem {
	start := r.pos
	for r.pos < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,]}:\"{["), r.data[r.pos]) < 0 {
		r.pos++
	}
	n.text = string(r.data[start:r.pos])
	switch {
	case n.text == "":
		if r.pos >= len(r.data) {
			return r.problem("the file ends where a value is expected")
		}
		return r.problem("a value is expected here")
	case n.text == "true" || n.text == "false":
		n.kind = nodeBool
	case n.text == "null":
		n.kind = nodeNull
	case json.Valid([]byte(n.text)):
		n.kind = nodeNumber
	default:
		r.pos = start
		return r.problem(n.brief() + " is no JSON value; text stands in double quotes")
	}
	return nil
}

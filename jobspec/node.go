package jobspec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// node is a value of a job file with its place: what JSON and YAML have in
// common. Checks walk nodes, so that each problem knows where it stands.
type node struct {
	kind    nodeKind
	text    string // a string's value; a number, true, false or null as JSON writes it
	members []nodeMember
	items   []*node
	line    int
	col     int
	raw     []byte // of a JSON file: the bytes as written
}

type nodeMember struct {
	key       string
	line, col int
	value     *node
}

type nodeKind int

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeList
	nodeObject
)

func (k nodeKind) String() string {
	return [...]string{"null", "true or false", "a number", "a string", "a list", "an object"}[k]
}

// get is an object's member, nil if it has none of that name.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// str is a string member's value.
func (n *node) str(key string) string {
	if v := n.get(key); v != nil && v.kind == nodeString {
		return v.text
	}
	return ""
}

// list is a list member's elements.
func (n *node) list(key string) []*node {
	if v := n.get(key); v != nil {
		return v.items
	}
	return nil
}

// json is the value as JSON: as written in a JSON file, compact otherwise.
func (n *node) json() json.RawMessage {
	if n.raw != nil {
		return n.raw
	}
	var b bytes.Buffer
	n.write(&b)
	return b.Bytes()
}

func (n *node) write(b *bytes.Buffer) {
	switch n.kind {
	case nodeString:
		b.Write(quoted(n.text))
	case nodeList:
		b.WriteByte('[')
		for i, it := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			it.write(b)
		}
		b.WriteByte(']')
	case nodeObject:
		b.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quoted(m.key))
			b.WriteByte(':')
			m.value.write(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString(n.text)
	}
}

func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(strings.ToValidUTF8(s, string(utf8.RuneError))) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}

// brief shows a value within a message.
func (n *node) brief() string {
	const limit = 60
	var s string
	switch n.kind {
	case nodeObject:
		return "an object"
	case nodeList:
		return fmt.Sprintf("a list of %d", len(n.items))
	case nodeString:
		s = string(quoted(n.text))
	default:
		s = n.text
	}
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit]) + "…"
	}
	return s
}

package jobspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxNodes bounds what a YAML file may grow to through its aliases.
const maxNodes = 500_000

// yamlReader turns a YAML document into nodes.
type yamlReader struct {
	anchors map[string]ast.Node
	open    map[string]bool // anchors that are being expanded
	nodes   int
	doubles []Problem
}

// readYAML reads the first document of a YAML file.
func readYAML(data []byte) (n *node, doubles []Problem, bad *Problem) {
	defer func() { // the library panics on some broken input
		if p := recover(); p != nil {
			n, bad = nil, &Problem{Line: 1, Col: 1, Message: "this is no YAML that can be read"}
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, nil, yamlProblem(err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil, &Problem{Line: 1, Col: 1, Message: "the file is empty"}
	}
	r := &yamlReader{anchors: map[string]ast.Node{}, open: map[string]bool{}}
	n, bad = r.value(file.Docs[0].Body, 0)
	return n, r.doubles, bad
}

func yamlProblem(err error) *Problem {
	p := &Problem{Line: 1, Col: 1, Message: strings.SplitN(err.Error(), "\n", 2)[0]}
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		p.Message = syntax.Message
		if t := syntax.GetToken(); t != nil {
			p.Line, p.Col = t.Position.Line, t.Position.Column
		}
	}
	return p
}

func at(a ast.Node, n *node) *node {
	if t := a.GetToken(); t != nil && t.Position != nil {
		n.line, n.col = t.Position.Line, t.Position.Column
	}
	return n
}

func problemAt(a ast.Node, format string, args ...any) *Problem {
	n := at(a, &node{})
	return &Problem{Line: n.line, Col: n.col, Message: fmt.Sprintf(format, args...)}
}

func (r *yamlReader) value(a ast.Node, depth int) (*node, *Problem) {
	if r.nodes++; r.nodes > maxNodes || depth > maxNesting {
		return nil, problemAt(a, "too large or nested too deep for a job")
	}
	switch a := a.(type) {
	case *ast.MappingNode:
		return r.mapping(a, a.Values, depth)
	case *ast.MappingValueNode:
		return r.mapping(a, []*ast.MappingValueNode{a}, depth)
	case *ast.SequenceNode:
		n := at(a, &node{kind: nodeList})
		for _, v := range a.Values {
			it, bad := r.value(v, depth+1)
			if bad != nil {
				return nil, bad
			}
			n.items = append(n.items, it)
		}
		return n, nil
	case *ast.AnchorNode:
		r.anchors[a.Name.GetToken().Value] = a.Value
		return r.value(a.Value, depth)
	case *ast.AliasNode:
		return r.alias(a, depth)
	case *ast.TagNode:
		return r.value(a.Value, depth)
	}
	return r.scalar(a)
}

func (r *yamlReader) alias(a *ast.AliasNode, depth int) (*node, *Problem) {
	name := a.Value.GetToken().Value
	target, ok := r.anchors[name]
	if !ok {
		return nil, problemAt(a, "no anchor &%s before this alias", name)
	}
	if r.open[name] {
		return nil, problemAt(a, "the anchor &%s holds itself", name)
	}
	r.open[name] = true
	defer delete(r.open, name)
	return r.value(target, depth+1)
}

func (r *yamlReader) mapping(a ast.Node, values []*ast.MappingValueNode, depth int) (*node, *Problem) {
	n := at(a, &node{kind: nodeObject})
	if len(values) > 0 {
		at(values[0].Key, n)
	}
	var merged []nodeMember
	seen := map[string]int{}
	for _, v := range values {
		value, bad := r.value(v.Value, depth+1)
		if bad != nil {
			return nil, bad
		}
		if _, isMerge := v.Key.(*ast.MergeKeyNode); isMerge {
			merged = append(merged, mergedMembers(value)...)
			continue
		}
		m := nodeMember{key: yamlKey(v.Key), value: value}
		k := at(v.Key, &node{})
		m.line, m.col = k.line, k.col
		if first, twice := seen[m.key]; twice {
			r.doubles = append(r.doubles, Problem{Line: m.line, Col: m.col, Path: m.key,
				Message: fmt.Sprintf("the key %q stands twice in this mapping; the first is on line %d", m.key, first)})
			continue
		}
		seen[m.key] = m.line
		n.members = append(n.members, m)
	}
	for _, m := range merged {
		if n.get(m.key) == nil {
			n.members = append(n.members, m)
		}
	}
	return n, nil
}

// mergedMembers are what << brings in: of one mapping, or of each of a list.
func mergedMembers(n *node) []nodeMember {
	if n.kind == nodeObject {
		return n.members
	}
	var all []nodeMember
	for _, it := range n.items {
		all = append(all, it.members...)
	}
	return all
}

func yamlKey(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.Trim(k.String(), `"'`)
}

func (r *yamlReader) scalar(a ast.Node) (*node, *Problem) {
	n := at(a, &node{})
	switch a := a.(type) {
	case *ast.StringNode:
		n.kind, n.text = nodeString, a.Value
	case *ast.LiteralNode:
		n.kind, n.text = nodeString, a.Value.Value
	case *ast.BoolNode:
		n.kind, n.text = nodeBool, strconv.FormatBool(a.Value)
	case *ast.NullNode:
		n.kind, n.text = nodeNull, "null"
	case *ast.IntegerNode:
		n.kind, n.text = nodeNumber, fmt.Sprint(a.Value)
	case *ast.FloatNode:
		n.kind, n.text = nodeNumber, a.GetToken().Value
		if !json.Valid([]byte(n.text)) {
			n.text = strconv.FormatFloat(a.Value, 'g', -1, 64)
		}
		if math.IsInf(a.Value, 0) || math.IsNaN(a.Value) {
			return nil, problemAt(a, "%s is no number that JSON has", a.GetToken().Value)
		}
	case *ast.InfinityNode, *ast.NanNode:
		return nil, problemAt(a, "%s is no number that JSON has", a.GetToken().Value)
	default:
		return nil, problemAt(a, "this kind of YAML value has no place in a job")
	}
	return n, nil
}

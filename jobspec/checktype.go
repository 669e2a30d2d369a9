package jobspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// object holds an object against the table of fields.
func (c *checker) object(n *node, path, name string, extra map[string]string) {
	if n.kind != nodeObject {
		c.err(n, strings.TrimSuffix(path, "."), "%s is expected, this is %s", nodeObject, n.brief())
		return
	}
	fields := schema()[name]
	for _, m := range n.members {
		typ, ok := fields[m.key]
		if !ok {
			typ, ok = extra[m.key]
		}
		at := path + m.key
		if !ok {
			c.unknown(m, at, name, fields)
			continue
		}
		c.typed(m.value, at, typ)
	}
}

func (c *checker) unknown(m nodeMember, at, name string, fields map[string]string) {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	hint := didYouMean(m.key, known)
	if hint == "" {
		hint = "; it is kept and ignored"
	}
	c.warn(&node{line: m.line, col: m.col}, at, "no field %q here%s", m.key, hint)
}

// typed holds a value against a type of the table.
func (c *checker) typed(n *node, path, typ string) {
	if n.kind == nodeNull || typ == "?" {
		return
	}
	if n.kind == nodeString && strings.HasPrefix(n.text, "${") {
		return // a bundle's variable; its value is not known here
	}
	switch typ[0] {
	case '@':
		c.object(n, path+".", typ[1:], nil)
	case '[':
		if !c.is(n, path, nodeList) {
			return
		}
		for i, it := range n.items {
			c.typed(it, fmt.Sprintf("%s[%d]", path, i), typ[1:len(typ)-1])
		}
	case '{':
		if !c.is(n, path, nodeObject) {
			return
		}
		for _, m := range n.members {
			c.typed(m.value, path+"."+m.key, typ[1:len(typ)-1])
		}
	case 'e':
		c.enum(n, path, strings.Split(typ[2:len(typ)-1], "|"))
	case 's':
		c.is(n, path, nodeString)
	case 'b':
		c.is(n, path, nodeBool)
	case 'n':
		c.is(n, path, nodeNumber)
	case 'i':
		c.whole(n, path)
	}
}

func (c *checker) is(n *node, path string, want nodeKind) bool {
	if n.kind == want {
		return true
	}
	hint := ""
	if want == nodeString && (n.kind == nodeNumber || n.kind == nodeBool) {
		hint = fmt.Sprintf("; write \"%s\"", n.text)
	}
	c.err(n, path, "%s is expected, this is %s%s", want, n.brief(), hint)
	return false
}

func (c *checker) whole(n *node, path string) {
	if n.kind == nodeString && jobRef(n.text) && strings.HasSuffix(path, "run_job_task.job_id") {
		return // a job's name in place of its id; siblings looks it up
	}
	if !c.is(n, path, nodeNumber) {
		return
	}
	if _, err := strconv.ParseInt(n.text, 10, 64); err != nil {
		c.err(n, path, "a whole number is expected, this is %s", n.text)
	}
}

func (c *checker) enum(n *node, path string, words []string) {
	if !c.is(n, path, nodeString) || slices.Contains(words, n.text) {
		return
	}
	// A workspace takes a provider in any case (seen of the Databricks CLI, whose
	// own answer to a missing one lists them in lower case).
	if strings.HasSuffix(path, "git_provider") && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, n.text) }) {
		return
	}
	hint := didYouMean(strings.ToUpper(n.text), words)
	c.err(n, path, "%q is none of %s%s", n.text, strings.Join(words, ", "), hint)
}

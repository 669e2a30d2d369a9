package api

import (
	"fmt"
	"regexp"
	"strings"
)

// scimFilter is a filter of RFC 7644 as far as clients send it: comparisons
// joined by and, or by or.
type scimFilter struct {
	any   bool // one comparison is enough
	terms []scimTerm
}

type scimTerm struct {
	attribute string // folded
	op        string // eq ne co sw ew pr
	value     string // folded
}

var scimTermText = regexp.MustCompile(`(?i)^\s*([\w.$:-]+)\s+(?:(eq|ne|co|sw|ew)\s+(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'()]+))|(pr))\s*`)

// parseFilter reads a filter. An empty one is nil and matches everything.
func parseFilter(text string) (*scimFilter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	f := &scimFilter{}
	rest, joint := text, ""
	for {
		m := scimTermText.FindStringSubmatch(rest)
		if m == nil {
			return nil, invalid("filter %q is not understood; it is ATTRIBUTE eq|ne|co|sw|ew \"VALUE\" or ATTRIBUTE pr, joined by and, or by or.", text)
		}
		rest = rest[len(m[0]):]
		value := m[3] + m[4] + m[5]
		if m[3] != "" {
			value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value)
		}
		f.terms = append(f.terms, scimTerm{strings.ToLower(m[1]), strings.ToLower(m[2] + m[6]), strings.ToLower(value)})
		if rest == "" {
			f.any = joint == "or"
			return f, nil
		}
		word, after, _ := strings.Cut(rest, " ")
		word = strings.ToLower(word)
		if (word != "and" && word != "or") || (joint != "" && word != joint) {
			return nil, invalid("filter %q is not understood: after a comparison comes and, or or, but not both in one filter.", text)
		}
		joint, rest = word, after
	}
}

// matches says whether a JSON object passes.
func (f *scimFilter) matches(o map[string]any) bool {
	if f == nil {
		return true
	}
	for _, t := range f.terms {
		if t.matches(valuesOf(o, t.attribute)) == f.any {
			return f.any
		}
	}
	return !f.any
}

func (t scimTerm) matches(values []string) bool {
	if t.op == "ne" {
		return !scimTerm{t.attribute, "eq", t.value}.matches(values)
	}
	for _, v := range values {
		var hit bool
		switch t.op {
		case "eq":
			hit = v == t.value
		case "co":
			hit = strings.Contains(v, t.value)
		case "sw":
			hit = strings.HasPrefix(v, t.value)
		case "ew":
			hit = strings.HasSuffix(v, t.value)
		case "pr":
			hit = true
		}
		if hit {
			return true
		}
	}
	return false
}

// valuesOf are an attribute's values, folded: of a list those of its elements.
func valuesOf(o map[string]any, attribute string) []string {
	name, sub, _ := strings.Cut(attribute, ".")
	for k, v := range o {
		if !strings.EqualFold(k, name) {
			continue
		}
		switch v := v.(type) {
		case []any:
			var out []string
			for _, e := range v {
				if inner, ok := e.(map[string]any); ok {
					want := sub
					if want == "" {
						want = "value"
					}
					out = append(out, valuesOf(inner, want)...)
				}
			}
			return out
		case map[string]any:
			return valuesOf(v, sub)
		case nil:
			return nil
		default:
			return []string{strings.ToLower(fmt.Sprint(v))}
		}
	}
	return nil
}

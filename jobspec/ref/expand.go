package ref

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Scope gives references their values.
type Scope interface {
	// Resolve returns the value of a reference. known is false for a
	// namespace that Databricks does not know: the text stays as it is. An
	// error means a reference into a known namespace that has no value.
	Resolve(r Ref) (value string, known bool, err error)
}

// Expand replaces every reference in a text by its value. It passes over the
// text once: what comes out of a reference is not expanded again. The error
// names the reference.
func Expand(text string, s Scope) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	var b strings.Builder
	var failed error
	last := 0
	scan(text, func(r Ref) {
		if failed != nil {
			return
		}
		v, known, err := s.Resolve(r)
		if err != nil {
			failed = fmt.Errorf("%s: %w", r.Raw, err)
			return
		}
		if known {
			b.WriteString(text[last:r.Pos])
			b.WriteString(v)
			last = r.Pos + len(r.Raw)
		}
	})
	if failed != nil {
		return "", failed
	}
	b.WriteString(text[last:])
	return b.String(), nil
}

// ExpandJSON expands the references in every string value of a JSON text.
// Keys, numbers, spaces and the order of members stay as they are.
func ExpandJSON(raw json.RawMessage, s Scope) (json.RawMessage, error) {
	if !bytes.Contains(raw, []byte("{{")) && !bytes.Contains(raw, []byte(`\u007b`)) && !bytes.Contains(raw, []byte(`\u007B`)) {
		return raw, nil
	}
	if !json.Valid(raw) {
		return nil, fmt.Errorf("not JSON")
	}
	var b bytes.Buffer
	for i := 0; i < len(raw); {
		if raw[i] != '"' {
			b.WriteByte(raw[i])
			i++
			continue
		}
		end := stringEnd(raw, i)
		lit := raw[i:end]
		i = end
		if isKey(raw[end:]) {
			b.Write(lit)
			continue
		}
		out, err := expandLiteral(lit, s)
		if err != nil {
			return nil, err
		}
		b.Write(out)
	}
	return b.Bytes(), nil
}

// stringEnd is the index after the string literal that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isKey tells whether a string literal is a member's name: a colon follows.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

func expandLiteral(lit []byte, s Scope) ([]byte, error) {
	var text string
	if err := json.Unmarshal(lit, &text); err != nil {
		return nil, fmt.Errorf("read string: %w", err)
	}
	if !strings.Contains(text, "{{") {
		return lit, nil
	}
	out, err := Expand(text, s)
	if err != nil || out == text {
		return lit, err
	}
	return quote(out), nil
}

// quote is a string as JSON, with <, > and & as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(strings.ToValidUTF8(s, string(utf8.RuneError))) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}

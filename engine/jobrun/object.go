package jobrun

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a JSON object whose members keep their order: named parameters
// reach a program in the order in which they were written.
type object []member

type member struct {
	key   string
	value json.RawMessage
}

func parseObject(raw json.RawMessage) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object: %s", shorten(string(raw)))
	}
	var o object
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read object: %w", err)
		}
		key, _ := tok.(string)
		var m member
		m.key = key
		if err := dec.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("read %q: %w", key, err)
		}
		o = append(o, m)
	}
	return o, nil
}

func (o object) get(key string) (json.RawMessage, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// with sets a member, in its place if it is there.
func (o object) with(key string, value json.RawMessage) object {
	for i := range o {
		if o[i].key == key {
			o[i].value = value
			return o
		}
	}
	return append(o, member{key, value})
}

func (o object) raw() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(text(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// text is a string as JSON, with <, > and & as they are.
func text(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}

// merge lays text members over the object under key, new ones in the order given.
func (o object) merge(key string, names []string, values map[string]string) (object, error) {
	if len(names) == 0 {
		return o, nil
	}
	var inner object
	if raw, ok := o.get(key); ok && string(raw) != "null" {
		var err error
		if inner, err = parseObject(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, n := range names {
		inner = inner.with(n, text(values[n]))
	}
	return o.with(key, inner.raw()), nil
}

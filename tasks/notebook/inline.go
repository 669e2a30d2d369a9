package notebook

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Environment is what a notebook itself asks for.
type Environment struct {
	Version      string // environment_version
	Base         string // base_environment
	Dependencies []string
	Place        string // where it stands, for messages
	Dir          string // where its relative paths start: the notebook's folder; set by who knows it
}

// Inline reads the environment that a notebook of this name and content asks
// for: a source notebook in a comment block after its header, a Jupyter
// notebook in its metadata. Nil: it asks for none. An error says the line.
//
// Source: the block is PEP 723's form with a table of Databricks:
//
//	# /// script
//	# [tool.databricks.environment]
//	# environment_version = "5"
//	# dependencies = ["simplejson==3.19.2"]
//	# ///
func Inline(name string, content []byte) (*Environment, error) {
	if strings.ToLower(filepath.Ext(name)) == ".ipynb" {
		return jupyterEnvironment(name, content), nil
	}
	if strings.ToLower(filepath.Ext(name)) != ".py" || !strings.Contains(string(content), "# /// script") {
		return nil, nil
	}
	lines := strings.Split(strings.TrimPrefix(string(content), "\ufeff"), "\n")
	at := 1 // after the header, blank lines and comments
	for ; at < len(lines) && strings.TrimSpace(lines[at]) != "# /// script"; at++ {
		if l := strings.TrimSpace(lines[at]); l != "" && !strings.HasPrefix(l, "#") {
			return nil, nil // code has begun: it is only a comment by now
		}
	}
	r := reader{name: filepath.Base(name), line: at + 1}
	for at++; at < len(lines); at++ {
		line := strings.TrimSpace(lines[at])
		switch {
		case line == "# ///":
			return r.read()
		case line != "#" && !strings.HasPrefix(line, "# "):
			return nil, nil // not closed: no block
		}
		r.text += strings.TrimPrefix(strings.TrimPrefix(line, "#"), " ") + "\n"
	}
	return nil, nil
}

// jupyterEnvironment reads the environment of a notebook's metadata.
func jupyterEnvironment(name string, content []byte) *Environment {
	var doc struct {
		Metadata struct {
			Databricks struct {
				Environment struct {
					Base         string   `json:"base_environment"`
					Version      string   `json:"environment_version"`
					Client       string   `json:"client"`
					Dependencies []string `json:"dependencies"`
				} `json:"environmentMetadata"`
			} `json:"application/vnd.databricks.v1+notebook"`
		} `json:"metadata"`
	}
	if json.Unmarshal(content, &doc) != nil {
		return nil // whoever reads its cells says what is wrong
	}
	e := doc.Metadata.Databricks.Environment
	if e.Version == "" {
		e.Version = e.Client
	}
	if e.Version == "" && e.Base == "" && len(e.Dependencies) == 0 {
		return nil
	}
	return &Environment{Version: e.Version, Base: e.Base, Dependencies: e.Dependencies, Place: filepath.Base(name) + ": environmentMetadata"}
}

// reader reads as much of TOML as the block has: tables, strings, and arrays
// of strings.
type reader struct {
	name string
	line int // of the block's first
	text string
	pos  int
}

func (r *reader) fail(format string, args ...any) error {
	at := r.line + 1 + strings.Count(r.text[:min(r.pos, len(r.text))], "\n")
	return fmt.Errorf("%s:%d: inline environment: %s", r.name, at, fmt.Sprintf(format, args...))
}

// read reads the block. Tables of others are passed over.
func (r *reader) read() (*Environment, error) {
	e := &Environment{Place: fmt.Sprintf("%s:%d: environment", r.name, r.line)}
	ours, found := false, false
	for {
		r.blank("\n")
		if r.pos == len(r.text) {
			break
		}
		if r.text[r.pos] == '[' {
			table, _, _ := strings.Cut(r.text[r.pos:], "\n")
			ours = strings.ReplaceAll(table, " ", "") == "[tool.databricks.environment]"
			found = found || ours
			r.pos += len(table)
			continue
		}
		if !ours {
			rest, _, _ := strings.Cut(r.text[r.pos:], "\n")
			r.pos += len(rest)
			continue
		}
		if err := r.pair(e); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, nil
	}
	return e, nil
}

// pair reads key = value.
func (r *reader) pair(e *Environment) error {
	rest, _, _ := strings.Cut(r.text[r.pos:], "\n")
	key, _, ok := strings.Cut(rest, "=")
	if !ok {
		return r.fail("%q is no key = value", rest)
	}
	r.pos += len(key) + 1
	r.blank("")
	var err error
	switch key = strings.TrimSpace(key); key {
	case "environment_version", "client":
		e.Version, err = r.stringOrNumber()
	case "base_environment":
		e.Base, err = r.stringOrNumber()
	case "dependencies":
		e.Dependencies, err = r.list()
	default:
		return r.fail("unknown key %q; environment_version, base_environment and dependencies are known", key)
	}
	if err != nil {
		return err
	}
	r.blank("")
	if r.pos < len(r.text) && r.text[r.pos] != '\n' {
		return r.fail("after the value of %s: a line end is missing", key)
	}
	return nil
}

// blank passes over blanks and comments, and line ends if they are in also.
func (r *reader) blank(also string) {
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		switch {
		case c == '#':
			rest, _, _ := strings.Cut(r.text[r.pos:], "\n")
			r.pos += len(rest)
		case c == ' ' || c == '\t' || c == '\r' || strings.IndexByte(also, c) >= 0:
			r.pos++
		default:
			return
		}
	}
}

func (r *reader) stringOrNumber() (string, error) {
	rest := r.text[r.pos:]
	if n := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); n > 0 {
		r.pos += n
		return rest[:n], nil
	}
	return r.quoted()
}

// quoted reads a string in double quotes, with escapes, or in single ones.
func (r *reader) quoted() (string, error) {
	rest := r.text[r.pos:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", r.fail("a string in quotes is expected")
	}
	for i := 1; i < len(rest) && rest[i] != '\n'; i++ {
		switch {
		case rest[i] == '\\' && rest[0] == '"':
			i++
		case rest[i] == rest[0]:
			r.pos += i + 1
			if rest[0] == '\'' {
				return rest[1:i], nil
			}
			s, err := strconv.Unquote(rest[:i+1])
			if err != nil {
				return "", r.fail("%s is no string", rest[:i+1])
			}
			return s, nil
		}
	}
	return "", r.fail("the string has no end")
}

func (r *reader) list() ([]string, error) {
	if r.pos == len(r.text) || r.text[r.pos] != '[' {
		return nil, r.fail(`a list is expected: ["a==1", "b"]`)
	}
	r.pos++
	list := []string{}
	for {
		r.blank("\n")
		if r.pos < len(r.text) && r.text[r.pos] == ']' {
			r.pos++
			return list, nil
		}
		s, err := r.quoted()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		r.blank("\n")
		switch {
		case r.pos < len(r.text) && r.text[r.pos] == ',':
			r.pos++
		case r.pos == len(r.text) || r.text[r.pos] != ']':
			return nil, r.fail("the list needs a comma or its end here")
		}
	}
}

package python

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Event is one line of events.jsonl.
type Event struct {
	Kind  string          `json:"t"`
	PID   int             `json:"pid"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	Fact  string          `json:"kind"`
	Data  json.RawMessage `json:"data"`
	Text  string          `json:"text"`
}

// maxLine bounds one event. A longer line is none of the runtime's, and more
// than any value may be.
const maxLine = 1 << 20

// Events reads an attempt's events as they are appended.
type Events struct {
	path string
	file *os.File
	buf  []byte
	rest []byte // of a line whose end has not come yet
	skip bool   // the rest of a line that is too long
}

// OpenEvents follows the events of the attempt in dir.
func OpenEvents(dir string) *Events { return &Events{path: filepath.Join(dir, "events.jsonl")} }

// Each calls fn for every event that has come since the last call, until one
// of them is refused. A whole line that is no event comes as an Event without
// a Kind, with how it begins as its Text; a line without an end is kept until
// its end has come.
func (e *Events) Each(fn func(Event) error) error {
	if e.file == nil {
		f, err := os.Open(e.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		e.file, e.buf = f, make([]byte, 4096)
	}
	for {
		n, err := e.file.Read(e.buf)
		e.rest = append(e.rest, e.buf[:n]...)
		if lerr := e.lines(fn); lerr != nil {
			return lerr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		if n == len(e.buf) && n < 1<<16 {
			e.buf = make([]byte, 1<<16) // there is much to read
		}
	}
}

// lines takes the complete lines off the front of what was read.
func (e *Events) lines(fn func(Event) error) error {
	from := 0
	defer func() {
		if from > 0 {
			e.rest = append(e.rest[:0], e.rest[from:]...)
		}
	}()
	for {
		i := bytes.IndexByte(e.rest[from:], '\n')
		if i < 0 {
			break
		}
		line := e.rest[from : from+i]
		from += i + 1
		if e.skip {
			e.skip = false
			continue
		}
		if ev, ok := parse(line); ok {
			if err := fn(ev); err != nil {
				return err
			}
		}
	}
	if len(e.rest)-from <= maxLine {
		return nil
	}
	long := Event{Text: begin(e.rest[from:])}
	from = len(e.rest)
	if e.skip {
		return nil
	}
	e.skip = true
	return fn(long)
}

// parse reads a line. False: it is blank.
func parse(line []byte) (Event, bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return Event{}, false
	}
	var ev Event
	if json.Unmarshal(line, &ev) != nil || ev.Kind == "" {
		return Event{Text: begin(line)}, true
	}
	return ev, true
}

// begin is how a line begins.
func begin(line []byte) string {
	const most = 80
	if len(line) <= most {
		return strings.ToValidUTF8(string(line), "\uFFFD")
	}
	return fmt.Sprintf("%s… (%d bytes or more)", strings.ToValidUTF8(string(line[:most]), "\uFFFD"), len(line))
}

// Close lets go of the file.
func (e *Events) Close() error {
	if e.file == nil {
		return nil
	}
	return e.file.Close()
}

// Result is what the process wrote at its end, in the form of tasks.Result.
type Result struct {
	Outcome string          `json:"outcome"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Trace   string          `json:"trace"`
	Output  json.RawMessage `json:"output"`
}

// ReadResult reads the result of the attempt in dir. False: there is none.
func ReadResult(dir string) (Result, bool, error) {
	var r Result
	data, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read result: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, false, nil // cut off by a full disk or a power cut: no clean end
	}
	return r, true, nil
}

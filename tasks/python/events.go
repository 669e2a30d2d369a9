package python

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// maxLine bounds one event. A line of more bytes is none of the runtime's.
const maxLine = 1 << 20

// Events reads an attempt's events as they are appended.
type Events struct {
	path   string
	file   *os.File
	rest   []byte // of a line whose end has not come yet
	Broken int    // complete lines that were no events
}

// OpenEvents follows the events of the attempt in dir.
func OpenEvents(dir string) *Events { return &Events{path: filepath.Join(dir, "events.jsonl")} }

// Next returns the events that have come since the last call.
func (e *Events) Next() ([]Event, error) {
	if e.file == nil {
		f, err := os.Open(e.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		e.file = f
	}
	var events []Event
	buf := make([]byte, 4096)
	for {
		n, err := e.file.Read(buf)
		e.rest = append(e.rest, buf[:n]...)
		events = e.lines(events)
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, fmt.Errorf("read events: %w", err)
		}
		if len(buf) < 1<<16 {
			buf = make([]byte, 1<<16)
		}
	}
}

// lines takes the complete lines off the front of what was read.
func (e *Events) lines(events []Event) []Event {
	for {
		i := bytes.IndexByte(e.rest, '\n')
		if i < 0 {
			if len(e.rest) > maxLine {
				e.rest = e.rest[:0]
				e.Broken++
			}
			return events
		}
		line := e.rest[:i]
		var ev Event
		if len(bytes.TrimSpace(line)) > 0 {
			if json.Unmarshal(line, &ev) == nil && ev.Kind != "" {
				events = append(events, ev)
			} else {
				e.Broken++
			}
		}
		e.rest = e.rest[i+1:]
	}
}

// Torn tells whether the file ends in the middle of a line.
func (e *Events) Torn() bool { return len(e.rest) > 0 }

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

package local

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flowctl/tasks"
	"flowctl/tasks/delta"
)

const (
	maxWrites = 100  // commits of an attempt that are told one by one
	maxBack   = 2000 // commits of a table that are looked at
	// grain is how coarse the times of files may be, beside the clock.
	grain = 2 * time.Second
)

// tableFact is one commit of an attempt to a Delta table.
type tableFact struct {
	Kind      string `json:"kind"` // "delta"
	Table     string `json:"table,omitempty"`
	Name      string `json:"name,omitempty"`
	Path      string `json:"path"`
	Before    *int64 `json:"before,omitempty"` // none for a table that was made
	After     int64  `json:"after"`
	Operation string `json:"operation,omitempty"`
	Rows      *int64 `json:"rows,omitempty"`
	Schema    string `json:"schema_sha256,omitempty"`
	Txn       string `json:"txn,omitempty"`
	How       string `json:"how"`  // "log"
	Sure      bool   `json:"sure"` // the commit names this attempt; otherwise it only fits in time
}

// touched is what the runtime wrote down for us while the code ran.
type touched struct {
	paths    []string          // that the code named, in that order
	names    map[string]string // of tables, by path
	stores   []string          // warehouses that the sessions had
	sessions map[string]bool   // session → it has told what it read
}

// readTouched reads tables.jsonl. False: the attempt had nothing to do with Spark.
func readTouched(dir string) (touched, bool, error) {
	t := touched{names: map[string]string{}, sessions: map[string]bool{}}
	f, err := os.Open(filepath.Join(dir, tablesFile))
	if errors.Is(err, os.ErrNotExist) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct{ Path, Name, Warehouse, Attached, Drained string }
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // torn: the process was killed while it wrote
		}
		if l.Path != "" && !slices.Contains(t.paths, l.Path) {
			t.paths = append(t.paths, l.Path)
		}
		if l.Name != "" {
			t.names[l.Path] = l.Name
		}
		if l.Warehouse != "" && !slices.Contains(t.stores, l.Warehouse) {
			t.stores = append(t.stores, l.Warehouse)
		}
		if l.Attached != "" {
			t.sessions[l.Attached] = false
		}
		if l.Drained != "" {
			t.sessions[l.Drained] = true
		}
	}
	return t, true, lines.Err()
}

// tablesFile is where the runtime (spark_facts.py) keeps what it touched.
const tablesFile = "tables.jsonl"

// reportWrites tells the commits that an attempt made to Delta tables, from
// the tables' own logs. A commit is the attempt's if it says so; one without
// such a mark (the author has set userMetadata himself) is taken for it if the
// code named the table and the time fits. What cannot be read is a gap: it does
// not fail the attempt.
func reportWrites(a tasks.Attempt, out tasks.Sink) error {
	t, any, err := readTouched(a.Dir)
	if err != nil {
		return reportGap(out, "wrote", "%v", err)
	}
	if !any {
		return nil
	}
	for _, told := range t.sessions {
		if !told {
			if err := reportGap(out, "read", "the task's process ended before it had told what Spark read"); err != nil {
				return err
			}
			break
		}
	}
	st, err := os.Stat(filepath.Join(a.Dir, "context.json"))
	if err != nil {
		return reportGap(out, "wrote", "%v", err)
	}
	w := writes{a: a, out: out, since: st.ModTime().Add(-grain), names: t.names}
	seen := map[string]bool{}
	for _, path := range t.paths {
		if path = filepath.Clean(path); !seen[path] {
			seen[path] = true
			if err := w.table(path, true); err != nil {
				return err
			}
		}
	}
	for _, store := range t.stores {
		logs, err := filepath.Glob(filepath.Join(globQuoted(store), "*", "*", "*", "_delta_log"))
		if err != nil {
			return reportGap(out, "wrote", "%s: %v", store, err)
		}
		for _, log := range logs {
			path := filepath.Dir(log)
			if seen[path] {
				continue
			}
			seen[path] = true
			if w.names[path] == "" {
				rel, _ := filepath.Rel(store, path)
				w.names[path] = strings.ReplaceAll(rel, string(filepath.Separator), ".")
			}
			if err := w.table(path, false); err != nil {
				return err
			}
		}
	}
	if w.left > 0 {
		return reportGap(out, "wrote", "%d more commits to Delta tables, or commits that could not be told apart, are left out", w.left)
	}
	return nil
}

// globQuoted is a folder's name with what means something to Glob made plain.
func globQuoted(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// writes looks for an attempt's commits.
type writes struct {
	a     tasks.Attempt
	out   tasks.Sink
	since time.Time
	names map[string]string
	told  int
	left  int
}

// table tells the attempt's commits to one table, oldest first. named says
// that the code named it.
func (w *writes) table(path string, named bool) error {
	st, err := os.Stat(filepath.Join(path, "_delta_log"))
	if err != nil || st.ModTime().Before(w.since) {
		return nil //nolint:nilerr // it is no table, or nothing has happened to it
	}
	log := delta.Open(path)
	newest, err := log.Latest(delta.None)
	if err != nil {
		return reportGap(w.out, "wrote", "%s: %v", path, err)
	}
	oldest := newest + 1
	for oldest > 0 && newest-oldest < maxBack && log.WrittenAt(oldest-1).After(w.since) {
		oldest--
	}
	for v := oldest; v <= newest; v++ {
		c, err := log.Commit(v)
		if errors.Is(err, delta.ErrGone) {
			continue // cleaned up meanwhile
		}
		if err != nil {
			if err := reportGap(w.out, "wrote", "%s: %v", path, err); err != nil {
				return err
			}
			continue
		}
		ours, marked := w.mark(c.UserMetadata)
		if !ours && (marked || !named || c.At.Before(w.since)) {
			continue
		}
		if err := w.tell(path, log, c, ours); err != nil {
			return err
		}
	}
	return nil
}

// mark reads what a commit says of who made it. marked: it names an attempt, be it ours or not.
func (w *writes) mark(text string) (ours, marked bool) {
	var m struct {
		Flowctl *struct {
			Run     int64
			Task    string
			Attempt int
		}
	}
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &m) != nil || m.Flowctl == nil {
		return false, false
	}
	f := m.Flowctl
	return f.Run == w.a.JobRunID && f.Task == w.a.Key && f.Attempt == w.a.Number, true
}

func (w *writes) tell(path string, log delta.Log, c delta.Commit, sure bool) error {
	if w.told++; w.told > maxWrites {
		w.left++
		return nil
	}
	table := c.Table
	if table.ID == "" {
		table, _ = log.TableAt(c.Version)
	}
	f := tableFact{
		Kind: "delta", Table: table.ID, Name: w.names[path], Path: path, After: c.Version,
		Operation: c.Operation, Rows: c.Rows, Schema: table.SchemaSum(), Txn: c.Txn, How: "log", Sure: sure,
	}
	if c.Version > 0 {
		before := c.Version - 1
		f.Before = &before
	}
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("report a commit: %w", err)
	}
	return w.out.Report(tasks.Fact{Kind: "wrote", Data: data})
}

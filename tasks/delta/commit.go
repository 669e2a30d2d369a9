package delta

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// Commit is what a version says of itself.
type Commit struct {
	Version      int64
	At           time.Time
	Operation    string // "WRITE", "MERGE", "CREATE TABLE AS SELECT", …; empty if the commit does not say
	Rows         *int64 // written or changed; nil if the commit does not say
	UserMetadata string
	Txn          string // txnId, which the writer makes
	Table        Table  // what a commit says of the table; zero if it says nothing
}

// Table is what the log says of the table itself.
type Table struct {
	ID     string // survives renames
	Schema string // as JSON
}

// SchemaSum is the SHA-256 of the schema, in hex; empty without one.
func (t Table) SchemaSum() string {
	if t.Schema == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(t.Schema))
	return hex.EncodeToString(sum[:])
}

type metaData struct{ ID, SchemaString string }

func (m metaData) table() Table { return Table{m.ID, m.SchemaString} }

// ErrGone says that a version's commit is no longer in the log.
var ErrGone = errors.New("the commit is no longer in the log")

// Commit reads a version. The actions that list data files, which make up
// nearly all of a large commit, are passed over without being kept. The error
// is ErrGone if there is no such commit.
func (l Log) Commit(v int64) (Commit, error) {
	c := Commit{Version: v}
	f, err := os.Open(l.commit(v))
	if errors.Is(err, fs.ErrNotExist) {
		return c, ErrGone
	}
	if err != nil {
		return c, fmt.Errorf("read Delta version %d: %w", v, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if st, err := f.Stat(); err == nil {
		c.At = st.ModTime().UTC()
	}
	err = actions(f, func(line []byte) error { return c.take(line) })
	if err != nil {
		return c, fmt.Errorf("read Delta version %d: %w", v, err)
	}
	return c, nil
}

// take reads one action that is not about files.
func (c *Commit) take(line []byte) error {
	var a struct {
		MetaData   *metaData
		CommitInfo *struct {
			Timestamp, InCommitTimestamp   int64
			Operation, UserMetadata, TxnID string
			OperationMetrics               map[string]string
		}
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return err
	}
	if a.MetaData != nil {
		c.Table = a.MetaData.table()
	}
	if info := a.CommitInfo; info != nil {
		c.Operation, c.UserMetadata, c.Txn = info.Operation, info.UserMetadata, info.TxnID
		c.Rows = rows(info.OperationMetrics)
		if ms := cmp.Or(info.InCommitTimestamp, info.Timestamp); ms > 0 {
			c.At = time.UnixMilli(ms).UTC()
		}
	}
	return nil
}

// rows counts what an operation wrote, changed or removed. What MERGE and
// UPDATE copy because it lay in the same file is not counted.
//
// Source: Delta's operationMetrics, by operation.
func rows(metrics map[string]string) *int64 {
	for _, names := range [][]string{
		{"numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"}, {"numUpdatedRows"}, {"numDeletedRows"}, {"numOutputRows"},
	} {
		sum, told := int64(0), false
		for _, name := range names {
			if n, err := strconv.ParseInt(metrics[name], 10, 64); err == nil {
				sum, told = sum+n, true
			}
		}
		if told {
			return &sum
		}
	}
	return nil
}

// aboutFiles are the beginnings of the actions that list data files.
var aboutFiles = [][]byte{[]byte(`{"add"`), []byte(`{"remove"`), []byte(`{"cdc"`)}

// actions gives fn every action of a commit but those about files. Each is a
// line; those about files are never held whole.
func actions(r io.Reader, fn func(line []byte) error) error {
	in := bufio.NewReaderSize(io.LimitReader(r, maxCommit), 1<<16)
	var line []byte
	for begins, skip := true, false; ; {
		part, err := in.ReadSlice('\n')
		if begins {
			line, skip = line[:0], false
			for _, word := range aboutFiles {
				skip = skip || bytes.HasPrefix(part, word)
			}
		}
		begins = !errors.Is(err, bufio.ErrBufferFull)
		if !skip {
			line = append(line, part...)
		}
		if !begins {
			continue
		}
		if text := bytes.TrimSpace(line); !skip && len(text) > 0 {
			if err := fn(text); err != nil {
				return err
			}
			line = line[:0]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxBack bounds how many commits are read to find what the table is.
const maxBack = 1000

// TableAt is what the table was at a version: from the version's checksum
// file, which writers leave beside the commit, else from the last commit up to
// it that says so. False: the log no longer tells.
func (l Log) TableAt(v int64) (Table, bool) {
	if t, ok := l.checksum(v); ok {
		return t, true
	}
	for back := v; back >= 0 && v-back < maxBack; back-- {
		c, err := l.Commit(back)
		if err != nil {
			break
		}
		if c.Table.ID != "" {
			return c.Table, true
		}
	}
	return Table{}, false
}

// checksum reads VERSION.crc, which holds the table's metadata.
func (l Log) checksum(v int64) (Table, bool) {
	data, err := os.ReadFile(l.commit(v)[:len(l.commit(v))-len("json")] + "crc")
	if err != nil {
		return Table{}, false
	}
	var sum struct{ Metadata metaData }
	if json.Unmarshal(data, &sum) != nil || sum.Metadata.ID == "" {
		return Table{}, false
	}
	return sum.Metadata.table(), true
}

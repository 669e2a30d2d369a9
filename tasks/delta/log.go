// Package delta reads the log of a Delta table as files: which versions there
// are, and what each of them did. It starts no Spark, writes nothing and keeps
// nothing.
//
// Source: the transaction log protocol of Delta Lake (PROTOCOL.md). Each
// version is a file of twenty digits; old ones may be gone once a checkpoint
// holds what they said.
package delta

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Log is the log of one table.
type Log struct{ dir string }

// Open is the log of the table in a folder. Nothing is read yet, and nothing
// needs to be there.
func Open(table string) Log { return Log{filepath.Join(table, "_delta_log")} }

// None is the version of a table that is not there.
const None = -1

func (l Log) commit(v int64) string { return filepath.Join(l.dir, fmt.Sprintf("%020d.json", v)) }

// Latest is the table's newest version, None without a table. known is one
// that it had, or None; it makes an unchanged table cost two looks at files.
func (l Log) Latest(known int64) (int64, error) {
	if known < 0 || !exists(l.commit(known)) {
		v, err := l.list()
		if err != nil || v == None {
			return v, err
		}
		known = v
	}
	for exists(l.commit(known + 1)) {
		known++
	}
	return known, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// list finds the newest version among the log's names: commits and checkpoints.
func (l Log) list() (int64, error) {
	d, err := os.Open(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return None, nil
	}
	if err != nil {
		return None, fmt.Errorf("read Delta log: %w", err)
	}
	defer func() { _ = d.Close() }() // it was only read
	newest := int64(None)
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if v, ok := VersionOf(name); ok && v > newest {
				newest = v
			}
		}
		if errors.Is(err, io.EOF) {
			return newest, nil
		}
		if err != nil {
			return None, fmt.Errorf("read Delta log: %w", err)
		}
	}
}

// VersionOf is the version that a file of the log speaks for: VERSION.json,
// VERSION.checkpoint.parquet, VERSION.checkpoint.PART.PARTS.parquet and
// VERSION.checkpoint.UUID.json or .parquet.
func VersionOf(name string) (int64, bool) {
	if len(name) < 21 || name[20] != '.' {
		return 0, false
	}
	rest := name[20:]
	if rest != ".json" && !strings.HasPrefix(rest, ".checkpoint.") {
		return 0, false
	}
	v, err := strconv.ParseInt(name[:20], 10, 64)
	return v, err == nil && v >= 0
}

// WrittenAt is when a version's commit was put there; zero if it is gone.
func (l Log) WrittenAt(v int64) time.Time {
	st, err := os.Stat(l.commit(v))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

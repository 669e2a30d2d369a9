package trigger

import (
	"bufio"
	"cmp"
	"encoding/json"
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

// deltaLog is the log of a Delta table, read as files. It follows the
// transaction log protocol of Delta Lake: each version is a file of twenty
// digits, and old ones may be gone once a checkpoint holds what they said.
type deltaLog struct{ dir string }

func openDelta(table string) deltaLog { return deltaLog{filepath.Join(table, "_delta_log")} }

// noVersion is the version of a table that is not there.
const noVersion = -1

func (l deltaLog) commit(v int64) string { return filepath.Join(l.dir, fmt.Sprintf("%020d.json", v)) }

// latest is the table's newest version. known is one that it had, or
// noVersion; it makes an unchanged table cost two looks at files.
func (l deltaLog) latest(known int64) (int64, error) {
	if known < 0 || !exists(l.commit(known)) {
		v, err := l.list()
		if err != nil || v == noVersion {
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
func (l deltaLog) list() (int64, error) {
	d, err := os.Open(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return noVersion, nil
	}
	if err != nil {
		return noVersion, fmt.Errorf("read Delta log: %w", err)
	}
	defer func() { _ = d.Close() }() // it was only read
	newest := int64(noVersion)
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if v, ok := versionOf(name); ok && v > newest {
				newest = v
			}
		}
		if errors.Is(err, io.EOF) {
			return newest, nil
		}
		if err != nil {
			return noVersion, fmt.Errorf("read Delta log: %w", err)
		}
	}
}

// versionOf is the version that a file of the log speaks for: VERSION.json,
// VERSION.checkpoint.parquet, VERSION.checkpoint.PART.PARTS.parquet and
// VERSION.checkpoint.UUID.json or .parquet.
func versionOf(name string) (int64, bool) {
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

// change is what a version did.
type change struct {
	data bool // rows came or went; compaction and new settings change none
	at   time.Time
}

// maxCommit bounds what is read of one commit.
const maxCommit = 256 << 20

// read tells what a version did. One whose commit is gone counts as a change
// of data: it may have been one.
func (l deltaLog) read(v int64) (change, error) {
	f, err := os.Open(l.commit(v))
	if errors.Is(err, fs.ErrNotExist) {
		return change{data: true}, nil
	}
	if err != nil {
		return change{}, fmt.Errorf("read Delta version %d: %w", v, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var c change
	if st, err := f.Stat(); err == nil {
		c.at = st.ModTime().UTC()
	}
	dec := json.NewDecoder(bufio.NewReaderSize(io.LimitReader(f, maxCommit), 1<<16))
	for told := false; !told || !c.data; {
		var a struct {
			Add, Remove, CDC *struct{ DataChange *bool }
			CommitInfo       *struct{ Timestamp, InCommitTimestamp int64 }
		}
		err := dec.Decode(&a)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, fmt.Errorf("read Delta version %d: %w", v, err)
		}
		for _, file := range []*struct{ DataChange *bool }{a.Add, a.Remove, a.CDC} {
			if file != nil && (file.DataChange == nil || *file.DataChange) {
				c.data = true
			}
		}
		if info := a.CommitInfo; info != nil {
			told = true
			if ms := cmp.Or(info.InCommitTimestamp, info.Timestamp); ms > 0 {
				c.at = time.UnixMilli(ms).UTC()
			}
		}
	}
	return c, nil
}

// writtenAt is when a version's commit was put there; zero if it is gone.
func (l deltaLog) writtenAt(v int64) time.Time {
	st, err := os.Stat(l.commit(v))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

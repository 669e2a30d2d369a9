package delta

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Change tells whether a version changed the table's data, and when.
type Change struct {
	Data bool // rows came or went; compaction and new settings change none
	At   time.Time
}

// maxCommit bounds what is read of one commit.
const maxCommit = 256 << 20

// Change tells what a version did to the data. One whose commit is gone counts
// as a change: it may have been one.
func (l Log) Change(v int64) (Change, error) {
	f, err := os.Open(l.commit(v))
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Data: true}, nil
	}
	if err != nil {
		return Change{}, fmt.Errorf("read Delta version %d: %w", v, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var c Change
	if st, err := f.Stat(); err == nil {
		c.At = st.ModTime().UTC()
	}
	dec := json.NewDecoder(bufio.NewReaderSize(io.LimitReader(f, maxCommit), 1<<16))
	for told := false; !told || !c.Data; {
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
				c.Data = true
			}
		}
		if info := a.CommitInfo; info != nil {
			told = true
			if ms := cmp.Or(info.InCommitTimestamp, info.Timestamp); ms > 0 {
				c.At = time.UnixMilli(ms).UTC()
			}
		}
	}
	return c, nil
}

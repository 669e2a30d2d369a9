package delta

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// table makes a table's log of files: name in _delta_log to its text.
func table(t *testing.T, files map[string]string) Log {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "_delta_log"), 0o700))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "_delta_log", name), []byte(text), 0o600))
	}
	return Open(dir)
}

func name(v int, ext string) string { return fmt.Sprintf("%020d.%s", v, ext) }

func TestVersionOf(t *testing.T) {
	for name, want := range map[string]int64{
		"00000000000000000007.json":                                                 7,
		"00000000000000000010.checkpoint.parquet":                                   10,
		"00000000000000000010.checkpoint.0000000001.0000000003.parquet":             10,
		"00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json": 10,
		"00000000000000000010.crc":                                                  -1,
		"_last_checkpoint":                                                          -1,
		"00000000000000000001.00000000000000000004.compacted.json":                  -1,
		".00000000000000000007.json.tmp":                                            -1,
		"0000000000000000000x.json":                                                 -1,
		"99999999999999999999.json":                                                 -1,
	} {
		v, ok := VersionOf(name)
		if !ok {
			v = -1
		}
		assert.Equal(t, want, v, name)
	}
}

const made = `{"metaData":{"id":"8e0b","format":{"provider":"parquet"},"schemaString":"{\"type\":\"struct\"}","partitionColumns":[]}}` + "\n"

func TestCommit(t *testing.T) {
	big := `{"add":{"path":"x","stats":"` + strings.Repeat("a", 3<<20) + `"}}` + "\n"
	l := table(t, map[string]string{
		name(0, "json"): `{"commitInfo":{"timestamp":1767225600000,"operation":"CREATE TABLE","userMetadata":"mine"}}` + "\n" + made,
		name(1, "json"): big + `{"remove":{"path":"y"}}` + "\n" + big + `{"commitInfo":{"timestamp":1,"inCommitTimestamp":1767225660000,"operation":"WRITE",` +
			`"operationMetrics":{"numFiles":"2","numOutputRows":"980"},"txnId":"t-1"}}`,
		name(2, "json"): `{"commitInfo":{"operation":"MERGE","operationMetrics":{"numTargetRowsInserted":"2","numTargetRowsUpdated":"3","numTargetRowsDeleted":"0","numOutputRows":"99"}}}` + "\n",
		name(3, "json"): `{"commitInfo":{"oper`,
		name(4, "json"): "",
	})
	v, err := l.Latest(None)
	require.NoError(t, err)
	assert.Equal(t, int64(4), v)

	c, err := l.Commit(0)
	require.NoError(t, err)
	assert.Equal(t, Commit{Version: 0, At: time.UnixMilli(1767225600000).UTC(), Operation: "CREATE TABLE", UserMetadata: "mine", Table: Table{"8e0b", `{"type":"struct"}`}}, c)
	assert.Equal(t, "f81fd2a263f6203c1dea49f3e231668a812c5249f8afc1f2ccfbe302a5a81d1c", c.Table.SchemaSum())

	c, err = l.Commit(1)
	require.NoError(t, err)
	assert.Equal(t, int64(980), *c.Rows)
	assert.Equal(t, "t-1", c.Txn)
	assert.Equal(t, time.UnixMilli(1767225660000).UTC(), c.At, "the time in the commit beats the writer's clock")

	c, err = l.Commit(2)
	require.NoError(t, err)
	assert.Equal(t, int64(5), *c.Rows, "rows that were only copied are not counted")

	_, err = l.Commit(3)
	assert.ErrorContains(t, err, "read Delta version 3: unexpected end of JSON input")
	c, err = l.Commit(4)
	require.NoError(t, err)
	assert.Empty(t, c.Operation)
	assert.Nil(t, c.Rows)
	_, err = l.Commit(5)
	assert.ErrorIs(t, err, ErrGone)
}

func TestTableAt(t *testing.T) {
	l := table(t, map[string]string{
		name(0, "json"): made,
		name(1, "json"): `{"commitInfo":{"operation":"WRITE"}}` + "\n",
		name(2, "json"): `{"commitInfo":{"operation":"WRITE"}}` + "\n",
		name(2, "crc"):  `{"numFiles":1,"metadata":{"id":"8e0b","schemaString":"{}"}}`,
		name(3, "crc"):  `{"numFiles":1}`,
	})
	got, ok := l.TableAt(1)
	assert.Equal(t, Table{"8e0b", `{"type":"struct"}`}, got)
	assert.True(t, ok)
	got, ok = l.TableAt(2)
	assert.Equal(t, Table{"8e0b", "{}"}, got, "the checksum file tells without reading commits")
	assert.True(t, ok)
	_, ok = l.TableAt(3)
	assert.False(t, ok, "its commit is gone")

	v, err := Open(filepath.Join(t.TempDir(), "none")).Latest(None)
	require.NoError(t, err)
	assert.Equal(t, int64(None), v)
}

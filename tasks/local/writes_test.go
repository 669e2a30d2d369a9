package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// commit puts a version into a table's log.
func commit(t *testing.T, table string, v int, text string) {
	dir := filepath.Join(table, "_delta_log")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.json", v)), []byte(text+"\n"), 0o600))
}

func written(mark string) string {
	return fmt.Sprintf(`{"commitInfo":{"timestamp":%d,"operation":"WRITE","operationMetrics":{"numOutputRows":"3"}%s}}`, time.Now().UnixMilli(), mark)
}

func marked(run, attempt int, task string) string {
	return fmt.Sprintf(`,"userMetadata":"{\"flowctl\":{\"run\":%d,\"task\":\"%s\",\"attempt\":%d}}"`, run, task, attempt)
}

// Commits are an attempt's by their mark; without one by time, if the code
// named the table. Others' marks, and what is older, are not its.
func TestWritesFromLogs(t *testing.T) {
	l := newLab(t)
	store := filepath.Join(l.home, "spark", "warehouse")
	named, other := filepath.Join(l.dir, "named"), filepath.Join(store, "main", "s", "other")
	commit(t, named, 0, `{"metaData":{"id":"one","schemaString":"{}"}}`+"\n"+written(marked(1, 0, "t")))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(named, "_delta_log", fmt.Sprintf("%020d.json", 0)), old, old))
	commit(t, named, 1, written(marked(1, 0, "t")))
	commit(t, named, 2, written(marked(9, 0, "t")))
	commit(t, named, 3, written(`,"userMetadata":"the author's"`))
	commit(t, named, 4, `{"commitInfo":{"op`)
	commit(t, other, 0, `{"metaData":{"id":"two","schemaString":"{}"}}`+"\n"+written(marked(1, 0, "t")))
	commit(t, other, 1, written(""))
	commit(t, other, 2, written(marked(1, 1, "t")))
	l.write("s.py", fmt.Sprintf(`
import json, os
with open(os.path.join(os.environ["FLOWCTL_TASK_DIR"], "tables.jsonl"), "w") as f:
    for line in ({"path": %q, "name": "a.b.c"}, {"path": "/nowhere"}, {"warehouse": %q, "attached": "me"}):
        f.write(json.dumps(line) + "\n")
    f.write('{"path": "torn')`, named, store))
	a := l.attempt(jobspec.SparkPythonTask, `{"python_file":"s.py"}`)
	res, log, rec := l.do(a)
	require.Equal(t, tasks.Success, res.Outcome, log)
	assert.Equal(t, []string{
		fmt.Sprintf(`{"kind":"delta","table":"one","name":"a.b.c","path":%q,"before":0,"after":1,"operation":"WRITE","rows":3,"schema_sha256":%q,"how":"log","sure":true}`, named, sum("{}")),
		fmt.Sprintf(`{"kind":"delta","table":"one","name":"a.b.c","path":%q,"before":2,"after":3,"operation":"WRITE","rows":3,"schema_sha256":%q,"how":"log","sure":false}`, named, sum("{}")),
		fmt.Sprintf(`{"kind":"delta","table":"two","name":"main.s.other","path":%q,"after":0,"operation":"WRITE","rows":3,"schema_sha256":%q,"how":"log","sure":true}`, other, sum("{}")),
	}, rec.Facts("wrote"))
	gaps := rec.Facts("gap")
	require.Len(t, gaps, 2)
	assert.Contains(t, gaps[0], "ended before it had told what Spark read")
	assert.Contains(t, gaps[1], "read Delta version 4: unexpected end of JSON input")
}

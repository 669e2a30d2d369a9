package trigger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/jobrun"
	"flowctl/tasks"
)

// put writes a file whose time is the lab's.
func (l *lab) put(path, text string) {
	require.NoError(l, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(l, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(l, os.Chtimes(path, l.clock.now(), l.clock.now()))
}

func (l *lab) after(d time.Duration) { l.untilTime(l.clock.now().Add(d)) }

func TestFileArrival(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, "2026-03-01T10:00:00Z")
	l.put(filepath.Join(dir, "old"), "")
	l.after(time.Second)
	id := l.create(several + fmt.Sprintf(`"trigger":{"file_arrival":{"url":%q,"wait_after_last_change_seconds":60}}`, dir))
	l.after(5 * time.Minute)
	assert.Empty(t, l.runs(id), "what was there is known")

	l.put(filepath.Join(dir, "deep/er/a.csv"), "1")
	l.put(filepath.Join(dir, "b.csv.part"), "unfinished")
	l.after(40 * time.Second)
	l.put(filepath.Join(dir, "b.csv"), "2")
	l.after(59 * time.Second)
	assert.Empty(t, l.runs(id), "not quiet yet")
	l.after(10 * time.Second)
	runs := l.runs(id)
	require.Len(t, runs, 1)
	assert.Equal(t, jobrun.FileArrival, runs[0].Trigger.Type)
	assert.Equal(t, dir, runs[0].Trigger.Location)

	l.put(filepath.Join(dir, "b.csv"), "3") // overwritten: no arrival
	l.after(5 * time.Minute)
	l.restart(time.Hour)
	l.after(5 * time.Minute)
	assert.Len(t, l.runs(id), 1)

	l.close() // while nobody looks, two arrive and one goes: one run
	l.put(filepath.Join(dir, "c.csv"), "")
	l.put(filepath.Join(dir, "d.csv"), "")
	require.NoError(t, os.Remove(filepath.Join(dir, "old")))
	l.open()
	l.after(5 * time.Minute)
	assert.Len(t, l.runs(id), 2)
	l.put(filepath.Join(dir, "old"), "") // it was gone: a new file
	l.after(5 * time.Minute)
	assert.Len(t, l.runs(id), 3)

	require.NoError(t, os.Rename(dir, dir+".away")) // a folder that is away has lost nothing
	l.after(5 * time.Minute)
	require.NoError(t, os.Rename(dir+".away", dir))
	l.after(5 * time.Minute)
	assert.Len(t, l.runs(id), 3)
}

func TestFileArrivalLeastTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later") // it need not be there yet
	l := newLab(t, "2026-03-01T10:00:00Z")
	id := l.create(several + fmt.Sprintf(`"trigger":{"file_arrival":{"url":"file://%s","min_time_between_triggers_seconds":600}}`, dir))
	l.after(time.Minute)
	l.put(filepath.Join(dir, "a"), "")
	l.after(5 * time.Second)
	assert.Len(t, l.runs(id), 1)
	l.put(filepath.Join(dir, "b"), "")
	l.after(9 * time.Minute)
	assert.Len(t, l.runs(id), 1)
	l.after(2 * time.Minute)
	assert.Len(t, l.runs(id), 2)
}

func TestFileArrivalWaitsForRoom(t *testing.T) {
	dir, gate := t.TempDir(), make(chan struct{})
	l := newLab(t, "2026-03-01T10:00:00Z", func(l *lab) { l.run = hold(gate) })
	id := l.create(fmt.Sprintf(`"trigger":{"file_arrival":{"url":%q}}`, dir))
	l.after(time.Minute)
	l.put(filepath.Join(dir, "a"), "")
	l.after(10 * time.Second)
	l.put(filepath.Join(dir, "b"), "")
	l.after(time.Minute)
	l.put(filepath.Join(dir, "c"), "")
	l.after(time.Minute)
	assert.Len(t, l.runs(id), 1, "the job has room for one run")
	close(gate)
	l.settle(id)
	l.after(5 * time.Second)
	l.settle(id)
	assert.Len(t, l.runs(id), 2, "one run for all that waited")
}

func TestFileArrivalPausedKeepsWhatArrives(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, "2026-03-01T10:00:00Z")
	when := func(status string) string {
		return several + fmt.Sprintf(`"trigger":{"pause_status":%q,"file_arrival":{"url":%q}}`, status, dir)
	}
	id := l.create(when("UNPAUSED"))
	l.after(time.Minute)
	l.reset(id, when("PAUSED"))
	l.put(filepath.Join(dir, "a"), "")
	l.after(time.Hour)
	assert.Empty(t, l.runs(id))
	l.reset(id, when("UNPAUSED"))
	l.after(5 * time.Second)
	assert.Len(t, l.runs(id), 1)
}

// commit writes a version of a Delta table as another program would.
func (l *lab) commit(table string, version int, lines ...string) {
	text := `{"commitInfo":{"timestamp":1772359200000,"operation":"WRITE"}}` + "\n"
	for _, line := range lines {
		text += line + "\n"
	}
	l.put(filepath.Join(table, "_delta_log", fmt.Sprintf("%020d.json", version)), text)
}

const (
	rows    = `{"add":{"path":"x.parquet","dataChange":true}}`
	compact = `{"add":{"path":"y.parquet","dataChange":false}}`
)

func TestTableUpdate(t *testing.T) {
	root := t.TempDir()
	table := func(name string) string { return filepath.Join(root, name) }
	l := newLab(t, "2026-03-01T10:00:00Z", func(l *lab) {
		l.opt.Table = func(name string) (string, error) { return table(name), nil }
	})
	l.commit(table("c.s.a"), 0, rows)
	l.commit(table("c.s.a"), 1, rows)
	l.after(time.Second)
	any := l.create(several + `"trigger":{"table_update":{"table_names":["c.s.a","c.s.b"]}}`)
	all := l.create(several + `"trigger":{"table_update":{"table_names":["c.s.a","c.s.b"],"condition":"ALL_UPDATED","wait_after_last_change_seconds":60}}`)
	l.after(time.Minute)
	assert.Empty(t, l.runs(any))

	l.commit(table("c.s.a"), 2, compact)
	l.after(time.Minute)
	assert.Empty(t, l.runs(any), "compaction changes no data")
	l.commit(table("c.s.a"), 3, rows)
	l.commit(table("c.s.a"), 4, rows)
	l.after(time.Minute)
	require.Len(t, l.runs(any), 1)
	tr := l.runs(any)[0].Trigger
	assert.Equal(t, jobrun.Table, tr.Type)
	require.Len(t, tr.Tables, 1)
	assert.Equal(t, jobrun.TableVersion{Table: "c.s.a", Version: 4, Timestamp: time.UnixMilli(1772359200000).UTC()}, tr.Tables[0])
	assert.Empty(t, l.runs(all))

	l.restart(time.Hour) // the arrivals straddle the outage
	l.commit(table("c.s.b"), 0, rows)
	l.after(30 * time.Second)
	assert.Empty(t, l.runs(all), "not quiet yet")
	l.after(time.Minute)
	require.Len(t, l.runs(all), 1)
	assert.Len(t, l.runs(all)[0].Trigger.Tables, 2)
	assert.Len(t, l.runs(any), 2)

	// A checkpoint took the commits away while nobody looked.
	l.close()
	for v := range 5 {
		require.NoError(t, os.Remove(filepath.Join(table("c.s.a"), "_delta_log", fmt.Sprintf("%020d.json", v))))
	}
	l.put(filepath.Join(table("c.s.a"), "_delta_log", "00000000000000000009.checkpoint.parquet"), "PAR1")
	l.open()
	l.after(time.Minute)
	require.Len(t, l.runs(any), 3)
	assert.EqualValues(t, 9, l.runs(any)[2].Trigger.Tables[0].Version)

	// Another table in its place.
	require.NoError(t, os.RemoveAll(table("c.s.a")))
	l.commit(table("c.s.a"), 0, rows)
	l.after(time.Minute)
	assert.Len(t, l.runs(any), 4)
	l.restart(time.Hour)
	l.after(time.Minute)
	assert.Len(t, l.runs(any), 4)
}

func TestContinuous(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:00Z")
	id := l.create(`"continuous":{}`)
	l.pass()
	l.settle(id)
	l.after(9 * time.Second)
	assert.Len(t, l.runs(id), 1, "a run that ends at once is not followed at once")
	l.after(time.Second)
	l.settle(id)
	assert.Len(t, l.runs(id), 2)
	assert.Equal(t, jobrun.Continuous, l.runs(id)[1].Trigger.Type)
	l.reset(id, `"continuous":{"pause_status":"PAUSED"}`)
	l.after(time.Hour)
	assert.Len(t, l.runs(id), 2)
}

func fail(context.Context, tasks.Attempt, tasks.Sink) (tasks.Result, error) {
	return tasks.Result{Outcome: tasks.Failed, Message: "no"}, nil
}

func TestContinuousBackoff(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:00Z", func(l *lab) { l.run = fail })
	id := l.create(`"continuous":{}`)
	var waits []time.Duration
	for range 9 {
		l.pass()
		l.settle(id)
		l.restart(0) // the count survives
		next := l.service.book.next()
		waits = append(waits, next.Sub(l.clock.now()))
		l.clock.set(next)
	}
	s := time.Second
	assert.Equal(t, []time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 600 * s, 600 * s, 600 * s}, waits)
}

func TestContinuousHasOneRun(t *testing.T) {
	gate := make(chan struct{})
	l := newLab(t, "2026-03-01T10:00:00Z", func(l *lab) { l.run = hold(gate) })
	id := l.create(`"continuous":{}`)
	l.after(time.Hour)
	l.restart(time.Hour)
	l.after(time.Hour)
	assert.Len(t, l.runs(id), 1)
	close(gate)
	l.settle(id)
}

// A continuous job may try a failed task again before it gives the run up.
func TestContinuousRetriesTasks(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:00Z", func(l *lab) { l.run = fail })
	id := l.create(`"continuous":{"task_retry_mode":"ON_FAILURE"}`)
	l.pass()
	wait := 10 * time.Second
	for n := 1; n <= 4; n++ {
		var r *jobrun.Run
		for { // each call has the engine look at its clock, and write
			require.NoError(t, l.Resume(l.ctx))
			var err error
			r, err = l.Engine.Run(l.ctx, l.runs(id)[0].ID)
			require.NoError(t, err)
			if st := r.Tasks[0].Status(); st.Ended() || st.State == jobrun.Waiting && len(r.Tasks[0].Attempts) == n+1 {
				break
			}
		}
		if n == 4 {
			require.Len(t, r.Tasks[0].Attempts, 4)
			return
		}
		require.Equal(t, wait, r.Tasks[0].Last().NextTry.Sub(l.clock.now()))
		l.clock.set(l.clock.now().Add(wait))
		wait *= 2
	}
}

package trigger

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
)

const several = `"max_concurrent_runs":100,`

func TestScheduleFires(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:30Z")
	id := l.create(several + quartz("0 0/15 * * * ?", "UTC"))
	l.until("2026-03-01T11:00:00Z")
	assert.Equal(t, []string{"2026-03-01T10:15:00", "2026-03-01T10:30:00", "2026-03-01T10:45:00", "2026-03-01T11:00:00"}, l.times(id))
	r := l.runs(id)[0]
	assert.Equal(t, jobrun.Periodic, r.Trigger.Type)
	assert.Equal(t, "me", r.Creator)
	next, err := l.NextFire(l.ctx, id)
	require.NoError(t, err)
	assert.Equal(t, "2026-03-01T11:15:00Z", next.Format(time.RFC3339))
}

func TestMisfire(t *testing.T) {
	for _, c := range []struct {
		name    string
		misfire Misfire
		away    time.Duration
		want    []string
		note    string
	}{
		{"once", FireOnce, 3 * time.Hour, []string{"12:00:00"}, "Late by 1h30m0s: no daemon ran when it was due. 2 fires were missed; this run stands for all of them."},
		{"once, and one in time", FireOnce, 90*time.Minute + 20*time.Second, []string{"12:00:00"}, "1 fire was missed before this one; this run stands for all of them."},
		{"skip", Skip, 3 * time.Hour, nil, ""},
		{"all", All, 3 * time.Hour, []string{"11:00:00", "12:00:00"}, "Late by 2h30m0s: no daemon ran when it was due."},
		{"beyond the window", FireOnce, 30 * time.Hour, []string{"16:00:00"}, "Late by 30m0s: no daemon ran when it was due. 24 fires were missed; this run stands for all of them."},
		{"late is not missed", Skip, 90*time.Minute + time.Minute, []string{"12:00:00"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, "2026-03-01T10:30:00Z", func(l *lab) { l.opt.Misfire = c.misfire })
			id := l.create(several + quartz("0 0 11,12,16 * * ?", "UTC"))
			if c.name == "beyond the window" {
				l.reset(id, several+quartz("0 0 * * * ?", "UTC"))
			}
			l.pass()
			l.restart(c.away)
			var got []string
			for _, at := range l.times(id) {
				got = append(got, at[11:])
			}
			assert.Equal(t, c.want, got)
			if c.want != nil {
				assert.Equal(t, c.note, l.runs(id)[0].Trigger.Note)
			}
			l.restart(time.Second) // what was made up for, or given up, is dealt with
			assert.Len(t, l.runs(id), len(c.want))
		})
	}
}

func TestAllIsCappedAndQueued(t *testing.T) {
	gate := make(chan struct{})
	l := newLab(t, "2026-03-01T00:00:01Z", func(l *lab) { l.opt.Misfire, l.run = All, hold(gate) })
	id := l.create(quartz("0 * * * * ?", "UTC"))
	l.pass()
	l.restart(5*time.Hour + 30*time.Second)
	runs := l.runs(id)
	require.Len(t, runs, 101, "a hundred missed ones, and the one in time")
	assert.Equal(t, "2026-03-01T03:20:00", l.times(id)[0], "the newest hundred")
	assert.Equal(t, jobrun.Queued, runs[1].Status.State, "max_concurrent_runs is 1")
	assert.Equal(t, jobrun.MaxConcurrentRuns, runs[100].Status.Result, "an ordinary fire obeys the job's own settings")
	close(gate)
	l.settle(id)
}

func TestEditsAndPauses(t *testing.T) {
	l := newLab(t, "2026-03-01T10:30:00Z", func(l *lab) { l.opt.Misfire = All })
	every := quartz("0 0 * * * ?", "UTC")
	paused := every[:len(every)-1] + `,"pause_status":"PAUSED"}`
	id := l.create(several + every)
	l.until("2026-03-01T11:00:00Z")
	l.reset(id, several+paused)
	l.until("2026-03-01T14:30:00Z")
	assert.Len(t, l.runs(id), 1, "paused")
	next, err := l.NextFire(l.ctx, id)
	require.NoError(t, err)
	assert.Zero(t, next)
	l.reset(id, several+every)
	l.restart(time.Minute)
	assert.Len(t, l.runs(id), 1, "paused time is gone")
	l.until("2026-03-01T15:00:00Z")
	assert.Len(t, l.runs(id), 2)

	// Edited while no daemon hears of it: nothing before the edit is made up for.
	l.service.deaf()
	l.clock.set(moment(t, "2026-03-01T20:30:00Z"))
	l.reset(id, several+quartz("0 15 * * * ?", "UTC"))
	l.restart(time.Minute)
	assert.Len(t, l.runs(id), 2)
	l.restart(time.Hour)
	assert.Equal(t, "2026-03-01T21:15:00", l.times(id)[2])

	// The same schedule with another name for the job is no edit.
	require.NoError(t, l.UpdateJob(l.ctx, id, engine.JobChange{Settings: json.RawMessage(`{"name":"other"}`)}))
	l.until("2026-03-01T22:15:00Z")
	assert.Len(t, l.runs(id), 4)
	require.NoError(t, l.DeleteJob(l.ctx, id))
	l.pass()
	assert.Empty(t, l.service.book.heap)
	assert.Empty(t, l.service.book.jobs)
}

func TestPeriodic(t *testing.T) {
	l := newLab(t, "2026-03-01T10:07:00Z")
	id := l.create(several + `"trigger":{"periodic":{"interval":2,"unit":"HOURS"}}`)
	l.until("2026-03-01T14:30:00Z")
	assert.Equal(t, []string{"2026-03-01T12:07:00", "2026-03-01T14:07:00"}, l.times(id))
	l.restart(2 * time.Hour)
	assert.Equal(t, "2026-03-01T16:07:00", l.times(id)[2], "the anchor stays")
}

func TestTriggersList(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:00Z")
	list := `"triggers":[` +
		`{"schedule":{"quartz_cron_expression":"0 0 12 * * ?","timezone_id":"UTC"}},` +
		`{"periodic":{"interval":5,"unit":"HOURS"}},` +
		`{"schedule":{"quartz_cron_expression":"0 0 * * * ?","timezone_id":"UTC"},"pause_status":"PAUSED"},` +
		`{"model":{"securable_name":"a.b.c","condition":"MODEL_CREATED"}}]`
	id := l.create(several + list)
	l.until("2026-03-01T16:00:00Z")
	assert.Equal(t, []string{"2026-03-01T12:00:00", "2026-03-01T15:00:00"}, l.times(id))
}

func TestClockSetBack(t *testing.T) {
	l := newLab(t, "2026-03-01T10:30:00Z")
	id := l.create(several + quartz("0 0 * * * ?", "UTC"))
	l.until("2026-03-01T12:00:00Z")
	l.clock.set(moment(t, "2026-03-01T09:30:00Z"))
	l.until("2026-03-01T12:59:00Z")
	l.restart(0)
	assert.Len(t, l.runs(id), 2, "nothing fires twice")
	l.until("2026-03-01T13:00:00Z")
	assert.Len(t, l.runs(id), 3)
}

func TestDenserThanTenSeconds(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:00Z")
	id := l.create(several + quartz("0/4 * * * * ?", "UTC"))
	l.until("2026-03-01T10:00:40Z")
	l.restart(0)
	assert.Equal(t, []string{"2026-03-01T10:00:04", "2026-03-01T10:00:16", "2026-03-01T10:00:28", "2026-03-01T10:00:40"}, l.times(id))
}

func TestFireIsUnique(t *testing.T) {
	l := newLab(t, "2026-03-01T10:00:00Z")
	id := l.create(several + quartz("0 0 * * * ?", "UTC"))
	tr, err := l.JobTriggers(l.ctx, id)
	require.NoError(t, err)
	step := engine.Step{
		JobID: id, Trigger: tr.Triggers[0].Key, Since: tr.Triggers[0].Since,
		Fires: []engine.Fire{{At: l.clock.now().Add(time.Hour), Trigger: jobrun.Trigger{Type: jobrun.Periodic}}},
	}
	out, err := l.Fire(l.ctx, step, step)
	require.NoError(t, err)
	assert.Equal(t, out[0].Runs, out[1].Runs)
	again, err := l.Fire(l.ctx, step)
	require.NoError(t, err)
	assert.Equal(t, out[0].Runs, again[0].Runs)
	assert.Len(t, l.runs(id), 1)
	step.Since = step.Since.Add(time.Second)
	stale, err := l.Fire(l.ctx, step)
	require.NoError(t, err)
	assert.Equal(t, engine.Stale, stale[0].Outcome)
}

func TestDraftCannotStart(t *testing.T) {
	l := newLab(t, "2026-03-01T10:30:00Z")
	id, err := l.CreateJob(l.ctx, engine.JobRequest{Settings: json.RawMessage(`{"name":"d",` + quartz("0 0 * * * ?", "UTC") + `}`)})
	require.NoError(t, err)
	l.until("2026-03-01T12:30:00Z")
	assert.Empty(t, l.runs(id))
}

func TestServiceByItself(t *testing.T) {
	l := newLab(t, "2026-03-01T10:30:00Z")
	l.service.deaf()
	s, err := Start(context.Background(), l.Engine, Options{})
	require.NoError(t, err)
	defer s.Close()
	id := l.create(`"continuous":{}`)
	news, stop := l.WatchJobs()
	defer stop()
	for len(l.runs(id)) == 0 {
		<-news.C() // a run ended, or it was made
	}
	l.settle(id)
}

package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
)

func TestBackfill(t *testing.T) {
	gate := make(chan struct{})
	l := newLab(t, "2026-03-01T10:30:00Z", func(l *lab) { l.run, l.opt.BackfillsOnly = hold(gate), true })
	id := l.create(several + quartz("0 0 0 * * ?", "UTC"))
	q := engine.BackfillRequest{JobID: id, From: moment(t, "2026-02-01T00:00:00Z"), To: moment(t, "2026-02-05T00:00:00Z"), Parallel: 2}
	b, err := l.StartBackfill(l.ctx, q)
	require.NoError(t, err)
	assert.Equal(t, 5, b.Count)
	l.after(time.Minute)
	assert.Equal(t, []string{"2026-02-01T00:00:00", "2026-02-02T00:00:00"}, l.times(id), "two at once")
	l.restart(time.Hour)
	same, err := l.StartBackfill(l.ctx, q)
	require.NoError(t, err)
	assert.Equal(t, b.Key, same.Key)
	l.after(time.Minute)
	require.Len(t, l.runs(id), 2)
	close(gate)
	for range 3 {
		l.settle(id)
		l.pass()
	}
	l.settle(id)
	runs := l.runs(id)
	require.Len(t, runs, 5)
	assert.Equal(t, moment(t, "2026-02-05T00:00:00Z"), runs[4].Trigger.Backfill)
	l.pass()
	list, err := l.Backfills(l.ctx, id)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.True(t, list[0].Done)
	_, err = l.StartBackfill(l.ctx, q) // finished stays finished
	require.NoError(t, err)
	l.restart(48 * time.Hour)
	assert.Len(t, l.runs(id), 5, "and the schedule is nobody's here")
	q.Token = "again"
	_, err = l.StartBackfill(l.ctx, q)
	require.NoError(t, err)
	l.pass()
	assert.Greater(t, len(l.runs(id)), 5)
}

func TestBackfillStops(t *testing.T) {
	gate := make(chan struct{})
	l := newLab(t, "2026-03-01T10:30:00Z", func(l *lab) { l.run = hold(gate) })
	id := l.create(`"trigger":{"periodic":{"interval":1,"unit":"DAYS"}}`)
	b, err := l.StartBackfill(l.ctx, engine.BackfillRequest{JobID: id, From: moment(t, "2026-02-01T00:00:00Z"), To: moment(t, "2026-02-05T00:00:00Z")})
	require.NoError(t, err)
	l.pass()
	require.NoError(t, l.EndBackfill(l.ctx, id, b.Key))
	close(gate)
	l.settle(id)
	l.pass()
	assert.Equal(t, []string{"2026-02-01T10:30:00"}, l.times(id))
}

func TestBackfillRefusals(t *testing.T) {
	l := newLab(t, "2026-03-01T10:30:00Z")
	id := l.create(quartz("0 0 0 * * ?", "UTC"))
	plain := l.create(`"max_concurrent_runs":1`)
	day := func(s string) time.Time { return moment(t, s+"T00:00:00Z") }
	for want, q := range map[string]engine.BackfillRequest{
		"does not exist":              {JobID: 7, From: day("2026-01-01"), To: day("2026-01-02")},
		"has no schedule":             {JobID: plain, From: day("2026-01-01"), To: day("2026-01-02")},
		"is before":                   {JobID: id, From: day("2026-01-02"), To: day("2026-01-01")},
		"1 to 100 runs at once":       {JobID: id, From: day("2026-01-01"), To: day("2026-01-02"), Parallel: 101},
		"fires more than 10000 times": {JobID: id, From: day("1980-01-01"), To: day("2026-01-02")},
		"does not fire from":          {JobID: id, From: day("2026-01-01").Add(time.Hour), To: day("2026-01-01").Add(2 * time.Hour)},
		"between the years 1970 and":  {JobID: id, From: day("1900-01-01"), To: day("2026-01-02")},
	} {
		_, err := l.StartBackfill(l.ctx, q)
		assert.ErrorContains(t, err, want)
	}
}

package quartz_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec/quartz"
)

// A Schedule is what the alarm clock of robfig/cron takes.
var _ cron.Schedule = (*quartz.Schedule)(nil)

// What is wrong says how to mend it.
func TestMends(t *testing.T) {
	for expr, want := range map[string]string{
		"0 0 0 * * *":           `Try "0 0 0 * * ?"`,
		"0 0 0 ? * ?":           `Try "0 0 0 * * ?"`,
		"0 0 0 1 * MON":         "both given",
		"*/5 * * * *":           `Try "0 */5 * * * ?"`,
		"0 9 * * 1":             `Try "0 0 9 ? * 2"`,
		"@daily":                "no Quartz expression",
		"0 0 0 ? * MON-FRI/2":   "names take no step; write 2-6/2",
		"0 0 0 ? * 0":           "Sunday is 1",
		"0 0 24 * * ?":          "24 is not between 0 and 23",
		"60 0 0 * * ?":          "60 is not between 0 and 59",
		"0 0/75 0 * * ?":        "at most 59",
		"0 0 0 L,1 * ?":         "a list cannot hold L or W",
		"0 0 0 32W * ?":         "from 1 to 31",
		"0 0 0 L-31 * ?":        "from 0 to 30",
		"0 0 0 ? * MON#6":       "from 1 to 5",
		"0 0 0 ? * FOO":         "neither a number from 1 to 7 nor one of SUN",
		"0 0 0 * * ? 2030-2020": "years go up",
		"0 0 0 * * ? * *":       "at most seven",
		"":                      "empty",
		"? 0 0 * * ?":           "day fields only",
		"0 0 0 , * ?":           "says nothing",
		"0 0 0 1-x * ?":         `"X" is no number`,
	} {
		_, err := quartz.Parse(expr, "UTC")
		assert.ErrorContains(t, err, want, expr)
	}
	huge, err := quartz.Parse("1-59/9223372036854775807 0 0 * * ? 1-2/9223372036854775807", "UTC")
	require.NoError(t, err)
	assert.True(t, huge.Next(time.Unix(0, 0)).IsZero())
	s, err := quartz.Parse("0 0 6 ? * MONDAY", "UTC")
	require.NoError(t, err)
	assert.Equal(t, []string{"write MON for MONDAY"}, s.Warnings())
	for _, expr := range []string{"* * * * * ?", "0 0 0 31 2 ?", "0 0 0 1 1 ? 2001"} {
		s, err := quartz.Parse(expr, "UTC")
		require.NoError(t, err)
		assert.Len(t, s.Warnings(), 1, expr)
	}
}

func TestZones(t *testing.T) {
	for id, want := range map[string]string{
		"UTC": "UTC", "Europe/Berlin": "Europe/Berlin", "PST": "America/Los_Angeles", "BST": "Asia/Dhaka", "GMT": "GMT",
		"EST": "EST", "GMT+8": "GMT+8", "GMT-05:30": "GMT-05:30", "GMT+0530": "GMT+0530", "Etc/GMT+3": "Etc/GMT+3",
	} {
		loc, err := quartz.LoadZone(id)
		require.NoError(t, err, id)
		assert.Equal(t, want, loc.String(), id)
	}
	_, off := time.Date(2026, 7, 1, 0, 0, 0, 0, must(t, "EST")).Zone()
	assert.Equal(t, -5*3600, off, "EST has no summer time in Java")
	for _, id := range []string{"", "Local", "Mars/X", "UTC+8", "GMT+25", "GMT+8:5", "GMT+-8", "america/new_york", "../etc/passwd", "Europe//Berlin"} {
		_, err := quartz.LoadZone(id)
		assert.Error(t, err, id)
	}
}

func must(t *testing.T, id string) *time.Location {
	loc, err := quartz.LoadZone(id)
	require.NoError(t, err)
	return loc
}

// oracle says by the declared rules alone whether a schedule of plain fields
// fires at an instant: the wall clock matches, and no later instant shows the
// same wall clock.
type oracle struct {
	zone                            *time.Location
	sec, min, hour, dom, month, dow map[int]bool // nil: all
}

func (o oracle) fires(at time.Time) bool {
	w := at.In(o.zone)
	ok := has(o.sec, w.Second()) && has(o.min, w.Minute()) && has(o.hour, w.Hour()) && has(o.month, int(w.Month())) &&
		has(o.dom, w.Day()) && has(o.dow, int(w.Weekday())+1)
	if !ok {
		return false
	}
	for _, later := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if at.Add(later).In(o.zone).Format(time.DateTime) == w.Format(time.DateTime) {
			return false
		}
	}
	return true
}

func has(set map[int]bool, v int) bool { return set == nil || set[v] }

// pick makes a random field: its text, and the values it stands for.
func pick(r *rand.Rand, low, high int) (string, map[int]bool) {
	set := map[int]bool{}
	switch r.IntN(5) {
	case 0:
		return "*", nil
	case 1:
		step := 1 + r.IntN(high-low)
		from := low + r.IntN(high-low+1)
		for v := from; v <= high; v += step {
			set[v] = true
		}
		return fmt.Sprintf("%d/%d", from, step), set
	case 2:
		a, b := low+r.IntN(high-low+1), low+r.IntN(high-low+1)
		for v := a; ; v++ {
			if v > high {
				v = low
			}
			set[v] = true
			if v == b {
				return fmt.Sprintf("%d-%d", a, b), set
			}
		}
	}
	var words []string
	for range 1 + r.IntN(4) {
		v := low + r.IntN(high-low+1)
		set[v] = true
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, ","), set
}

// TestAgainstOracle compares Next and Prev with a walk over every second
// around changes of the clock.
func TestAgainstOracle(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"}
	around := []string{"2024-03-10T06:00:00Z", "2024-11-03T04:30:00Z", "2024-03-31T00:00:00Z", "2024-10-27T00:00:00Z", "2024-04-06T14:00:00Z", "2024-10-05T14:00:00Z"}
	r := rand.New(rand.NewPCG(7, 11))
	for i := range 300 {
		o := oracle{zone: must(t, zones[r.IntN(len(zones))])}
		var text [6]string
		text[0], o.sec = fmt.Sprint(r.IntN(60)), nil
		o.sec = map[int]bool{}
		var sec int
		_, err := fmt.Sscan(text[0], &sec)
		require.NoError(t, err)
		o.sec[sec] = true
		text[1], o.min = pick(r, 0, 59)
		text[2], o.hour = pick(r, 0, 23)
		text[3], text[5] = "*", "?"
		if r.IntN(2) == 0 {
			text[3] = "?"
			text[5], o.dow = pick(r, 1, 7)
		}
		text[4] = "*"
		expr := strings.Join(text[:], " ")
		s, err := quartz.Parse(expr, o.zone.String())
		require.NoError(t, err, expr)
		from, err := time.Parse(time.RFC3339, around[r.IntN(len(around))])
		require.NoError(t, err)
		from = from.Add(time.Duration(r.IntN(7200)) * time.Second)
		want := time.Time{}
		wall := from.In(o.zone).Format(time.DateTime)
		for at := from.Add(time.Second); at.Before(from.Add(9 * 24 * time.Hour)); at = at.Add(time.Second) {
			if at.Second() != sec && o.zone.String() != "UTC" && at.In(o.zone).Second() != sec {
				continue
			}
			// The search goes by the wall clock: within an overlap's first pass
			// what the wall clock has passed does not fire in the second.
			if o.fires(at) && at.In(o.zone).Format(time.DateTime) > wall {
				want = at
				break
			}
		}
		got := s.Next(from)
		if want.IsZero() {
			assert.True(t, got.IsZero() || got.After(from.Add(9*24*time.Hour-time.Second)), "%d: %s %s from %s: %s", i, expr, o.zone, from, got)
			continue
		}
		assert.True(t, want.Equal(got), "%d: %s %s from %s: want %s, got %s", i, expr, o.zone, from.In(o.zone), want.In(o.zone), got)
		if !got.IsZero() {
			prev := s.Prev(got.Add(time.Second))
			assert.True(t, prev.Equal(got), "%d: %s %s: the last before %s is %s", i, expr, o.zone, got.Add(time.Second), prev)
		}
	}
}

func TestBetween(t *testing.T) {
	s, err := quartz.Parse("0 0 0/6 * * ?", "UTC")
	require.NoError(t, err)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fires, more := s.Between(from, from.Add(24*time.Hour), 10)
	assert.Len(t, fires, 4)
	assert.False(t, more)
	fires, more = s.Between(from, from.Add(24*time.Hour), 2)
	assert.Len(t, fires, 2)
	assert.True(t, more)
}

// FuzzParse: nothing panics or hangs, and a fire is after its start.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 0 0 * * ?", "0 0 0 L-3W * ?", "0 0 0 ? * FRI#2 2026/2", "*/5 * * * *", "0 0 0 29 2 ?", "0/0 0-59/90 22-2 ? NOV-FEB 6L"} {
		f.Add(s, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, expr string, unix int64) {
		s, err := quartz.Parse(expr, "Europe/Berlin")
		if err != nil {
			return
		}
		at := time.Unix(unix%4_000_000_000, 0)
		if next := s.Next(at); !next.IsZero() {
			require.True(t, next.After(at), "%q from %s: %s", expr, at, next)
		}
		s.Warnings()
	})
}

func BenchmarkNext(b *testing.B) {
	for name, expr := range map[string]string{"daily": "0 0 6 * * ?", "every 5 minutes": "0 0/5 * * * ?", "never": "0 0 0 31 2 ?"} {
		s, err := quartz.Parse(expr, "Europe/Berlin")
		require.NoError(b, err)
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}

package trigger

import (
	"fmt"
	"time"

	"flowctl/jobspec"
)

// Misfire says what becomes of fires that were missed.
type Misfire string

// The misfire policies.
const (
	// FireOnce makes one run for the latest of all missed fires.
	FireOnce Misfire = "fire_once"
	// Skip waits for the next fire.
	Skip Misfire = "skip"
	// All makes a run for each missed fire, oldest first, the newest hundred
	// at most; they wait in the job's queue for their turn.
	All Misfire = "all"
)

// ParseMisfire reads a policy's name; the empty one is FireOnce.
func ParseMisfire(s string) (Misfire, error) {
	switch m := Misfire(s); m {
	case "":
		return FireOnce, nil
	case FireOnce, Skip, All:
		return m, nil
	}
	return "", fmt.Errorf("misfire policy %q: write fire_once, skip or all", s)
}

const (
	// tolerance is how late a fire may be and still counts as made in time.
	// Source: Quartz's default misfire threshold.
	tolerance = time.Minute
	// leastDistance is the least time between two scheduled times of a
	// trigger that count. Source: the Databricks page on scheduled jobs.
	leastDistance = 10 * time.Second
	// maxAll is how many missed fires are made up for at most.
	maxAll = 100
	// overlap is how much before the window the times are read from: where
	// clocks are set back, what comes depends on what came.
	overlap = 3 * time.Hour
)

// policy is what to do about missed fires, and how far back.
type policy struct {
	misfire Misfire
	window  time.Duration
}

// plan is what a clock does at a moment.
type plan struct {
	fires []planned
	mem   clockMemory // once the fires are made
	lost  int         // missed fires that nobody makes up for
	next  time.Time   // when the next is due; zero: never
}

type planned struct {
	at    time.Time
	note  string
	queue bool
}

// plan compares what has been dealt with with what is due.
func (p policy) plan(times jobspec.Times, since time.Time, mem clockMemory, now time.Time) plan {
	out := plan{mem: mem}
	from, oldest := since, now.Add(-p.window)
	if mem.Cursor.After(from) {
		from = mem.Cursor
	}
	if start := oldest.Add(-overlap); from.Before(start) {
		from = start
	}
	var missed, fresh []time.Time
	at := times.Next(from)
	for ; !at.IsZero() && !at.After(now); at = times.Next(at) {
		at = at.UTC()
		out.mem.Cursor = at
		if !out.mem.Last.IsZero() && at.Sub(out.mem.Last) < leastDistance {
			continue
		}
		out.mem.Last = at
		switch {
		case now.Sub(at) <= tolerance:
			fresh = append(fresh, at)
		case at.Before(oldest):
			out.lost++
		default:
			missed = append(missed, at)
		}
	}
	out.next = at
	out.makeUp(p.misfire, missed, fresh, now)
	for _, at := range fresh {
		out.fires = append(out.fires, planned{at: at})
	}
	if n := len(out.fires); p.misfire == FireOnce && len(missed) > 0 && len(fresh) > 0 {
		out.fires[n-1].note = fmt.Sprintf("%s missed before this one; this run stands for all of them.", fires(len(missed)))
	}
	return out
}

// makeUp plans runs for missed fires.
func (out *plan) makeUp(m Misfire, missed, fresh []time.Time, now time.Time) {
	n := len(missed)
	switch {
	case n == 0:
	case m == Skip:
		out.lost += n
	case m == All:
		if n > maxAll {
			out.lost += n - maxAll
			missed = missed[n-maxAll:]
		}
		for _, at := range missed {
			out.fires = append(out.fires, planned{at: at, note: late(at, now), queue: true})
		}
	case len(fresh) == 0:
		f := planned{at: missed[n-1], note: late(missed[n-1], now)}
		if n > 1 {
			f.note += fmt.Sprintf(" %s missed; this run stands for all of them.", fires(n))
		}
		out.fires = append(out.fires, f)
	}
}

func late(at, now time.Time) string {
	return fmt.Sprintf("Late by %s: no daemon ran when it was due.", now.Sub(at).Round(time.Second))
}

func fires(n int) string {
	if n == 1 {
		return "1 fire was"
	}
	return fmt.Sprintf("%d fires were", n)
}

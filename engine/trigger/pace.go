package trigger

import "time"

// pace holds a data trigger back: a least time from its last fire, and a time
// without changes.
type pace struct{ between, quiet time.Duration }

// ready is the time from which it may fire. A clock that was set back makes
// no wait longer than it was to be.
func (p pace) ready(now, fired, changed time.Time) time.Time {
	at := now
	for _, t := range []time.Time{fired.Add(p.between), changed.Add(p.quiet)} {
		if t.After(at) && t.Sub(now) <= max(p.between, p.quiet) {
			at = t
		}
	}
	return at
}

const (
	soonest = 2 * time.Second
	latest  = time.Minute // Databricks looks about once a minute
	share   = 200         // a look that takes t is repeated after share·t, times the number of triggers
)

// pollEvery is how long to wait between looks of that cost: short where
// looking is cheap, and so that all looks together take half a percent of
// this machine's time.
func pollEvery(cost time.Duration, triggers int) time.Duration {
	return min(max(cost*share*time.Duration(max(triggers, 1)), soonest), latest)
}

// grain is how much earlier than it was a file's time can be: file systems
// count in ticks.
const grain = 5 * time.Millisecond

// looker is a kind that looks at files.
type looker interface{ look() }

// lookers is how many triggers look at files.
func (s *Service) lookers() int { return s.book.lookers }

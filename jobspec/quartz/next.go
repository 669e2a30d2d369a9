package quartz

import (
	"math/bits"
	"time"
)

// horizon is how many years Next looks ahead before it says never.
//
// Source: Quartz gives up at the current year plus 100.
const horizon = 100

// Next is the first time after t at which the schedule fires, in the
// schedule's zone; the zero time if it never does again.
//
// Wall-clock times that match are taken in order, strictly after the wall
// clock of t. One that a change of the clock skips does not fire; one that
// comes twice fires once, the second time. Source: measured on the Java
// library.
func (s *Schedule) Next(t time.Time) time.Time {
	w := t.In(s.zone)
	year, month, day := w.Date()
	hour, minute, second := w.Clock()
	from := (hour*60+minute)*60 + second + 1
	for y := year; y <= year+horizon; y++ {
		if !s.hasYear(y) {
			month, day, from = 1, 1, 0
			continue
		}
		for m := month; m <= 12; m++ {
			if s.months&(1<<m) != 0 {
				if at := s.inMonth(y, m, day, from); !at.IsZero() {
					return at
				}
			}
			day, from = 1, 0
		}
		month, day, from = 1, 1, 0
	}
	return time.Time{}
}

// inMonth finds the first fire of a month from a day and a second of it on.
func (s *Schedule) inMonth(y int, m time.Month, day, from int) time.Time {
	days := s.monthDays(y, m) >> day << day
	for days != 0 {
		d := bits.TrailingZeros64(days)
		if d != day {
			from = 0
		}
		for sec := s.clock(from); sec >= 0; {
			at, ok := s.instant(y, m, d, sec)
			if ok {
				return at
			}
			sec = s.clock(sec/60*60 + 60) // clocks skip whole minutes
		}
		days &^= 1 << d
	}
	return time.Time{}
}

// clock is the first matching second of a day from one on, -1 if there is none.
func (s *Schedule) clock(from int) int {
	if from >= 24*3600 {
		return -1
	}
	h, m, sec := from/3600, from/60%60, from%60
	for hours := s.hours >> h << h; hours != 0; hours &= hours - 1 {
		hh := bits.TrailingZeros64(hours)
		if hh != h {
			m, sec = 0, 0
		}
		for minutes := s.minutes >> m << m; minutes != 0; minutes &= minutes - 1 {
			mm := bits.TrailingZeros64(minutes)
			if mm != m {
				sec = 0
			}
			if seconds := s.seconds >> sec << sec; seconds != 0 {
				return (hh*60+mm)*60 + bits.TrailingZeros64(seconds)
			}
			sec = 0
		}
		m, sec = 0, 0
	}
	return -1
}

// instant maps a wall-clock time to the time at which a clock in the zone
// shows it: the later one if it does so twice; false if it never does.
func (s *Schedule) instant(y int, m time.Month, d, sec int) (time.Time, bool) {
	naive := time.Date(y, m, d, 0, 0, sec, 0, time.UTC)
	_, before := naive.Add(-26 * time.Hour).In(s.zone).Zone()
	_, after := naive.Add(26 * time.Hour).In(s.zone).Zone()
	var best time.Time
	for _, off := range [2]int{before, after} {
		at := naive.Add(-time.Duration(off) * time.Second)
		if _, got := at.In(s.zone).Zone(); got == off && (best.IsZero() || at.After(best)) {
			best = at
		}
	}
	if best.IsZero() {
		return best, false
	}
	return best.In(s.zone), true
}

func (s *Schedule) hasYear(y int) bool {
	for _, sp := range s.years {
		if y >= sp.from && y <= sp.to && (y-sp.from)%sp.step == 0 {
			return true
		}
	}
	return false
}

// monthDays are the days of a month on which the schedule fires, bit n for day n.
func (s *Schedule) monthDays(y int, m time.Month) uint64 {
	length := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	first := int(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Weekday()) + 1 // of day 1; Sunday is 1
	all := uint64(1)<<(length+1) - 2
	switch {
	case s.days == 0:
		return s.byWeekday(first, length)
	case s.last && length-s.before < 1:
		return 0
	case s.last && s.nearest:
		return 1 << nearestWeekday(length-s.before, first, length)
	case s.last:
		return 1 << (length - s.before)
	case s.nearest:
		if day := bits.TrailingZeros64(s.days); day <= length {
			return 1 << nearestWeekday(day, first, length)
		}
		return 0
	}
	return s.days & all
}

func (s *Schedule) byWeekday(first, length int) uint64 {
	var mask uint64
	for d := 1; d <= length; d++ {
		wd := (first-1+d-1)%7 + 1
		switch {
		case s.weekdays&(1<<wd) == 0:
		case s.nth > 0 && (d-1)/7+1 != s.nth:
		case s.lastOf > 0 && d+7 <= length:
		default:
			mask |= 1 << d
		}
	}
	return mask
}

// nearestWeekday is the day from Monday to Friday that is nearest to a day
// and in the same month.
func nearestWeekday(day, first, length int) int {
	switch wd := (first-1+day-1)%7 + 1; {
	case wd == 7 && day == 1: // Saturday the first: Monday the third
		return 3
	case wd == 7:
		return day - 1
	case wd == 1 && day == length: // Sunday the last: Friday
		return day - 2
	case wd == 1:
		return day + 1
	}
	return day
}

// Prev is the last time before t at which the schedule fired; the zero time
// if it did not in the hundred years before.
func (s *Schedule) Prev(t time.Time) time.Time {
	w := t.In(s.zone)
	for y := w.Year(); y >= w.Year()-horizon; y-- {
		if !s.hasYear(y) {
			continue
		}
		for m := time.December; m >= time.January; m-- {
			if s.months&(1<<m) == 0 {
				continue
			}
			for days := s.monthDays(y, m); days != 0; {
				d := 63 - bits.LeadingZeros64(days)
				if at := s.lastBefore(y, m, d, t); !at.IsZero() {
					return at
				}
				days &^= 1 << d
			}
		}
	}
	return time.Time{}
}

// lastBefore is the last fire of a day before t.
func (s *Schedule) lastBefore(y int, m time.Month, d int, t time.Time) time.Time {
	var found time.Time
	if time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Add(-15 * time.Hour).After(t) {
		return found // no zone is so far east
	}
	for sec := s.clock(0); sec >= 0; sec = s.clock(sec + 1) {
		if at, ok := s.instant(y, m, d, sec); ok && at.Before(t) && at.After(found) {
			found = at
		}
	}
	return found
}

// Between lists the fires after from and not after to, at most limit of them;
// more tells whether there are others.
func (s *Schedule) Between(from, to time.Time, limit int) (fires []time.Time, more bool) {
	for at := s.Next(from); !at.IsZero() && !at.After(to); at = s.Next(at) {
		if len(fires) == limit {
			return fires, true
		}
		fires = append(fires, at)
	}
	return fires, false
}

package trigger

import (
	"time"

	"github.com/robfig/cron/v3"
)

// heartbeat bounds how late a wake can be after the machine slept or its
// clock was set: timers know of neither.
const heartbeat = 15 * time.Second

// alarm is an alarm clock: it rings at the time that it is set to, and at
// every heartbeat. It knows nothing of jobs.
type alarm struct {
	cron  *cron.Cron
	entry cron.EntryID // 0: not set
	at    time.Time
	c     chan struct{}
}

func newAlarm() *alarm {
	a := &alarm{cron: cron.New(cron.WithLocation(time.UTC), cron.WithLogger(cron.DiscardLogger)), c: make(chan struct{}, 1)}
	a.cron.Schedule(cron.Every(heartbeat), cron.FuncJob(a.ring))
	a.cron.Start()
	return a
}

func (a *alarm) ring() {
	select {
	case a.c <- struct{}{}:
	default: // it rings already
	}
}

// set moves the time; zero: only heartbeats ring.
func (a *alarm) set(at time.Time) {
	if at.Equal(a.at) {
		return
	}
	if a.entry != 0 {
		a.cron.Remove(a.entry)
		a.entry = 0
	}
	if a.at = at; !at.IsZero() {
		a.entry = a.cron.Schedule(&once{at: at}, cron.FuncJob(a.ring))
	}
}

func (a *alarm) close() { a.cron.Stop() }

// once is a schedule of one moment. The cron's loop alone calls it.
type once struct {
	at   time.Time
	told bool
}

// Next is that moment, or at once if it is past: a moment that passes while
// the clock is being set must ring all the same.
func (o *once) Next(t time.Time) time.Time {
	if o.told {
		return time.Time{}
	}
	o.told = true
	if o.at.After(t) {
		return o.at
	}
	return t.Add(time.Millisecond)
}

package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/jobspec"
)

var scenarios = flag.Int("scenarios", 150, "how many scenarios TestSimulation plays")

// TestSimulation plays days with changes of the clocks, in which daemons are
// killed between any two commits and come back later, the machine sleeps,
// its clock is set, and jobs are made, edited, paused and deleted. Each ends
// with exactly the runs that the policy promises: told by an account that
// knows all times of a schedule beforehand and only when somebody looked.
func TestSimulation(t *testing.T) {
	for seed := range *scenarios {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			newSimulation(t, uint64(seed)).play()
		})
		if !ok && t.Failed() {
			return
		}
	}
}

// simulation is a lab and the account of what must happen in it.
type simulation struct {
	*lab
	rnd     *rand.Rand
	end     time.Time
	zone    string
	jobs    []*simJob
	taken   map[string]bool // by job and trigger: its step is on disk, in the pass under way
	cut     int             // commits until the kill; -1: none
	cutLate bool            // the kill comes after the commit, not before it
	story   []string
}

// simJob is the account of a job.
type simJob struct {
	id      int64
	expr    string
	paused  bool
	deleted bool
	key     string
	since   time.Time
	times   []time.Time // all that count, after since
	upto    time.Time   // looks have dealt with what is not after it
	fired   map[string]map[time.Time]bool
	want    []time.Time
}

var simZones = []struct{ zone, start string }{
	{"America/New_York", "2026-03-07T12:00:00Z"}, {"America/New_York", "2026-10-31T12:00:00Z"},
	{"Europe/Berlin", "2026-03-28T12:00:00Z"}, {"Europe/Berlin", "2026-10-24T12:00:00Z"},
	{"Australia/Lord_Howe", "2026-04-04T00:00:00Z"}, {"Australia/Lord_Howe", "2026-10-03T00:00:00Z"},
	{"Africa/Cairo", "2026-04-23T12:00:00Z"}, {"America/Santiago", "2026-09-05T12:00:00Z"},
	{"UTC", "2026-02-27T00:00:00Z"}, {"GMT+05:30", "2026-12-31T00:00:00Z"},
}

var simExprs = []string{
	"0 0 * * * ?", "0 30 1 * * ?", "0 30 2 * * ?", "0 0/20 * * * ?", "0 0 0/2 * * ?", "0 15 0,1,2,3,23 * * ?",
	"7 0 0 * * ?", "0 0 12 ? * MON-FRI", "0/30 0 3 * * ?", "0 59 23 L * ?", "every 90 MINUTES", "every 1 DAYS", "0 0 0 1 1 ? 2020",
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	rnd := rand.New(rand.NewPCG(seed, 7))
	z := simZones[rnd.IntN(len(simZones))]
	start := moment(t, z.start).Add(time.Duration(rnd.IntN(12*3600)) * time.Second)
	s := &simulation{rnd: rnd, zone: z.zone, end: start.Add(48 * time.Hour), cut: -1}
	if seed%10 == 0 {
		s.end = start.Add(7 * 24 * time.Hour)
	}
	s.lab = newLab(t, start.Format(time.RFC3339), func(l *lab) {
		l.opt.Misfire = []Misfire{FireOnce, Skip, All}[rnd.IntN(3)]
		l.opt.Window = []time.Duration{time.Hour, 24 * time.Hour}[rnd.IntN(2)]
	})
	s.wire()
	return s
}

// wire puts the knife between the service and its commits.
func (s *simulation) wire() {
	s.service.batch = 2
	s.service.fire = func(ctx context.Context, steps ...engine.Step) ([]engine.Stepped, error) {
		if s.cut == 0 && !s.cutLate {
			return nil, errCut
		}
		out, err := s.Fire(ctx, steps...)
		require.NoError(s, err)
		for _, st := range steps {
			s.taken[fmt.Sprint(st.JobID, st.Trigger)] = true
		}
		if s.cut == 0 {
			return nil, errCut
		}
		s.cut--
		return out, nil
	}
}

var errCut = errors.New("killed")

func (s *simulation) tell(format string, args ...any) {
	s.story = append(s.story, s.clock.now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (s *simulation) play() {
	for range 3 + s.rnd.IntN(3) {
		s.make()
	}
	for s.clock.now().Before(s.end) {
		switch s.rnd.IntN(12) {
		case 0: // killed while it commits, and back after a while
			s.cut, s.cutLate = s.rnd.IntN(3), s.rnd.IntN(2) == 0
			s.live(s.some(3 * time.Hour))
			s.cut = -1
			s.back(s.some(5 * time.Hour))
		case 1:
			s.back(s.some(30 * time.Hour))
		case 2:
			s.tell("sleep")
			s.clock.set(s.clock.now().Add(s.some(10 * time.Hour)))
		case 3:
			s.tell("clock set back")
			s.clock.set(s.clock.now().Add(-s.some(2 * time.Hour)))
		case 4:
			s.make()
		case 5, 6, 7:
			s.change(s.jobs[s.rnd.IntN(len(s.jobs))])
		default:
			s.live(s.some(8 * time.Hour))
		}
	}
	s.back(time.Minute)
	for _, j := range s.jobs {
		var got []time.Time
		for _, r := range s.runs(j.id) {
			got = append(got, r.Trigger.Time)
		}
		slices.SortFunc(got, time.Time.Compare)
		slices.SortFunc(j.want, time.Time.Compare)
		require.Equal(s, j.want, got, "job %d %s %s, %s within %s\n%v", j.id, j.expr, s.zone, s.opt.Misfire, s.opt.Window, s.story)
	}
}

func (s *simulation) some(most time.Duration) time.Duration {
	return time.Duration(s.rnd.Int64N(int64(most/time.Second))+1) * time.Second
}

// live lets time go by with a daemon that looks when its alarm rings, or a
// little later. It ends early if the daemon is killed.
func (s *simulation) live(d time.Duration) {
	end := s.clock.now().Add(d)
	for s.look() {
		next := s.service.book.next()
		if next.IsZero() || next.After(end) {
			if end.After(s.clock.now()) {
				s.clock.set(end)
			}
			return
		}
		if next.After(s.clock.now()) {
			s.clock.set(next.Add(time.Duration(s.rnd.IntN(3000)) * time.Millisecond))
		}
	}
}

// look is a pass, and its account. False: the daemon was killed in it.
func (s *simulation) look() bool {
	s.taken = map[string]bool{}
	require.NoError(s, s.Resume(s.ctx))
	err := s.service.pass(s.ctx)
	if err != nil {
		require.ErrorIs(s, err, errCut)
		s.tell("killed")
	}
	for _, j := range s.jobs {
		if err == nil || s.taken[fmt.Sprint(j.id, j.key)] {
			s.account(j)
		}
	}
	return err == nil
}

// back is a daemon that was away.
func (s *simulation) back(away time.Duration) {
	s.tell("away for %s", away)
	s.close()
	s.clock.set(s.clock.now().Add(away))
	s.open()
	s.wire()
	s.look()
}

// account adds what a look at this moment must have made.
func (s *simulation) account(j *simJob) {
	now := s.clock.now()
	if j.deleted || j.paused || !now.After(j.upto) {
		return
	}
	var missed, fresh []time.Time
	for _, at := range j.times {
		switch {
		case !at.After(j.upto) || at.After(now):
		case now.Sub(at) <= time.Minute:
			fresh = append(fresh, at)
		case now.Sub(at) <= s.opt.Window:
			missed = append(missed, at)
		}
	}
	switch {
	case s.opt.Misfire == All:
		fresh = append(missed[max(len(missed)-100, 0):], fresh...)
	case s.opt.Misfire == FireOnce && len(fresh) == 0 && len(missed) > 0:
		fresh = missed[len(missed)-1:]
	}
	j.upto = now
	for _, at := range fresh {
		if !j.fired[j.key][at] {
			j.fired[j.key][at] = true
			j.want = append(j.want, at)
		}
	}
}

func (s *simulation) settings(j *simJob) string {
	status := "UNPAUSED"
	if j.paused {
		status = "PAUSED"
	}
	var n int
	var unit string
	if _, err := fmt.Sscanf(j.expr, "every %d %s", &n, &unit); err == nil {
		return fmt.Sprintf(`"max_concurrent_runs":0,"trigger":{"periodic":{"interval":%d,"unit":%q},"pause_status":%q}`, n, unit, status)
	}
	return fmt.Sprintf(`"max_concurrent_runs":0,"schedule":{"quartz_cron_expression":%q,"timezone_id":%q,"pause_status":%q}`, j.expr, s.zone, status)
}

// make makes a job whose runs are skipped, so that there is only their being made.
func (s *simulation) make() {
	j := &simJob{expr: simExprs[s.rnd.IntN(len(simExprs))], fired: map[string]map[time.Time]bool{}}
	j.id = s.create(s.settings(j))
	s.jobs = append(s.jobs, j)
	s.begin(j)
	s.tell("job %d %s", j.id, j.expr)
}

// begin accounts for a trigger that is new from this moment on.
func (s *simulation) begin(j *simJob) {
	j.since, j.upto = s.clock.now(), s.clock.now()
	job, err := jobspec.Parse(json.RawMessage("{" + s.settings(j) + "," + oneTask + "}"))
	require.NoError(s, err)
	when := job.Whens()[0]
	j.key = when.Key
	if j.fired[j.key] == nil {
		j.fired[j.key] = map[time.Time]bool{}
	}
	times, err := when.Times(j.since)
	require.NoError(s, err)
	j.times = nil
	for at := times.Next(j.since); !at.IsZero() && at.Before(s.end.Add(60*time.Hour)); at = times.Next(at) {
		j.times = append(j.times, at.UTC())
	}
}

func (s *simulation) change(j *simJob) {
	if j.deleted {
		return
	}
	was := *j
	switch s.rnd.IntN(5) {
	case 0:
		j.deleted = true
		require.NoError(s, s.DeleteJob(s.ctx, j.id))
		s.tell("delete %d", j.id)
		return
	case 1, 2:
		j.paused = !j.paused
	case 3:
		j.expr = simExprs[s.rnd.IntN(len(simExprs))]
	}
	s.reset(j.id, s.settings(j))
	s.tell("job %d %s paused %v", j.id, j.expr, j.paused)
	if was.expr != j.expr || was.paused && !j.paused {
		s.begin(j)
	}
}

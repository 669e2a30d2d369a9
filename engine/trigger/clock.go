package trigger

import (
	"encoding/json"
	"fmt"
	"time"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/jobspec"
)

// clock is a schedule or a periodic trigger.
type clock struct {
	times  jobspec.Times
	since  time.Time
	policy policy
	mem    clockMemory
	then   clockMemory // after the step under way
	lost   func(n int) // told of missed fires that nobody makes up for
}

// clockMemory is what is on record of a clock.
type clockMemory struct {
	Cursor time.Time // the last scheduled time that was dealt with
	Last   time.Time // the last one that counted, for the least distance
}

func (s *Service) newClock(tr engine.TriggerState) (kind, error) {
	times, err := tr.Times(tr.Since)
	if err != nil {
		return nil, err
	}
	c := &clock{times: times, since: tr.Since, policy: policy{s.opt.Misfire, s.opt.Window}}
	c.lost = func(n int) {
		s.opt.Log.Info("missed fires are not made up for", "trigger", tr.Path, "fires", n)
	}
	if tr.State != nil {
		if err := json.Unmarshal(tr.State, &c.mem); err != nil {
			return nil, fmt.Errorf("%s: read memory: %w", tr.Path, err)
		}
	}
	return c, nil
}

func (c *clock) decide(now time.Time) decision {
	p := c.policy.plan(c.times, c.since, c.mem, now)
	d := decision{next: p.next}
	c.then = p.mem
	if p.lost > 0 {
		c.lost(p.lost)
	}
	if len(p.fires) == 0 && p.lost == 0 {
		return d // nothing worth a commit
	}
	state, err := json.Marshal(p.mem)
	if err != nil { // a time beyond the year 9999
		return decision{}
	}
	d.step = &engine.Step{State: state}
	for _, f := range p.fires {
		d.step.Fires = append(d.step.Fires, engine.Fire{
			At: f.at, Queue: f.queue, Trigger: jobrun.Trigger{Type: jobrun.Periodic, Time: f.at, Note: f.note},
		})
	}
	return d
}

func (c *clock) took(engine.Stepped) { c.mem = c.then }

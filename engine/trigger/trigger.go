// Package trigger starts jobs by themselves: by the clock, when files arrive
// or tables change, one run after the other without end, and replaying the
// past. It decides when, and ends in engine.Fire.
//
// It is level-triggered: each look compares what a trigger remembers, which
// is on disk, with the world as it is. An ordinary fire, the hour after a
// suspend, a start after a crash and a clock that was set are one path. It
// keeps no record of its own and never meets the store; that no fire is made
// twice is the engine's promise. Start reading at Service.pass.
package trigger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flowctl/engine"
)

// Options are the settings of a Service.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Misfire is what to do about fires that were missed while no daemon ran
	// or the machine slept; empty: FireOnce.
	Misfire Misfire
	// Window is how far back missed fires are made up for, at most 31 days;
	// 0: 24 hours.
	Window time.Duration
	// Path finds the folder that a path of a job leads to: /Volumes, dbfs:/,
	// /Workspace and plain paths. Nil: only plain paths lead anywhere.
	Path func(path string) (string, error)
	// Table finds the folder of a Delta table by its name. Nil: only names
	// that are paths lead anywhere.
	Table func(name string) (string, error)
	// BackfillsOnly leaves jobs alone that would start by themselves: for a
	// process that is no daemon.
	BackfillsOnly bool
	// Fired is told of each run that was started, and how late that was; nil:
	// nobody asks.
	Fired func(late time.Duration)
	// Log takes what an operator should know; nil: slog.Default.
	Log *slog.Logger
}

// maxWindow bounds the work of a start after a long time.
const maxWindow = 31 * 24 * time.Hour

func (o *Options) fill() error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Path == nil {
		o.Path = plainPath
	}
	if o.Table == nil {
		o.Table = o.Path
	}
	if o.Misfire == "" {
		o.Misfire = FireOnce
	}
	if o.Window == 0 {
		o.Window = 24 * time.Hour
	}
	if _, err := ParseMisfire(string(o.Misfire)); err != nil {
		return err
	}
	if o.Window < 0 || o.Window > maxWindow {
		return fmt.Errorf("a window of %s for missed fires: it is at most %s", o.Window, maxWindow)
	}
	return nil
}

// Service starts jobs as long as it runs.
type Service struct {
	engine *engine.Engine
	opt    Options
	watch  *engine.JobWatch
	deaf   func() // stops the watch
	looked chan *armed
	done   chan struct{}
	stop   context.CancelFunc

	book  book
	looks looks
	last  time.Time // the clock at the last pass

	// For tests: looks are carried out in their turn, commits are small, and
	// they can be cut off.
	inTurn bool
	batch  int
	fire   func(context.Context, ...engine.Step) ([]engine.Stepped, error)
}

// Start starts jobs from now on, until Close, or until the engine stops. The
// engine must have taken its runs up before (ResumeAll): a continuous job
// whose run is not known to be active would get a second one.
func Start(ctx context.Context, e *engine.Engine, opt Options) (*Service, error) {
	s, err := open(ctx, e, opt)
	if err != nil {
		return nil, err
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go s.run(ctx)
	return s, nil
}

// open reads what is on record.
func open(ctx context.Context, e *engine.Engine, opt Options) (*Service, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	s := &Service{engine: e, opt: opt, looked: make(chan *armed), done: make(chan struct{}), last: opt.Now()}
	s.batch, s.fire = maxBatch, e.Fire
	s.book.jobs = map[int64][]*armed{}
	s.watch, s.deaf = e.WatchJobs()
	var berr error
	err := e.AllTriggers(ctx, func(t engine.JobTriggers) {
		if err := s.arm(ctx, t); err != nil && berr == nil {
			berr = err
		}
	})
	if err = errors.Join(err, berr); err != nil {
		s.deaf()
		return nil, fmt.Errorf("read triggers: %w", err)
	}
	return s, nil
}

// Close stops starting jobs. Runs under way go on.
func (s *Service) Close() {
	s.stop()
	<-s.done
}

// Done is closed when the service has ended: closed, or the engine stopped.
func (s *Service) Done() <-chan struct{} { return s.done }

// run waits for something to happen and looks.
func (s *Service) run(ctx context.Context) {
	defer close(s.done)
	defer s.deaf()
	clock := newAlarm()
	defer clock.close()
	for {
		if err := s.pass(ctx); err != nil {
			select {
			case <-ctx.Done():
			case <-s.engine.Done():
			default:
				s.opt.Log.Error("jobs no longer start by themselves", "error", err)
			}
			return
		}
		clock.set(s.book.next())
		select {
		case <-clock.c:
		case <-s.watch.C():
		case a := <-s.looked:
			s.lookEnded(a)
		case <-s.engine.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// maxBatch bounds what one commit takes, so that nobody waits long for the loop.
const maxBatch = 512

// pass lets every trigger act whose time has come.
func (s *Service) pass(ctx context.Context) error {
	if err := s.hear(ctx); err != nil {
		return err
	}
	now := s.opt.Now()
	if back := s.last.Sub(now); back > time.Minute {
		s.opt.Log.Warn("the clock was set back; what has fired does not fire again", "by", back.Round(time.Second))
	}
	s.last = now
	for {
		var who []*armed
		var steps []engine.Step
		for len(steps) < s.batch {
			a := s.book.due(now)
			if a == nil {
				break
			}
			if step := s.decide(a, now); step != nil {
				who, steps = append(who, a), append(steps, *step)
			}
		}
		if len(steps) == 0 {
			return nil
		}
		if err := s.take(ctx, now, who, steps); err != nil {
			return err
		}
	}
}

// decide asks a trigger what to do, and sees to all but its step.
func (s *Service) decide(a *armed, now time.Time) *engine.Step {
	d := a.kind.decide(now)
	a.idle = d.next.IsZero()
	switch {
	case d.look != nil && s.inTurn:
		d.look()
		return s.decide(a, now)
	case d.look != nil:
		s.look(a, d.look)
	default:
		s.book.set(a, d.next)
	}
	if d.step != nil {
		d.step.JobID, d.step.Trigger, d.step.Since = a.job, a.key, a.since
	}
	return d.step
}

// take has the engine take steps, and tells the triggers.
func (s *Service) take(ctx context.Context, now time.Time, who []*armed, steps []engine.Step) error {
	results, err := s.fire(ctx, steps...)
	if err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	for i, r := range results {
		a := who[i]
		if r.Err != nil {
			s.opt.Log.Warn("a job could not be started", "job", a.job, "trigger", a.path, "error", r.Err)
		}
		if s.opt.Fired != nil && r.Outcome == engine.Taken {
			for _, f := range steps[i].Fires {
				s.opt.Fired(now.Sub(f.At))
			}
		}
		switch r.Outcome {
		case engine.Stale: // changed meanwhile: the news is on its way
			s.book.set(a, time.Time{})
		case engine.Busy:
			a.idle = true
			a.kind.took(r)
		default:
			a.kind.took(r)
			if r.Err != nil && a.idle { // no run will end; it says when to try again
				s.book.set(a, now)
			}
		}
	}
	return nil
}

// hear brings what is armed in step with the jobs that have news.
func (s *Service) hear(ctx context.Context) error {
	for _, n := range s.watch.Take() {
		if n.Changed {
			t, err := s.engine.JobTriggers(ctx, n.ID)
			if err != nil {
				return fmt.Errorf("read triggers: %w", err)
			}
			if err := s.arm(ctx, t); err != nil {
				return err
			}
		}
		if !n.Ended {
			continue
		}
		for _, a := range s.book.jobs[n.ID] {
			if a.idle && !a.looking {
				s.book.set(a, s.opt.Now())
			}
		}
	}
	return nil
}

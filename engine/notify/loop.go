package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// lifetime is how long a notice is tried.
	lifetime = 24 * time.Hour
	// hands is how many recipients are told at once.
	hands = 8
	// handful is how many notices a recipient is told before that is written
	// down: as many may come twice after a crash.
	handful = 16
)

// backoff is how long to wait after a number of failures in a row: ten
// seconds, doubled each time, at most half an hour.
func backoff(failures int) time.Duration {
	return min(10*time.Second<<min(failures-1, 10), 30*time.Minute)
}

// visit is the end of a turn at a queue.
type visit struct {
	queue queueKey
	next  time.Time // when to come back; zero: it is empty
	// failures in a row of the recipient.
	failures int
}

// queueState is what the loop knows of a queue that is not empty.
type queueState struct {
	next     time.Time
	failures int
	busy     bool // a hand is at it
	again    bool // something was added meanwhile
}

// loop sends hands to the queues that are due.
func (o *Outbox) loop() {
	defer close(o.done)
	var working sync.WaitGroup
	defer working.Wait()
	queues, free := map[queueKey]*queueState{}, hands
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now, next := o.opt.Now(), time.Time{}
		for key, q := range queues {
			switch {
			case q.busy:
			case q.next.After(now):
				if next.IsZero() || q.next.Before(next) {
					next = q.next
				}
			case free > 0:
				free--
				q.busy = true
				failures := q.failures
				working.Go(func() {
					v := o.work(key, failures)
					select {
					case o.ended <- v:
					case <-o.ctx.Done():
					}
				})
			}
		}
		wait := time.Hour // bounds the damage of a clock that is set
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
		timer.Reset(wait)
		select {
		case <-o.ctx.Done():
			return
		case <-timer.C:
		case <-o.wake:
			o.addFresh(queues)
		case v := <-o.ended:
			free++
			q := queues[v.queue]
			q.busy, q.next, q.failures = false, v.next, v.failures
			switch {
			case q.again && v.failures == 0:
				q.again, q.next = false, now
			case v.next.IsZero() && !q.again:
				delete(queues, v.queue)
			}
			q.again = false
		}
	}
}

// addFresh takes note of the queues that Put has added to. One whose
// recipient has just failed stays at rest.
func (o *Outbox) addFresh(queues map[queueKey]*queueState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key := range o.fresh {
		q := queues[key]
		switch {
		case q == nil:
			queues[key] = &queueState{}
		case q.busy:
			q.again = true
		case q.failures == 0:
			q.next = time.Time{}
		}
	}
	clear(o.fresh)
}

// work tells a recipient what waits for it, until nothing does or it fails.
func (o *Outbox) work(key queueKey, failures int) visit {
	for {
		list, next, err := o.due(key, handful)
		if err == nil && len(list) == 0 {
			return visit{key, next, 0}
		}
		var done []entry
		var failed *entry
		for _, e := range list {
			err := o.deliver(o.ctx, e.row)
			if err == nil {
				failures = 0
				done = append(done, e)
				continue
			}
			if o.ctx.Err() != nil {
				break // it was cut off by Close: the next engine tries again
			}
			if o.hopeless(e.row, err) {
				done = append(done, e)
				continue
			}
			failures++
			e.Failures++
			e.After = o.opt.Now().Add(o.opt.backoff(e.Failures)).UTC()
			failed = &e
			break
		}
		if err == nil && (failed != nil || len(done) > 0) {
			err = o.settle(done, failed)
		}
		switch {
		case err != nil:
			o.log.Error("the outbox cannot be read or written", "error", err)
			return visit{key, o.opt.Now().Add(o.opt.backoff(1)), max(failures, 1)}
		case o.ctx.Err() != nil:
			return visit{queue: key}
		case failed != nil:
			return visit{key, o.opt.Now().Add(o.opt.backoff(failures)), failures}
		}
	}
}

// errRefused says that trying again would not help.
var errRefused = errors.New("refused")

func refusedf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errRefused}, args...)...)
}

// hopeless tells whether a notice that could not be delivered is given up, and
// says so in the log; of others the log tells the first failure.
func (o *Outbox) hopeless(r row, err error) bool {
	about := []any{
		"event", r.Notice.Event, "job", r.Notice.JobID, "run", r.Notice.RunID, "to", string(r.To.Kind) + " " + r.To.Name,
		"tries", r.Failures + 1, "error", err,
	}
	age := o.opt.Now().Add(o.opt.backoff(r.Failures + 1)).Sub(r.Created)
	if errors.Is(err, errRefused) || age > lifetime {
		o.log.Error("a notification was given up", about...)
		return true
	}
	if r.Failures == 0 {
		o.log.Warn("a notification could not be delivered, and will be tried again", about...)
	}
	return false
}

// deliver hands a notice to its recipient. Nil: it was taken.
func (o *Outbox) deliver(ctx context.Context, r row) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w, err := o.opt.Workspaces.Workspace(r.To.Namespace)
	if err != nil {
		return err
	}
	m := message{row: r, workspaceID: w.ID, base: o.opt.Base}
	if r.To.Kind == byEmail {
		return o.mail(ctx, m, []string{r.To.Name})
	}
	dest, err := w.Destinations.Resolve(r.To.Name)
	if err != nil {
		if isMissing(err) {
			return refusedf("there is no notification destination %s; make it, and give the job its id", r.To.Name)
		}
		return err
	}
	if c := dest.Config.Email; c != nil {
		return o.mail(ctx, m, c.Addresses)
	}
	return o.post(ctx, m, dest.Config)
}

// Package notify tells people and programs what happened to runs: by e-mail
// through a mail relay, and by requests to notification destinations.
//
// Whom to tell of what is decided in engine/jobrun; this package delivers. The
// engine puts notices into the outbox within the commit that makes them true,
// so that a crash loses none. Each recipient has a queue of its own in the
// store: one that does not answer delays nobody else. A notice is tried until
// it is taken or a day old, and may arrive twice, with the same event id, if
// the process dies between the delivery and writing it down.
//
// The package decides nothing about runs and never reads them. Start reading
// at Put, then loop.go.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
)

// Options are the settings of Start.
type Options struct {
	// Workspaces know the destinations.
	Workspaces *workspace.Set
	// Relay takes e-mail; nil: there is none, and e-mail is not sent.
	Relay *Relay
	// Base is the address that links to runs begin with; empty: no links.
	Base string
	// Log takes what could not be delivered; nil: slog.Default.
	Log *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	// backoff is how long to wait after a number of failures; nil: backoff.
	backoff func(failures int) time.Duration
	// pagerDuty is where PagerDuty's events go; empty: its own address.
	pagerDuty string
}

// Outbox holds what is to be told and delivers it. It is the engine's Outbox.
type Outbox struct {
	store *store.Store
	opt   Options
	log   *slog.Logger
	web   *http.Client

	mu    sync.Mutex        // never held while a transaction is waited for
	added map[queueKey]bool // queues that Put has added to, in a commit under way
	fresh map[queueKey]bool // those of commits that are on disk; the loop has not seen them

	order int64 // of the row that was last put

	wake   chan struct{} // something is fresh
	ended  chan visit
	stop   context.CancelFunc
	ctx    context.Context // over with Close
	done   chan struct{}
	noMail sync.Once
}

// Start opens the outbox of a store and begins to deliver what is in it. Close
// it after the engine and before the store.
func Start(s *store.Store, opt Options) (*Outbox, error) {
	o := &Outbox{store: s, opt: opt, log: opt.Log, added: map[queueKey]bool{}, fresh: map[queueKey]bool{}, web: newClient()}
	if o.log == nil {
		o.log = slog.Default()
	}
	if o.opt.Now == nil {
		o.opt.Now = time.Now
	}
	if o.opt.backoff == nil {
		o.opt.backoff = backoff
	}
	if o.opt.pagerDuty == "" {
		o.opt.pagerDuty = pagerDuty
	}
	queues, err := waiting(s)
	if err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	for _, q := range queues {
		o.fresh[q] = true
	}
	o.wake, o.ended, o.done = make(chan struct{}, 1), make(chan visit), make(chan struct{})
	o.ctx, o.stop = context.WithCancel(context.Background())
	o.Wake()
	go o.loop()
	return o, nil
}

// Close ends the deliveries under way. What was not delivered stays in the
// store for the next Start.
func (o *Outbox) Close() error {
	o.stop()
	<-o.done
	o.web.CloseIdleConnections()
	return nil
}

// Wake begins to deliver what Put has written, now that it is on disk. Before
// that the loop must not hear of it: it would find an empty queue, and forget
// it.
func (o *Outbox) Wake() {
	o.mu.Lock()
	maps.Copy(o.fresh, o.added)
	clear(o.added)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Put writes notices in order, one row for each recipient.
func (o *Outbox) Put(tx *store.Tx, list []jobrun.Notify) error {
	for _, n := range list {
		for _, r := range o.rowsOf(n) {
			q, err := o.put(tx, r)
			if err != nil {
				return err
			}
			o.mu.Lock()
			o.added[q] = true
			o.mu.Unlock()
		}
	}
	return nil
}

// rowsOf makes a notice's rows. They share its event id.
func (o *Outbox) rowsOf(n jobrun.Notify) []row {
	email, webhook := n.Email, n.Webhook
	n.Email, n.Webhook = nil, nil
	if len(email) > 0 && o.opt.Relay == nil {
		email = nil
		o.noMail.Do(func() {
			o.log.Warn("e-mail notifications are not sent: no mail relay is set", "job", n.JobID, "run", n.RunID)
		})
	}
	var rows []row
	id, seen := eventID(), map[recipient]bool{}
	add := func(to recipient) {
		if !seen[to] {
			seen[to] = true
			rows = append(rows, row{Event: id, To: to, Notice: n, Created: o.opt.Now().UTC()})
		}
	}
	for _, address := range email {
		add(recipient{Kind: byEmail, Name: address})
	}
	for _, id := range webhook {
		add(recipient{Kind: toDestination, Namespace: n.Namespace, Name: id})
	}
	return rows
}

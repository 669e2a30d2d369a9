package serving

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Runner brings models up.
type Runner interface {
	// Start runs a model and returns once it can answer. What it says on the way
	// goes to Model.Log. The error says why in the words of whoever refused; the
	// process that was started is gone then.
	Start(ctx context.Context, m Model) (Instance, error)
}

// Model is what to run.
type Model struct {
	Name, Version string
	Dir           string            // its files
	Env           map[string]string // variables for its process
	Log           string            // the file that takes what is said on the way
}

// Instance is a model that answers.
type Instance interface {
	Invoke(ctx context.Context, q Request) (*Answer, error)
	// Done is closed when the instance is gone, whatever the reason.
	Done() <-chan struct{}
	// Stop ends it and returns when it is gone.
	Stop()
}

// Request is a question to a model.
type Request struct {
	ContentType string
	Body        io.Reader
}

// Answer is what a model said.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// backend is the process of one served entity: there or not.
type backend struct {
	mu      sync.Mutex
	inst    Instance
	begins  chan struct{} // closed when the start that runs has ended; nil: none runs
	err     error         // of the last start
	busy    int
	used    time.Time
	retired bool // nothing is to be started any more
}

var errRetired = errors.New("the endpoint has changed or is gone")

// acquire returns a living instance, started if need be; of several that ask
// for it at once one starts it. The caller calls release.
func (b *backend) acquire(ctx context.Context, start func() (Instance, error)) (Instance, error) {
	for {
		b.mu.Lock()
		if b.retired {
			b.mu.Unlock()
			return nil, errRetired
		}
		if b.inst != nil && !ended(b.inst) {
			b.busy++
			inst := b.inst
			b.mu.Unlock()
			return inst, nil
		}
		if begins := b.begins; begins != nil {
			b.mu.Unlock()
			select {
			case <-begins:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			b.mu.Lock()
			err := b.err
			b.mu.Unlock()
			if err != nil {
				return nil, err
			}
			continue
		}
		begins := make(chan struct{})
		b.begins, b.err = begins, nil
		b.mu.Unlock()
		go b.begin(begins, start)
	}
}

// begin starts the instance: whoever asked for it may go away meanwhile.
func (b *backend) begin(begins chan struct{}, start func() (Instance, error)) {
	inst, err := start()
	b.mu.Lock()
	b.inst, b.err, b.begins, b.used = inst, err, nil, time.Now()
	if err != nil {
		b.inst = nil
	}
	retired := b.retired
	b.mu.Unlock()
	close(begins)
	if retired && err == nil {
		inst.Stop()
	}
}

func (b *backend) release() {
	b.mu.Lock()
	b.busy--
	b.used = time.Now()
	stop := b.inst
	if !b.retired || b.busy > 0 {
		stop = nil
	}
	b.mu.Unlock()
	if stop != nil {
		stop.Stop()
	}
}

// rest stops an instance that nobody has asked since a time.
func (b *backend) rest(since time.Time) {
	b.mu.Lock()
	stop := b.inst
	if stop == nil || b.busy > 0 || b.used.After(since) {
		stop = nil
	} else {
		b.inst = nil
	}
	b.mu.Unlock()
	if stop != nil {
		stop.Stop()
	}
}

// retire ends the backend: at once if nobody waits for an answer, else with
// the last one.
func (b *backend) retire() {
	b.mu.Lock()
	b.retired = true
	stop := b.inst
	if b.busy > 0 {
		stop = nil
	}
	b.mu.Unlock()
	if stop != nil {
		stop.Stop()
	}
}

// kill ends the backend now.
func (b *backend) kill() {
	b.mu.Lock()
	b.retired = true
	stop, begins := b.inst, b.begins
	b.mu.Unlock()
	if begins != nil {
		<-begins // begin stops what it has started
	}
	if stop != nil {
		stop.Stop()
	}
}

func ended(i Instance) bool {
	select {
	case <-i.Done():
		return true
	default:
		return false
	}
}

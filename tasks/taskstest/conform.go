package taskstest

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks"
)

// Recorder is a sink that keeps what it hears and lets a test wait for it.
type Recorder struct {
	mu      sync.Mutex
	heard   chan struct{} // closed and renewed at every word
	started bool
	values  map[string]json.RawMessage
	facts   []tasks.Fact
	notes   []string
	log     io.Writer
}

// NewRecorder makes a recorder; what the attempt writes goes to log, if it is not nil.
func NewRecorder(log io.Writer) *Recorder {
	return &Recorder{heard: make(chan struct{}), values: map[string]json.RawMessage{}, log: log}
}

func (r *Recorder) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
	close(r.heard)
	r.heard = make(chan struct{})
}

// Started is part of tasks.Sink, like the methods below.
func (r *Recorder) Started() { r.change(func() { r.started = true }) }

// Log is where the attempt's output goes.
func (r *Recorder) Log() io.Writer { return r.log }

// SetValue keeps a value.
func (r *Recorder) SetValue(key string, v json.RawMessage) error {
	r.change(func() { r.values[key] = v })
	return nil
}

// SetHandle forgets the handle.
func (r *Recorder) SetHandle(string) error { return nil }

// Report keeps a fact.
func (r *Recorder) Report(f tasks.Fact) error {
	r.change(func() { r.facts = append(r.facts, f) })
	return nil
}

// Note keeps a note.
func (r *Recorder) Note(text string) { r.change(func() { r.notes = append(r.notes, text) }) }

// Notes are the notes in the order in which they came.
func (r *Recorder) Notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notes)
}

// Values are the values that were set, by key.
func (r *Recorder) Values() map[string]json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.values)
}

// Facts are the facts of a kind that were reported.
func (r *Recorder) Facts(kind string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, f := range r.facts {
		if f.Kind == kind {
			list = append(list, string(f.Data))
		}
	}
	return list
}

// WaitStarted waits until the user's code has begun.
func (r *Recorder) WaitStarted(ctx context.Context) { r.wait(ctx, func() bool { return r.started }) }

// WaitValue waits until a value is set.
func (r *Recorder) WaitValue(ctx context.Context, key string) {
	r.wait(ctx, func() bool { return r.values[key] != nil })
}

func (r *Recorder) wait(ctx context.Context, ok func() bool) {
	for {
		r.mu.Lock()
		done, heard := ok(), r.heard
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-heard:
		case <-ctx.Done():
			return
		}
	}
}

// Deeds are attempts that Conform asks a runner to run.
type Deeds struct {
	Sets  tasks.Attempt // sets the value "n" to 42 and succeeds
	Fails tasks.Attempt // fails with a message that holds Failure
	Hangs tasks.Attempt // writes Says, sets the value "begun", and then runs until it is stopped
	Bad   tasks.Attempt // its payload is wrong

	Failure string // empty: "boom"
	Says    string // empty: this runner shows no output before the end
}

// Conform holds a runner against what every runner must do. deeds makes fresh
// attempts at each call.
func Conform(t *testing.T, r tasks.Runner, deeds func(t *testing.T) Deeds) {
	t.Run("sets a value", func(t *testing.T) {
		rec := NewRecorder(nil)
		res, err := r.Run(t.Context(), deeds(t).Sets, rec)
		require.NoError(t, err)
		assert.Equal(t, tasks.Success, res.Outcome)
		assert.JSONEq(t, "42", string(rec.Values()["n"]))
		assert.True(t, rec.started)
	})
	t.Run("the user's failure is a result", func(t *testing.T) {
		d := deeds(t)
		if d.Failure == "" {
			d.Failure = "boom"
		}
		res, err := r.Run(t.Context(), d.Fails, NewRecorder(nil))
		require.NoError(t, err)
		assert.Equal(t, tasks.Failed, res.Outcome)
		assert.Contains(t, res.Message, d.Failure)
	})
	t.Run("a wrong job is an Invalid", func(t *testing.T) {
		_, err := r.Run(t.Context(), deeds(t).Bad, NewRecorder(nil))
		var invalid *tasks.Invalid
		require.ErrorAs(t, err, &invalid)
		assert.NotEmpty(t, invalid.Code)
	})
	for _, cause := range []error{tasks.ErrCanceled, tasks.ErrTimedOut} {
		t.Run("stops: "+cause.Error(), func(t *testing.T) {
			res, err := stopWhenBegun(t, r, deeds(t).Hangs, cause)
			require.NoError(t, err)
			assert.Equal(t, tasks.Canceled, res.Outcome)
		})
	}
	t.Run("is canceled before it starts", func(t *testing.T) {
		res, rec, err := runEnded(t, r, deeds(t).Sets, tasks.ErrCanceled)
		require.NoError(t, err)
		assert.Equal(t, tasks.Canceled, res.Outcome)
		assert.Empty(t, rec.Values())
	})
	t.Run("lets go before it starts, and starts later", func(t *testing.T) {
		a := deeds(t).Sets
		_, rec, err := runEnded(t, r, a, tasks.ErrDetach)
		require.ErrorIs(t, err, tasks.ErrDetach)
		assert.Empty(t, rec.Values())
		a.Resumed = true
		rec = NewRecorder(nil)
		res, err := r.Run(t.Context(), a, rec)
		require.NoError(t, err)
		assert.Equal(t, tasks.Success, res.Outcome)
		assert.JSONEq(t, "42", string(rec.Values()["n"]))
	})
	t.Run("reads the end of one that ended unseen", func(t *testing.T) {
		a := deeds(t).Sets
		_, err := r.Run(t.Context(), a, NewRecorder(nil))
		require.NoError(t, err)
		a.Resumed = true
		rec := NewRecorder(nil)
		res, err := r.Run(t.Context(), a, rec)
		require.NoError(t, err)
		assert.Equal(t, tasks.Success, res.Outcome)
		assert.JSONEq(t, "42", string(rec.Values()["n"]), "its values are told again")
	})
	t.Run("shows output before the end", func(t *testing.T) {
		d := deeds(t)
		if d.Says == "" {
			t.Skip("this runner does not")
		}
		ctx, stop := context.WithCancelCause(t.Context())
		log := &watchedLog{want: d.Says, seen: func() { stop(tasks.ErrCanceled) }}
		_, err := r.Run(ctx, d.Hangs, NewRecorder(log))
		require.NoError(t, err)
		assert.Contains(t, log.text.String(), d.Says)
	})
	t.Run("lets go, and attaches again", func(t *testing.T) {
		a := deeds(t).Hangs
		_, err := stopWhenBegun(t, r, a, tasks.ErrDetach)
		require.ErrorIs(t, err, tasks.ErrDetach)
		a.Resumed = true
		res, err := stopWhenBegun(t, r, a, tasks.ErrCanceled)
		require.NoError(t, err)
		assert.Equal(t, tasks.Canceled, res.Outcome, "the same process was stopped")
	})
}

// stopWhenBegun runs an attempt and ends its context as soon as it has set
// the value "begun".
func stopWhenBegun(t *testing.T, r tasks.Runner, a tasks.Attempt, cause error) (tasks.Result, error) {
	ctx, stop := context.WithCancelCause(t.Context())
	rec := NewRecorder(nil)
	go func() {
		rec.WaitValue(ctx, "begun")
		stop(cause)
	}()
	return r.Run(ctx, a, rec)
}

// runEnded runs an attempt with a context that has ended already.
func runEnded(t *testing.T, r tasks.Runner, a tasks.Attempt, cause error) (tasks.Result, *Recorder, error) {
	ctx, end := context.WithCancelCause(t.Context())
	end(cause)
	rec := NewRecorder(nil)
	res, err := r.Run(ctx, a, rec)
	return res, rec, err
}

// watchedLog is an attempt's output that calls seen when it holds want.
type watchedLog struct {
	text strings.Builder
	want string
	seen func()
}

func (w *watchedLog) Write(p []byte) (int, error) {
	w.text.Write(p)
	if strings.Contains(w.text.String(), w.want) {
		w.seen()
	}
	return len(p), nil
}

package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/engine/workspace"
)

// bed is a data directory with a workspace and its admin.
type bed struct {
	home  string
	store *store.Store
	set   *workspace.Set
	ws    *workspace.Workspace
	admin workspace.Identity
	log   *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{home: t.TempDir(), log: &logBuffer{}}
	b.open(t)
	t.Cleanup(func() { b.close(t) })
	return b
}

func (b *bed) open(t *testing.T) {
	t.Helper()
	var err error
	b.store, err = store.Open(b.home, store.Options{NoSync: true})
	require.NoError(t, err)
	b.set, err = workspace.Open(b.store, workspace.Options{ID: "4711", NoSync: true})
	require.NoError(t, err)
	b.ws, err = b.set.Workspace("")
	require.NoError(t, err)
	b.admin, err = b.set.Local("ann@example.com")
	require.NoError(t, err)
}

func (b *bed) close(t *testing.T) {
	t.Helper()
	require.NoError(t, b.set.Close())
	require.NoError(t, b.store.Close())
}

func (b *bed) start(t *testing.T, opt Options) *Outbox {
	t.Helper()
	opt.Workspaces, opt.Log = b.set, slog.New(slog.NewTextHandler(b.log, nil))
	opt.Base = "http://127.0.0.1:8080"
	if opt.backoff == nil {
		opt.backoff = func(int) time.Duration { return time.Millisecond }
	}
	o, err := Start(b.store, opt)
	require.NoError(t, err)
	return o
}

func (b *bed) destination(t *testing.T, config string) string {
	t.Helper()
	d, err := b.ws.Destinations.Create(b.admin, "d", json.RawMessage(config))
	require.NoError(t, err)
	return d.ID
}

// put does what the engine does: notices within a commit, then the wake.
func (b *bed) put(t *testing.T, o *Outbox, list ...jobrun.Notify) {
	t.Helper()
	require.NoError(t, b.store.Update(func(tx *store.Tx) error { return o.Put(tx, list) }))
	o.Wake()
}

// rows counts what is in the outbox.
func (b *bed) rows(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, b.store.View(func(tx *store.Tx) error {
		bk, err := tx.Bucket(bucket)
		bk.Scan(nil, func(_, _ []byte) bool { n++; return true })
		return err
	}))
	return n
}

// left waits until so many rows are in the outbox, and closes it.
func (b *bed) left(t *testing.T, o *Outbox, rows int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.rows(t) == rows }, time.Minute, time.Millisecond)
	require.NoError(t, o.Close())
	require.Equal(t, rows, b.rows(t))
}

func notice(event jobrun.Notice, to ...string) jobrun.Notify {
	return jobrun.Notify{
		Event: event, JobID: 7, JobName: "etl", RunID: 11, Webhook: to, At: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC),
		Status: jobrun.Status{State: jobrun.Terminated, Result: jobrun.Failed, Message: "Task a failed"},
	}
}

// got is a request that a receiver saw.
type got struct {
	header http.Header
	body   string
}

// receiver answers each request with the next of some statuses, then 200.
func receiver(t *testing.T, statuses ...int) (string, <-chan got) {
	t.Helper()
	seen := make(chan got, 10000)
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		status := http.StatusOK
		if len(statuses) > 0 {
			status, statuses = statuses[0], statuses[1:]
		}
		mu.Unlock()
		w.WriteHeader(status)
		seen <- got{r.Header, string(body)}
	}))
	t.Cleanup(s.Close)
	return s.URL, seen
}

func TestWebhook(t *testing.T) {
	b := newBed(t)
	url, seen := receiver(t, 500, 302)
	id := b.destination(t, `{"generic_webhook":{"url":"`+url+`/hook","username":"u","password":"p"}}`)
	o := b.start(t, Options{})
	b.put(t, o, notice(jobrun.OnStart, id, id))
	first, second, third := <-seen, <-seen, <-seen
	assert.JSONEq(t, `{"event_type":"jobs.on_start","workspace_id":"4711","run":{"run_id":"11"},"job":{"job_id":"7","name":"etl"}}`, third.body)
	assert.Equal(t, first.header.Get("webhook-id"), third.header.Get("webhook-id"), "the same event at each try")
	assert.Equal(t, second.body, third.body)
	user, password, _ := (&http.Request{Header: third.header}).BasicAuth()
	assert.Equal(t, "u p", user+" "+password)
	assert.Equal(t, sign("p", third.header.Get("webhook-id"), third.header.Get("webhook-timestamp"), []byte(third.body)), third.header.Get("webhook-signature"))

	task := notice(jobrun.OnFailure, id)
	task.TaskKey, task.RunID, task.ParentRunID = "load", 12, 11
	b.put(t, o, task)
	assert.JSONEq(t, `{"event_type":"jobs.on_failure","workspace_id":"4711","task":{"task_key":"load"},"run":{"run_id":"12","parent_run_id":"11"},"job":{"job_id":"7","name":"etl"}}`, (<-seen).body)
	b.left(t, o, 0)
	assert.Empty(t, seen, "one destination named twice is told once")
	assert.NotContains(t, b.log.String(), "/hook", "addresses may hold secrets")
}

// The example of the Standard Webhooks specification.
func TestSign(t *testing.T) {
	assert.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)))
}

func TestKinds(t *testing.T) {
	b := newBed(t)
	url, seen := receiver(t)
	o := b.start(t, Options{pagerDuty: url})
	n := notice(jobrun.OnFailure)
	n.JobName = "<b> & co"
	for _, config := range []string{`{"slack":{"url":"` + url + `"}}`, `{"microsoft_teams":{"url":"` + url + `"}}`, `{"pagerduty":{"integration_key":"key"}}`} {
		n.Webhook = []string{b.destination(t, config)}
		b.put(t, o, n)
		var body map[string]any
		require.NoError(t, json.Unmarshal([]byte((<-seen).body), &body))
		switch {
		case body["text"] != nil:
			assert.Equal(t, "Run of job \"&lt;b&gt; &amp; co\" failed\nTask a failed\nRun 11 of job 7, at 2026-08-01 12:00:00 UTC\nhttp://127.0.0.1:8080/?o=4711#job/7/run/11", body["text"])
		case body["type"] == "message":
			assert.Contains(t, fmt.Sprint(body["attachments"]), "AdaptiveCard")
		default:
			assert.Equal(t, "key", body["routing_key"])
			assert.Equal(t, "error", body["payload"].(map[string]any)["severity"])
		}
	}
	b.left(t, o, 0)
}

// What was not delivered when the process ended is delivered by the next, in
// order, with its event ids.
func TestRestart(t *testing.T) {
	b := newBed(t)
	url, seen := receiver(t, 503)
	id := b.destination(t, `{"generic_webhook":{"url":"`+url+`"}}`)
	o := b.start(t, Options{backoff: func(int) time.Duration { return time.Hour }})
	b.put(t, o, notice(jobrun.OnStart, id))
	event := (<-seen).header.Get("webhook-id")
	b.put(t, o, notice(jobrun.OnFailure, id))
	require.NoError(t, o.Close())
	require.Equal(t, 2, b.rows(t), "the recipient rests, and so does what came after")
	b.close(t)
	b.open(t)
	o = b.start(t, Options{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	events := []string{(<-seen).header.Get("webhook-id"), (<-seen).header.Get("webhook-id")}
	assert.Contains(t, events, event)
	b.left(t, o, 0)
}

// A wake for something else, while a commit is under way, must not make the
// loop look into the queue too early and forget it.
func TestWakeWithinCommit(t *testing.T) {
	b := newBed(t)
	url, seen := receiver(t)
	id := b.destination(t, `{"generic_webhook":{"url":"`+url+`"}}`)
	o := b.start(t, Options{})
	for range 20 {
		require.NoError(t, b.store.Update(func(tx *store.Tx) error {
			err := o.Put(tx, []jobrun.Notify{notice(jobrun.OnStart, id)})
			for range 200 { // what late wakes of other commits do, long enough for a hand to look
				o.wake <- struct{}{}
				runtime.Gosched()
			}
			return err
		}))
		o.Wake()
		<-seen
	}
	b.left(t, o, 0)
}

// A recipient that hangs holds nobody else up, and Close does not wait for it.
func TestOneHangs(t *testing.T) {
	b := newBed(t)
	begun, release := make(chan struct{}, 100), make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hang.Close()
	defer close(release)
	url, seen := receiver(t)
	dead, alive := b.destination(t, `{"generic_webhook":{"url":"`+hang.URL+`"}}`), b.destination(t, `{"generic_webhook":{"url":"`+url+`"}}`)
	o := b.start(t, Options{})
	for range 50 {
		b.put(t, o, notice(jobrun.OnStart, dead, alive))
	}
	for range 50 {
		<-seen
	}
	<-begun
	require.NoError(t, o.Close())
	assert.GreaterOrEqual(t, b.rows(t), 50, "what was under way stays")
}

// One notice that its recipient never takes does not keep others from it.
func TestPoison(t *testing.T) {
	b := newBed(t)
	seen := make(chan string, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "on_start") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		seen <- string(body)
	}))
	defer s.Close()
	id := b.destination(t, `{"generic_webhook":{"url":"`+s.URL+`"}}`)
	o := b.start(t, Options{})
	b.put(t, o, notice(jobrun.OnStart, id), notice(jobrun.OnSuccess, id), notice(jobrun.OnFailure, id))
	<-seen
	<-seen
	b.left(t, o, 1)
}

func TestGivenUp(t *testing.T) {
	b := newBed(t)
	url, seen := receiver(t, 410, 500)
	id := b.destination(t, `{"generic_webhook":{"url":"`+url+`"}}`)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	o := b.start(t, Options{Now: clock})
	b.put(t, o, notice(jobrun.OnStart, id, "no-such-destination"))
	<-seen
	n := notice(jobrun.OnStart, id)
	require.NoError(t, b.store.Update(func(tx *store.Tx) error { return o.Put(tx, []jobrun.Notify{n}) }))
	mu.Lock()
	now = now.Add(lifetime)
	mu.Unlock()
	o.Wake()
	<-seen
	url2, done := receiver(t)
	b.put(t, o, notice(jobrun.OnStart, b.destination(t, `{"generic_webhook":{"url":"`+url2+`"}}`)))
	<-done
	b.left(t, o, 0)
	assert.Equal(t, 3, strings.Count(b.log.String(), "given up"))
	assert.Contains(t, b.log.String(), "there is no notification destination no-such-destination")
}

func TestNoRelay(t *testing.T) {
	b := newBed(t)
	o := b.start(t, Options{})
	n := notice(jobrun.OnStart)
	n.Email = []string{"a@example.com"}
	b.put(t, o, n, n)
	require.NoError(t, o.Close())
	assert.Zero(t, b.rows(t))
	assert.Equal(t, 1, strings.Count(b.log.String(), "no mail relay is set"))
}

func TestBackoff(t *testing.T) {
	assert.Equal(t, 10*time.Second, backoff(1))
	assert.Equal(t, 40*time.Second, backoff(3))
	assert.Equal(t, 30*time.Minute, backoff(1000))
}

func TestCanceledDeliver(t *testing.T) {
	b := newBed(t)
	o := b.start(t, Options{})
	defer o.Close() //nolint:errcheck // never fails
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	id := b.destination(t, `{"slack":{"url":"http://127.0.0.1:1/secret-path"}}`)
	err := o.deliver(ctx, row{To: recipient{toDestination, "", id}, Notice: notice(jobrun.OnStart)})
	require.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), "secret-path")
}

package serving

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/store"
	"flowctl/engine/workspace"
)

// echo is a small model server: a real process that answers with its version,
// and whose life is its standard input.
const echo = `
import http.server, sys, threading, os
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = sys.argv[1].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print("127.0.0.1:%d" % s.server_address[1], flush=True)
s.serve_forever()
`

// pythons runs echo for every model; those whose name begins with bad do not
// come up.
type pythons struct {
	mu     sync.Mutex
	starts []string
	gate   chan struct{} // nil: nothing waits
}

type python struct {
	addr string
	life io.Closer
	done chan struct{}
}

func (p *pythons) Start(ctx context.Context, m Model) (Instance, error) {
	p.mu.Lock()
	p.starts = append(p.starts, m.Name+"/"+m.Version)
	p.mu.Unlock()
	if p.gate != nil {
		select {
		case <-p.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if strings.HasPrefix(m.Name, "bad") {
		return nil, errors.New("no module named torch")
	}
	cmd := exec.Command("python3", "-c", echo, m.Name+"/"+m.Version)
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	i := &python{addr: strings.TrimSpace(line), life: life, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // that it ended is all
		close(i.done)
	}()
	return i, err
}

func (i *python) Invoke(ctx context.Context, q Request) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.addr, q.Body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return &Answer{Status: resp.StatusCode, Body: body}, err
}

func (i *python) Done() <-chan struct{} { return i.done }

func (i *python) Stop() {
	_ = i.life.Close()
	<-i.done
}

func open(t *testing.T, home string, p *pythons) (*Endpoints, func()) {
	t.Helper()
	s, err := store.Open(home, store.Options{})
	require.NoError(t, err)
	e, err := Open(s, Options{Runner: p, Files: func(_ context.Context, model, version string) (string, error) {
		if version == "99" {
			return "", &workspace.Error{Code: workspace.DoesNotExist, Message: "no version 99 of " + model}
		}
		return "/", nil
	}})
	require.NoError(t, err)
	once := sync.OnceFunc(func() {
		assert.NoError(t, e.Close())
		assert.NoError(t, s.Close())
	})
	t.Cleanup(once)
	return e, once
}

func config(entities ...string) *Config {
	c := &Config{}
	for _, e := range entities {
		model, version, _ := strings.Cut(e, "/")
		c.Entities = append(c.Entities, Entity{EntityName: model, EntityVersion: version})
	}
	return c
}

func ask(t *testing.T, e *Endpoints, name, entity string) (body, by string) {
	t.Helper()
	ans, by, err := e.Invoke(t.Context(), "", name, entity, Request{Body: bytes.NewReader([]byte("{}"))})
	require.NoError(t, err)
	return string(ans.Body), by
}

func settled(t *testing.T, e *Endpoints, name string) Endpoint {
	t.Helper()
	var ep Endpoint
	require.Eventually(t, func() bool {
		var err error
		ep, err = e.Get("", name)
		return err == nil && ep.Pending == nil
	}, 30*time.Second, 5*time.Millisecond)
	return ep
}

func TestSharesAreExact(t *testing.T) {
	e, _ := open(t, t.TempDir(), &pythons{})
	c := config("m/1", "m/2")
	c.Routes = []Route{{Entity: "m-1", Percent: 90}, {Entity: "m-2", Percent: 10}}
	_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: "ep"}, c)
	require.NoError(t, err)
	ep := settled(t, e, "ep")
	require.NotNil(t, ep.Config)
	seen := map[string]int{}
	for range 200 {
		body, by := ask(t, e, "ep", "")
		seen[body]++
		assert.Equal(t, strings.ReplaceAll(body, "/", "-"), by)
	}
	assert.Equal(t, map[string]int{"m/1": 180, "m/2": 20}, seen)
	assert.Equal(t, int64(180), e.Counts(ep)["m-1"].Requests)
	body, _ := ask(t, e, "ep", "m-2")
	assert.Equal(t, "m/2", body, "asked by name")
}

// Several models load at once: none waits for another.
func TestStartsAtOnce(t *testing.T) {
	p := &pythons{gate: make(chan struct{})}
	e, _ := open(t, t.TempDir(), p)
	c := config("m/1", "bad/2")
	c.Routes = []Route{{Entity: "m-1", Percent: 90}, {Entity: "bad-2", Percent: 10}}
	_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: "ep"}, c)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.starts) == 2
	}, 30*time.Second, 5*time.Millisecond)
	close(p.gate)
	ep := settled(t, e, "ep")
	require.NotNil(t, ep.Failed)
	assert.Empty(t, ep.Failed.Entities[0].Error)
	assert.Equal(t, "no module named torch", ep.Failed.Entities[1].Error)
}

// What answers goes on to answer while its successor starts, and if that fails.
func TestUpdateThatFails(t *testing.T) {
	p := &pythons{}
	e, _ := open(t, t.TempDir(), p)
	_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: "ep"}, config("m/1"))
	require.NoError(t, err)
	settled(t, e, "ep")
	p.gate = make(chan struct{})
	_, err = e.UpdateConfig(t.Context(), "", "ep", config("bad/1"))
	require.NoError(t, err)
	_, err = e.UpdateConfig(t.Context(), "", "ep", config("m/2"))
	require.ErrorContains(t, err, "is being updated")
	body, _ := ask(t, e, "ep", "")
	assert.Equal(t, "m/1", body)
	close(p.gate)
	ep := settled(t, e, "ep")
	require.NotNil(t, ep.Failed)
	assert.Equal(t, "no module named torch", ep.Failed.Entities[0].Error)
	body, _ = ask(t, e, "ep", "")
	assert.Equal(t, "m/1", body)
	_, err = e.UpdateConfig(t.Context(), "", "ep", config("m/2"))
	require.NoError(t, err)
	ep = settled(t, e, "ep")
	assert.Nil(t, ep.Failed)
	assert.Equal(t, int64(3), ep.Config.Version)
	body, _ = ask(t, e, "ep", "")
	assert.Equal(t, "m/2", body)
}

func TestCreateThatFails(t *testing.T) {
	e, _ := open(t, t.TempDir(), &pythons{})
	_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: "ep"}, config("bad/1"))
	require.NoError(t, err)
	require.NotNil(t, settled(t, e, "ep").Failed)
	_, _, err = e.Invoke(t.Context(), "", "ep", "", Request{Body: strings.NewReader("{}")})
	require.ErrorContains(t, err, "bad-1 could not be started: no module named torch")
	require.NoError(t, e.Delete("", "ep"))
	_, err = e.Get("", "ep")
	require.ErrorContains(t, err, "does not exist")
}

// A model that rests, one that was killed, and one of a process that is gone
// start again when somebody asks.
func TestStartsAgain(t *testing.T) {
	home, p := t.TempDir(), &pythons{}
	e, closeAll := open(t, home, p)
	_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: "ep"}, config("m/1"))
	require.NoError(t, err)
	ep := settled(t, e, "ep")
	e.rest(time.Now().Add(time.Hour))
	assert.Nil(t, e.backends[ep.Config.Entities[0].key(ep.ID)].inst, "nobody has asked for an hour")
	ask(t, e, "ep", "")
	e.backends[ep.Config.Entities[0].key(ep.ID)].inst.Stop()
	ask(t, e, "ep", "")
	assert.Equal(t, []string{"m/1", "m/1", "m/1"}, p.starts)
	closeAll()

	e, _ = open(t, home, &pythons{})
	body, _ := ask(t, e, "ep", "")
	assert.Equal(t, "m/1", body)
}

// An update that a process did not live to finish is finished by the next.
func TestUpdateIsTakenUp(t *testing.T) {
	home := t.TempDir()
	e, closeAll := open(t, home, &pythons{gate: make(chan struct{})})
	_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: "ep"}, config("m/1"))
	require.NoError(t, err)
	closeAll()
	e, _ = open(t, home, &pythons{})
	require.NotNil(t, settled(t, e, "ep").Config)
}

func TestRefusals(t *testing.T) {
	e, _ := open(t, t.TempDir(), &pythons{})
	external := config("m/1")
	external.Entities[0].ExternalModel = []byte(`{"provider":"openai"}`)
	short := config("m/1")
	short.Routes = []Route{{Entity: "m-1", Percent: 90}}
	stranger := config("m/1")
	stranger.Routes = []Route{{Entity: "other", Percent: 100}}
	for _, c := range []struct {
		name   string
		config *Config
		want   string
	}{
		{"a b", config("m/1"), "is no name for a serving endpoint"},
		{"ep", config(), "served_entities is empty"},
		{"ep", config("/1"), "entity_name is missing"},
		{"ep", config("m/"), "entity_version is missing"},
		{"ep", config("m/champion"), "an alias or a stage is not taken"},
		{"ep", config("m/99"), "config.served_entities[0]: no version 99 of m"},
		{"ep", config("system.ai.llama/1"), "foundation models are not served here"},
		{"ep", external, "external models are not served here"},
		{"ep", config("m/1", "m/2"), "traffic_config is missing"},
		{"ep", config("m/1", "m/1"), `has "m-1" twice`},
		{"ep", short, "add up to 90, not 100"},
		{"ep", stranger, "no served entity; there are m-1"},
	} {
		_, err := e.Create(t.Context(), "", "ann", Endpoint{Name: c.name}, c.config)
		assert.ErrorContains(t, err, c.want)
	}
}

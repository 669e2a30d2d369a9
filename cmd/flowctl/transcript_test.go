package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/databricks/workspacetest"
)

// transcript notes what the commands of a test ask their workspace.
type transcript struct {
	t     *testing.T
	mu    sync.Mutex
	lines []string
}

func record(t *testing.T, d *runningDaemon) *transcript {
	t.Helper()
	target, err := url.Parse(d.url)
	require.NoError(t, err)
	proxy, rec := httputil.NewSingleHostReverseProxy(target), &transcript{t: t}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		rec.note(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	t.Setenv("DATABRICKS_HOST", web.URL)
	return rec
}

// varying are the parts of a request that differ from run to run.
var varying = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`flowctl submit [0-9a-f-]{13}`), "flowctl submit TOKEN"},
	{regexp.MustCompile(`\b[0-9a-f]{20,24}\b`), "HASH"},
	{regexp.MustCompile(`\b[2-9]\d{14}\b`), "ID"},
	{regexp.MustCompile(`/Users/[^/]+/`), "/Users/USER/"},
	{regexp.MustCompile(`"user_name": "[^"]*"`), `"user_name": "USER"`},
}

// note writes a request down as a block of lines. The content of files is
// their size, a manifest's is left out: it follows from them.
func (r *transcript) note(q *http.Request, body []byte) {
	line := q.Method + " " + q.URL.Path
	if query, err := url.QueryUnescape(q.URL.RawQuery); err == nil && query != "" {
		line += "?" + query
	}
	if len(body) > 0 {
		unknown, err := workspacetest.Unknown(q.URL.Path, body)
		assert.NoError(r.t, err)
		assert.Empty(r.t, unknown, "the official schema does not know it: %s %s", q.URL.Path, body)
		var v map[string]any
		assert.NoError(r.t, json.Unmarshal(body, &v), line)
		if content, ok := v["content"].(string); ok {
			raw, err := base64.StdEncoding.DecodeString(content)
			assert.NoError(r.t, err)
			v["content"] = fmt.Sprintf("%d bytes", len(raw))
			if strings.HasSuffix(fmt.Sprint(v["path"]), "manifest.json") {
				v["content"] = "..."
			}
		}
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetIndent("  ", "  ")
		enc.SetEscapeHTML(false)
		assert.NoError(r.t, enc.Encode(v))
		line += "\n  " + strings.TrimSpace(text.String())
	}
	for _, v := range varying {
		line = v.re.ReplaceAllString(line, v.to)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// poll begins every look at a run.
const poll = "GET /api/2.2/jobs/runs/get?"

// take returns what was noted since it was last called: the requests, those
// that go side by side sorted, and without their polls, whose number is that
// of the machine's speed.
func (r *transcript) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list, side []string
	flush := func() {
		slices.Sort(side)
		list, side = append(list, side...), nil
	}
	polled := false
	for _, line := range r.lines {
		switch {
		case strings.HasPrefix(line, poll):
			if !polled {
				flush()
				list = append(list, line+" (and again until it has ended)")
			}
			polled = true
			continue
		case strings.HasPrefix(line, "POST /api/2.0/workspace/import"), strings.HasPrefix(line, "GET /api/2.2/jobs/runs/get-output"):
			side = append(side, line)
			continue
		}
		flush()
		list = append(list, line)
		polled = polled && !strings.Contains(line, "/submit")
	}
	flush()
	r.lines = nil
	return list
}

// golden holds requests against testdata/transcripts.
func golden(t *testing.T, name string, requests []string) {
	t.Helper()
	file := filepath.Join("testdata", "transcripts", name+".txt")
	got := strings.Join(requests, "\n") + "\n"
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s; make update rewrites it", file)
}

// What submit, deploy and a hybrid run ask a workspace for is written down,
// and with it how often they do.
func TestTranscripts(t *testing.T) {
	d := onDaemon(t)
	rec := record(t, d)
	home, dir := t.TempDir(), jobFolder(t, crossing)
	file := filepath.Join(dir, "job.json")
	do := func(name string, args ...string) []string {
		t.Helper()
		status, _, log := flowctl(home, args...)
		require.Equal(t, 0, status, log)
		requests := rec.take()
		golden(t, name, requests)
		return requests
	}
	do("submit", "submit", file, "--only", "first,there")
	do("hybrid", "run", file, "--remote", "there")
	again := do("hybrid-again", "run", file, "--remote", "there")
	again = slices.DeleteFunc(again, func(q string) bool { return strings.HasPrefix(q, poll) })
	assert.LessOrEqual(t, len(again), 1+3, "besides one look at the code and the polls, three for each remote task")
	do("deploy", "deploy", file)
	do("deploy-again", "deploy", file)

	source := strings.Replace(crossing["job.json"], `{"name": "crossing",`, `{"name": "crossing", "permissions": [{"group_name": "users", "level": "CAN_VIEW"}], "timeout_seconds": 60,`, 1)
	require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
	do("deploy-settings", "deploy", file)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "plus.py"), []byte("def plus(n):\n    return n + 3\n"), 0o600))
	do("deploy-code", "deploy", file, "--prune")
}

// Two thousand files that have not changed cost less than a request for each
// hundred of them.
func TestManyUnchangedFiles(t *testing.T) {
	d := onDaemon(t)
	rec := record(t, d)
	files := map[string]string{"main.py": "print(1)\n", "job.json": `{"name": "big", "tasks": [{"task_key": "a", "spark_python_task": {"python_file": "main.py"}}]}`}
	for i := range 2000 {
		files[fmt.Sprintf("p%d/f%d.py", i%20, i)] = fmt.Sprint("x = ", i)
	}
	home, file := t.TempDir(), filepath.Join(jobFolder(t, files), "job.json")
	for range 2 {
		rec.take()
		status, _, log := flowctl(home, "submit", file)
		require.Equal(t, 0, status, log)
	}
	requests := rec.take()
	assert.Less(t, len(requests), 20, "%v", requests)
}

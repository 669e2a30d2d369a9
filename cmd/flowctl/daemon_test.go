package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	sdksettings "github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/store"
)

// runningDaemon is flowctl daemon in this process, on a data directory.
type runningDaemon struct {
	home, url string
	stop      context.CancelFunc
	status    chan int
	log       chan string // all of it, when it has ended
}

var listening = regexp.MustCompile(`msg=listening url=(\S+)`)

// startDaemon starts a daemon and waits until it listens.
func startDaemon(t *testing.T, home string, args ...string) *runningDaemon {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &runningDaemon{home: home, stop: cancel, status: make(chan int, 1), log: make(chan string, 1)}
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		args := append([]string{"--home", home, "daemon", "--listen", "127.0.0.1:0"}, args...)
		d.status <- execute(ctx, args, strings.NewReader(""), io.Discard, w)
		_ = w.Close()
	}()
	url := make(chan string, 1)
	go func() {
		var all strings.Builder
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				url <- m[1]
			}
		}
		close(url)
		d.log <- all.String()
	}()
	d.url = <-url
	if d.url == "" {
		cancel()
		t.Fatal(<-d.log)
	}
	t.Cleanup(func() {
		d.stop()
		<-ended
	})
	return d
}

// end stops the daemon as a signal would, and returns its exit status and log.
func (d *runningDaemon) end() (int, string) {
	d.stop()
	return <-d.status, <-d.log
}

func (d *runningDaemon) client(t *testing.T) *databricks.WorkspaceClient {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(d.home, "token"))
	require.NoError(t, err)
	w, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: d.url, Token: strings.TrimSpace(string(token)), AuthType: "pat", ConfigFile: "/dev/null",
	})
	require.NoError(t, err)
	return w
}

func upload(t *testing.T, w *databricks.WorkspaceClient, path, source string) {
	t.Helper()
	require.NoError(t, w.Workspace.Import(t.Context(), workspace.Import{
		Path: path, Content: base64.StdEncoding.EncodeToString([]byte(source)), Format: workspace.ImportFormatAuto, Overwrite: true,
	}))
}

// A job that a client uploads runs, its tasks speak to the API as their user,
// and read that user's secrets.
func TestDaemonRunsUploadedJobs(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	w := d.client(t)
	ctx := t.Context()
	me, err := w.CurrentUser.Me(ctx, iam.MeRequest{})
	require.NoError(t, err)
	require.NoError(t, w.Secrets.CreateScope(ctx, workspace.CreateScope{Scope: "db"}))
	require.NoError(t, w.Secrets.PutSecret(ctx, workspace.PutSecret{Scope: "db", Key: "word", StringValue: "s3same"}))
	upload(t, w, "/Users/"+me.UserName+"/first.py", "# Databricks notebook source\n"+
		"dbutils.jobs.taskValues.set('n', 41)\nassert dbutils.secrets.get('db', 'word') == 's3same'\n"+
		"dbutils.notebook.exit('who ' + dbutils.widgets.get('who'))\n")
	upload(t, w, "/Users/"+me.UserName+"/second.py", "import json, os, sys, urllib.request\n"+
		"req = urllib.request.Request(os.environ['DATABRICKS_HOST'] + '/api/2.0/preview/scim/v2/Me', headers={'Authorization': 'Bearer ' + os.environ['DATABRICKS_TOKEN']})\n"+
		"print(int(sys.argv[1]) + 1, json.load(urllib.request.urlopen(req))['userName'])\n")
	job, err := w.Jobs.Create(ctx, jobs.CreateJob{
		Name: "etl", Parameters: []jobs.JobParameterDefinition{{Name: "who", Default: "you"}},
		Tasks: []jobs.Task{
			{TaskKey: "first", NotebookTask: &jobs.NotebookTask{NotebookPath: "/Users/" + me.UserName + "/first"}},
			{
				TaskKey: "second", DependsOn: []jobs.TaskDependency{{TaskKey: "first"}},
				SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Users/" + me.UserName + "/second.py", Parameters: []string{"{{tasks.first.values.n}}"}},
			},
		},
	})
	require.NoError(t, err)
	wait, err := w.Jobs.RunNow(ctx, jobs.RunNow{JobId: job.JobId, JobParameters: map[string]string{"who": "me"}})
	require.NoError(t, err)
	run, err := wait.GetWithTimeout(time.Minute)
	require.NoError(t, err)
	require.Equal(t, jobs.RunResultStateSuccess, run.State.ResultState, run.State.StateMessage)
	assert.Equal(t, d.url+"/?o="+workspaceID, strings.Split(run.RunPageUrl, "#")[0])
	out, err := w.Jobs.GetRunOutputByRunId(ctx, run.Tasks[0].RunId)
	require.NoError(t, err)
	assert.Equal(t, "who me", out.NotebookOutput.Result)
	page, err := w.Jobs.ExportRun(ctx, jobs.ExportRunRequest{RunId: run.Tasks[0].RunId})
	require.NoError(t, err)
	require.Len(t, page.Views, 1)
	assert.Contains(t, page.Views[0].Content, "dbutils.notebook.exit(&#39;who &#39;")
	model := regexp.MustCompile(`__DATABRICKS_NOTEBOOK_MODEL = '([^']+)'`).FindStringSubmatch(page.Views[0].Content)
	require.NotNil(t, model)
	quoted, err := base64.StdEncoding.DecodeString(model[1])
	require.NoError(t, err)
	book, err := url.PathUnescape(string(quoted))
	require.NoError(t, err)
	assert.Contains(t, book, `"commands":[{"command":"dbutils.jobs.taskValues`)
	_, err = w.Jobs.ExportRun(ctx, jobs.ExportRunRequest{RunId: run.Tasks[1].RunId})
	assert.ErrorContains(t, err, "only notebook runs can be exported")
	out, err = w.Jobs.GetRunOutputByRunId(ctx, run.Tasks[1].RunId)
	require.NoError(t, err)
	assert.Equal(t, "42 "+me.UserName+"\n", out.Logs)

	resp, err := http.Get(d.url + "/healthz")
	require.NoError(t, err)
	_ = resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	numbers := d.metrics(t)
	assert.Contains(t, numbers, `flowctl_runs_total{result="SUCCESS"} 1`)
	assert.Contains(t, numbers, `flowctl_attempts_total{result="SUCCESS"} 2`)
	assert.Contains(t, numbers, "flowctl_runs_active 0")
	status, log := d.end()
	assert.Equal(t, 0, status, log)
}

func (d *runningDaemon) metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, d.url+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	token, err := os.ReadFile(filepath.Join(d.home, "token"))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

// What runs when the daemon stops goes on, and the next one follows it to its
// end; a queued run is admitted then.
func TestDaemonAdoptsWhatRuns(t *testing.T) {
	home := t.TempDir()
	gate := filepath.Join(t.TempDir(), "gate")
	require.NoError(t, syscall.Mkfifo(gate, 0o600))
	d := startDaemon(t, home)
	w := d.client(t)
	ctx := t.Context()
	upload(t, w, "/Shared/wait.py", "open('"+gate+"').read()\nprint('went on')\n")
	job, err := w.Jobs.Create(ctx, jobs.CreateJob{
		Name: "long", Queue: &jobs.QueueSettings{Enabled: true},
		Tasks: []jobs.Task{{TaskKey: "a", SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/wait.py"}}},
	})
	require.NoError(t, err)
	first, err := w.Jobs.RunNow(ctx, jobs.RunNow{JobId: job.JobId})
	require.NoError(t, err)
	second, err := w.Jobs.RunNow(ctx, jobs.RunNow{JobId: job.JobId, IdempotencyToken: "once"})
	require.NoError(t, err)
	open, err := os.OpenFile(gate, os.O_WRONLY, 0) // returns when the task reads
	require.NoError(t, err)
	status, log := d.end()
	require.Equal(t, 0, status, log)

	d = startDaemon(t, home)
	w = d.client(t)
	again, err := w.Jobs.RunNow(ctx, jobs.RunNow{JobId: job.JobId, IdempotencyToken: "once"})
	require.NoError(t, err)
	assert.Equal(t, second.RunId, again.RunId)
	waiting, err := w.Jobs.GetRun(ctx, jobs.GetRunRequest{RunId: second.RunId})
	require.NoError(t, err)
	assert.Equal(t, jobs.RunLifeCycleStateQueued, waiting.State.LifeCycleState)
	require.NoError(t, open.Close())
	run, err := w.Jobs.WaitGetRunJobTerminatedOrSkipped(ctx, first.RunId, time.Minute, nil)
	require.NoError(t, err)
	assert.Equal(t, jobs.RunResultStateSuccess, run.State.ResultState, run.State.StateMessage)
	assert.Zero(t, run.Tasks[0].AttemptNumber, "it was not begun again")
	open, err = os.OpenFile(gate, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, open.Close())
	run, err = w.Jobs.WaitGetRunJobTerminatedOrSkipped(ctx, second.RunId, time.Minute, nil)
	require.NoError(t, err)
	assert.Equal(t, jobs.RunResultStateSuccess, run.State.ResultState, run.State.StateMessage)
	d.end()
}

// Flags that would harm are refused before anything is opened.
func TestDaemonRefusals(t *testing.T) {
	for want, args := range map[string][]string{
		"can be reached by others": {"--listen", "0.0.0.0:0"},
		"HOST:PORT":                {"--listen", "8080"},
		"go together":              {"--tls-cert", "x.pem"},
		"text and json are known":  {"--log-format", "xml"},
		"--log-level loud":         {"--log-level", "loud"},
		"no such file":             {"--tls-cert", "x.pem", "--tls-key", "y.pem"},
	} {
		var stderr strings.Builder
		home := filepath.Join(t.TempDir(), "home")
		status := execute(t.Context(), append([]string{"--home", home, "daemon"}, args...), strings.NewReader(""), io.Discard, &stderr)
		assert.Equal(t, exitUsage, status, args)
		assert.Contains(t, stderr.String(), want)
		assert.NoDirExists(t, home)
	}
	d := startDaemon(t, t.TempDir())
	var stderr strings.Builder
	status := execute(t.Context(), []string{"--home", d.home, "daemon", "--listen", "127.0.0.1:0"}, strings.NewReader(""), io.Discard, &stderr)
	assert.Equal(t, exitUnable, status)
	assert.Contains(t, stderr.String(), "in use by another flowctl")
}

// A daemon waits for a command that has its data directory, as one does that
// took over from a daemon that died.
func TestDaemonWaitsForACommand(t *testing.T) {
	home := t.TempDir()
	e := &env{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	holder, err := e.openApp(home, appOptions{})
	require.NoError(t, err)
	waits := make(chan struct{})
	log := slog.New(slog.NewTextHandler(writes(func(line string) {
		if strings.Contains(line, "waiting for a command") {
			close(waits)
		}
	}), nil))
	opened := make(chan error, 1)
	go func() {
		a, err := e.openInTurn(t.Context(), home, log, appOptions{base: "http://127.0.0.1:1"})
		if err == nil {
			err = a.close()
		}
		opened <- err
	}()
	<-waits
	require.NoError(t, holder.close())
	require.NoError(t, <-opened)

	holder, err = e.openApp(home, appOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, holder.close()) }()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = e.openInTurn(ctx, home, slog.New(slog.DiscardHandler), appOptions{})
	assert.ErrorIs(t, err, store.ErrInUse, "one that is told to stop does not wait")
}

// writes is a writer that hands on what is written.
type writes func(string)

func (w writes) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// Ended runs go when they are old; what goes on, and what is young, stays.
func TestRetention(t *testing.T) {
	home := t.TempDir()
	var out, stderr strings.Builder
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &stderr}
	a, err := e.openApp(home, appOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.close()) }()
	id, err := a.engine.Submit(t.Context(), submitCondition())
	require.NoError(t, err)
	_, err = a.engine.Wait(t.Context(), id)
	require.NoError(t, err)
	n, err := a.deleteOld(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = a.deleteOld(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = a.engine.Run(t.Context(), id)
	assert.ErrorContains(t, err, "does not exist")
}

func submitCondition() engine.SubmitRequest {
	return engine.SubmitRequest{Source: []byte(`{"tasks":[{"task_key":"a","condition_task":{"op":"EQUAL_TO","left":"1","right":"1"}}]}`)}
}

// A failed run is told to the destination that its job names.
func TestDaemonNotifies(t *testing.T) {
	told := make(chan string, 4)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing shows below
		told <- string(body)
	}))
	defer hook.Close()
	d := startDaemon(t, t.TempDir())
	w := d.client(t)
	dest, err := w.NotificationDestinations.Create(t.Context(), sdksettings.CreateNotificationDestinationRequest{
		DisplayName: "hook", Config: &sdksettings.Config{GenericWebhook: &sdksettings.GenericWebhookConfig{Url: hook.URL}},
	})
	require.NoError(t, err)
	run, err := w.Jobs.Submit(t.Context(), jobs.SubmitRun{
		RunName: "broken", WebhookNotifications: &jobs.WebhookNotifications{OnFailure: []jobs.Webhook{{Id: dest.Id}}},
		Tasks: []jobs.SubmitTask{{TaskKey: "a", SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/nothing.py"}}},
	})
	require.NoError(t, err)
	body := <-told
	assert.Contains(t, body, `"event_type":"jobs.on_failure"`)
	assert.Contains(t, body, strconv.FormatInt(run.RunId, 10))
}

func TestWhereTriggersLook(t *testing.T) {
	for path, want := range map[string]string{
		"/Volumes/main/default/in/": "/h/fs/volumes/main/default/in", "dbfs:/in": "/h/fs/dbfs/in", "/Volumes/../../etc": "/h/fs/volumes/etc",
		"file:///data/in": "/data/in", "/data/in/": "/data/in", "s3://bucket/in": "", "relative": "",
	} {
		got, err := localPath("/h/fs", path)
		assert.Equal(t, want, got, path)
		assert.Equal(t, want == "", err != nil, path)
	}
	for name, want := range map[string]string{
		"main.sales.orders": "/h/spark/warehouse/main/sales/orders", "`Sales`.orders": "/h/spark/warehouse/hive_metastore/sales/orders",
		"orders": "/h/spark/warehouse/hive_metastore/default/orders", "dbfs:/t": "/h/fs/dbfs/t", "a.b.c.d": "", "a..b": "",
	} {
		got, err := localTable("/h", name)
		assert.Equal(t, want, got, name)
		assert.Equal(t, want == "", err != nil, name)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// between stands between a command and the daemon that it takes for its
// workspace: it notes what was written, and can lose an answer.
type between struct {
	mu     sync.Mutex
	writes []string
	lose   string               // of the next request whose path ends in it: the answer
	cut    func(write int) bool // whether the answer of this write is lost; nil: never
	after  func()               // called before an answer is lost; may be nil
}

func (b *between) before(t *testing.T, d *runningDaemon) {
	t.Helper()
	target, err := url.Parse(d.url)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		var after func()
		lost := b.lose != "" && strings.HasSuffix(r.URL.Path, b.lose)
		if lost {
			b.lose = ""
		}
		if r.Method != http.MethodGet {
			b.writes = append(b.writes, r.Method+" "+r.URL.Path)
			lost, after = lost || b.cut != nil && b.cut(len(b.writes)), b.after
		}
		b.mu.Unlock()
		if lost {
			proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
			if after != nil {
				after()
			}
			panic(http.ErrAbortHandler) // the connection is cut
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	t.Setenv("DATABRICKS_HOST", web.URL)
}

// cutting sets which answers are lost from here on, and what is called before.
func (b *between) cutting(cut func(write int) bool, after func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut, b.after = cut, after
}

func (b *between) written() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.writes
	b.writes = nil
	return list
}

// A job is made once, changed only where the file or the code changed, and
// what others changed is shown and not lost.
func TestDeploy(t *testing.T) {
	d := onDaemon(t)
	w := d.client(t)
	b := &between{}
	b.before(t, d)
	home := t.TempDir()
	dir := jobFolder(t, crossing)
	file := filepath.Join(dir, "job.json")

	status, out, errs := flowctl(home, "deploy", file, "--plan")
	require.Equal(t, 0, status, errs)
	assert.Contains(t, out, `The job "crossing" will be made.`)
	assert.Empty(t, b.written(), "a plan writes nothing")

	b.lose = "/jobs/create"
	status, out, errs = flowctl(home, "deploy", file)
	require.Equal(t, 0, status, errs)
	assert.Contains(t, errs, "did not answer")
	id, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	require.NoError(t, err)
	list, err := w.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
	require.NoError(t, err)
	require.Len(t, list, 1, "though the answer to its creation was lost")
	b.written()

	status, out, errs = flowctl(home, "deploy", file)
	require.Equal(t, 0, status, errs)
	assert.Equal(t, strconv.FormatInt(id, 10)+"\n", out)
	assert.Empty(t, b.written(), "the second deployment writes nothing")
	assert.Contains(t, errs, "Nothing to do")

	run, err := w.Jobs.RunNow(t.Context(), jobs.RunNow{JobId: id, Only: []string{"first", "there"}})
	require.NoError(t, err)
	ended, err := run.Get()
	require.NoError(t, err)
	assert.Equal(t, jobs.RunResultStateSuccess, ended.State.ResultState, "it runs there, with the code that went along: %s", ended.State.StateMessage)

	// Somebody changes the job on the workspace.
	require.NoError(t, w.Jobs.Update(t.Context(), jobs.UpdateJob{JobId: id, NewSettings: &jobs.JobSettings{TimeoutSeconds: 77, Tags: nil}}))
	status, out, errs = flowctl(home, "deploy", file, "--plan", "-o", "json")
	require.Equal(t, 0, status, errs)
	var plan struct{ Changes, Drift []struct{ Path string } }
	require.NoError(t, json.Unmarshal([]byte(out), &plan), out)
	require.Len(t, plan.Drift, 1, out)
	assert.Equal(t, "timeout_seconds", plan.Drift[0].Path)
	require.Len(t, plan.Changes, 1, "exactly that change")
	status, _, errs = flowctl(home, "deploy", file)
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, errs, "- timeout_seconds: 77")
	assert.Contains(t, errs, "--force")
	assert.Empty(t, b.written())
	status, _, errs = flowctl(home, "deploy", file, "--force")
	require.Equal(t, 0, status, errs)
	job, err := w.Jobs.GetByJobId(t.Context(), id)
	require.NoError(t, err)
	assert.Zero(t, job.Settings.TimeoutSeconds)

	// The file and the code change.
	source := strings.Replace(crossing["job.json"], `{"name": "crossing",`, `{"name": "crossing", "schedule": {"quartz_cron_expression": "0 0 5 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"}, "permissions": [{"group_name": "users", "level": "CAN_VIEW"}],`, 1)
	require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "plus.py"), []byte("def plus(n):\n    return n + 2\n"), 0o600))
	status, out, errs = flowctl(home, "deploy", file, "--plan")
	require.Equal(t, 0, status, errs)
	assert.Contains(t, out, "+ schedule\n")
	assert.Contains(t, out, "~ tasks[first].notebook_task.notebook_path")
	assert.Contains(t, out, "The code goes to")
	assert.Contains(t, out, "Permissions will be set.")
	b.written()
	status, _, errs = flowctl(home, "deploy", file, "--prune")
	require.Equal(t, 0, status, errs)
	assert.Contains(t, errs, "Deleted /")
	grants, err := w.Permissions.Get(t.Context(), iam.GetPermissionRequest{RequestObjectType: "jobs", RequestObjectId: strconv.FormatInt(id, 10)})
	require.NoError(t, err)
	var names []string
	for _, g := range grants.AccessControlList {
		names = append(names, g.GroupName+g.UserName)
	}
	assert.Contains(t, names, "users")
	b.written()
	status, _, errs = flowctl(home, "deploy", file)
	require.Equal(t, 0, status, errs)
	assert.Empty(t, b.written())

	// The job goes, and comes again.
	require.NoError(t, w.Jobs.DeleteByJobId(t.Context(), id))
	status, out, errs = flowctl(home, "deploy", file)
	require.Equal(t, 0, status, errs)
	assert.NotEqual(t, strconv.FormatInt(id, 10)+"\n", out)
}

// Two projects whose jobs have one name do not touch each other, whatever the
// data directory; and a deployment from another machine finds its job.
func TestDeployTwoProjects(t *testing.T) {
	d := onDaemon(t)
	w := d.client(t)
	project := func() string {
		dir := jobFolder(t, crossing)
		for _, args := range [][]string{{"init", "-q"}, {"remote", "add", "origin", "https://example.com/" + filepath.Base(dir)}} {
			out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
			require.NoError(t, err, string(out))
		}
		return dir
	}
	one, two := project(), project()
	require.NoError(t, os.WriteFile(filepath.Join(two, "lib", "plus.py"), []byte("def plus(n):\n    return n + 5\n"), 0o600))
	home := t.TempDir()
	var ids []string
	for _, dir := range []string{one, two} {
		status, out, errs := flowctl(home, "deploy", filepath.Join(dir, "job.json"), "--prune")
		require.Equal(t, 0, status, errs)
		ids = append(ids, out)
	}
	assert.NotEqual(t, ids[0], ids[1])
	id, err := strconv.ParseInt(strings.TrimSpace(ids[0]), 10, 64)
	require.NoError(t, err)
	run, err := w.Jobs.RunNow(t.Context(), jobs.RunNow{JobId: id, Only: []string{"first", "there"}})
	require.NoError(t, err)
	ended, err := run.Get()
	require.NoError(t, err)
	assert.Equal(t, jobs.RunResultStateSuccess, ended.State.ResultState, "the code of the first is still there")

	status, out, errs := flowctl(t.TempDir(), "deploy", filepath.Join(one, "job.json"))
	require.Equal(t, 0, status, errs)
	assert.Equal(t, ids[0], out, "from another data directory, the same job")
	assert.NotContains(t, errs, "will be changed")
	assert.NotContains(t, errs, "Uploaded")
}

// A deployment that ends at any step is gone on with by the next one: one job,
// complete, and nothing to do after that.
func TestDeployCutOff(t *testing.T) {
	d := onDaemon(t)
	w := d.client(t)
	b := &between{}
	b.before(t, d)
	for step := 1; ; step++ {
		home, dir := t.TempDir(), jobFolder(t, crossing)
		file := filepath.Join(dir, "job.json")
		name := fmt.Sprint("cut", step)
		source := strings.Replace(crossing["job.json"], `{"name": "crossing",`, `{"name": "`+name+`", "permissions": [{"group_name": "users", "level": "CAN_VIEW"}],`, 1)
		require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
		ctx, kill := context.WithCancel(t.Context())
		b.written()
		b.cutting(func(write int) bool { return write >= step }, kill)
		var out, errs bytes.Buffer
		status := execute(ctx, []string{"--home", home, "deploy", file}, strings.NewReader(""), &out, &errs)
		reached := len(b.written()) >= step
		b.cutting(nil, nil) // what the command has sent may still be on its way
		if !reached {
			require.Equal(t, 0, status, errs.String())
			require.Greater(t, step, 8, "folders, files, the manifest, the job, its permissions")
			return
		}
		require.Equal(t, 130, status, "step %d: %s", step, errs.String())
		status, id, log := flowctl(home, "deploy", file)
		require.Equal(t, 0, status, "step %d: %s", step, log)
		jobs, err := w.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{Name: name})
		require.NoError(t, err)
		require.Len(t, jobs, 1, "step %d", step)
		assert.Equal(t, fmt.Sprint(jobs[0].JobId), strings.TrimSpace(id))
		b.written()
		status, _, log = flowctl(home, "deploy", file)
		require.Equal(t, 0, status, "step %d: %s", step, log)
		assert.Empty(t, b.written(), "step %d", step)
	}
}

// Two deployments of one job at once make one job.
func TestDeployTwoAtOnce(t *testing.T) {
	d := onDaemon(t)
	home, dir := t.TempDir(), jobFolder(t, crossing)
	var wg sync.WaitGroup
	ids := make([]string, 3)
	for i := range ids {
		wg.Go(func() {
			status, out, log := flowctl(home, "deploy", filepath.Join(dir, "job.json"))
			assert.Equal(t, 0, status, log)
			ids[i] = out
		})
	}
	wg.Wait()
	assert.Equal(t, []string{ids[0], ids[0], ids[0]}, ids)
	list, err := d.client(t).Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

// A rollback is a deployment of an earlier version with its code, and nobody
// else's change; where that code is gone it is refused.
func TestDeployRollback(t *testing.T) {
	d := onDaemon(t)
	home, dir := t.TempDir(), jobFolder(t, crossing)
	file := filepath.Join(dir, "job.json")
	deployed := func() string {
		status, out, log := flowctl(home, "deploy", file)
		require.Equal(t, 0, status, log)
		return strings.TrimSpace(out)
	}
	id := deployed()
	first := getJob(t, d, id)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "plus.py"), []byte("def plus(n):\n    return 0\n"), 0o600))
	deployed()
	require.NotEqual(t, first.Settings.Tasks, getJob(t, d, id).Settings.Tasks)

	status, _, log := flowctl(home, "jobs", "rollback", id, "--host", d.url)
	require.Equal(t, 0, status, log)
	assert.Equal(t, first.Settings, getJob(t, d, id).Settings, "its mark included")
	status, out, log := flowctl(home, "jobs", "history", id, "--host", d.url)
	require.Equal(t, 0, status, log)
	assert.Equal(t, 4, strings.Count(out, "\n"), out)
	status, out, log = flowctl(home, "deploy", file, "--plan")
	require.Equal(t, 0, status, log)
	assert.NotContains(t, out, "by others")
	status, _, log = flowctl(home, "deploy", file, "--prune")
	require.Equal(t, 0, status, log)
	assert.Contains(t, log, "Deleted")
	status, _, log = flowctl(home, "jobs", "rollback", id, "--to", "1", "--host", d.url)
	assert.Equal(t, 2, status)
	assert.Contains(t, log, "was deleted; deploy the file of that time anew")
}

func getJob(t *testing.T, d *runningDaemon, id string) *jobs.Job {
	t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	require.NoError(t, err)
	job, err := d.client(t).Jobs.GetByJobId(t.Context(), n)
	require.NoError(t, err)
	return job
}

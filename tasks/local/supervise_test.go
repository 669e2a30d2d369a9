package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/taskstest"
)

// shell is a runner of commands that know nothing of attempts, or, bare, of
// commands that write down their end themselves.
type shell struct {
	o    *Options
	bare bool
}

func (s shell) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return s.o.supervise(ctx, a, out, func() (launch, error) {
		script, err := payload[string](a)
		if err != nil {
			return launch{}, err
		}
		if s.bare {
			env := append(os.Environ(), "FLOWCTL_EVENTS="+filepath.Join(a.Dir, "events.jsonl"), "FLOWCTL_TASK_DIR="+a.Dir)
			return launch{workdir: a.Dir, argv: []string{"/bin/sh", "-c", script}, env: env}, nil
		}
		return command(a, filepath.Dir(a.Dir), []string{"/bin/sh", "-c", script}, os.Environ()), nil
	})
}

// yard runs shell scripts as attempts.
type yard struct {
	*testing.T
	shell
	dir string
	n   int
}

func newYard(t *testing.T) *yard {
	return &yard{T: t, dir: t.TempDir(), shell: shell{o: &Options{Grace: 10 * time.Second}}}
}

func (y *yard) attempt(script string) tasks.Attempt {
	y.n++
	raw, err := json.Marshal(script)
	require.NoError(y, err)
	return tasks.Attempt{
		RunID: int64(y.n), Key: "t", Task: jobspec.Task{Type: "shell", Payload: raw},
		Dir: filepath.Join(y.dir, strconv.Itoa(y.n)), ValuesDir: filepath.Join(y.dir, "values"), Home: y.dir,
	}
}

func (y *yard) run(script string) (tasks.Result, *taskstest.Recorder) {
	rec := taskstest.NewRecorder(nil)
	res, err := y.shell.Run(y.Context(), y.attempt(script), rec)
	require.NoError(y, err)
	return res, rec
}

// value is a line of shell that sets a task value.
func value(key, v string) string {
	return fmt.Sprintf(`printf '{"t":"value","key":"%s","value":%%s}\n' %s >>"$FLOWCTL_EVENTS"`, key, v)
}

// stopAt runs an attempt and ends its context as soon as it has set a value.
func (y *yard) stopAt(a tasks.Attempt, key string, cause error) (tasks.Result, *taskstest.Recorder, error) {
	ctx, stop := context.WithCancelCause(y.Context())
	rec := taskstest.NewRecorder(nil)
	go func() { rec.WaitValue(ctx, key); stop(cause) }()
	res, err := y.shell.Run(ctx, a, rec)
	return res, rec, err
}

// pid reads a process's number from a value.
func pid(t *testing.T, rec *taskstest.Recorder, key string) int {
	var n int
	require.NoError(t, json.Unmarshal(rec.Values()[key], &n))
	return n
}

// lives tells whether a process runs, zombies apart.
func lives(pid int) bool {
	start, state := startOf(pid)
	return start != "" && state != 'Z'
}

// dies waits until a process that was killed is gone: the kernel takes a
// moment, on a loaded machine a longer one.
func dies(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	require.NoError(t, err)
	defer unix.Close(fd) //nolint:errcheck // only looked at
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, n, "process %d still runs", pid)
		return
	}
}

func TestConformShell(t *testing.T) {
	y := newYard(t)
	taskstest.Conform(t, y.shell, func(*testing.T) taskstest.Deeds {
		bad := y.attempt("")
		bad.Task.Payload = json.RawMessage(`{}`)
		return taskstest.Deeds{
			Sets:  y.attempt(value("n", "42")),
			Fails: y.attempt("exit 9"), Failure: "exit status 9",
			Hangs: y.attempt("echo hello; " + value("begun", "true") + "; sleep 600"), Says: "hello\n",
			Bad: bad,
		}
	})
}

func TestExitStatus(t *testing.T) {
	y := newYard(t)
	for script, want := range map[string]string{
		"true":                   "",
		"exit 3":                 "The command ended with exit status 3",
		"kill -9 $$":             "The command ended with exit status 137 (signal 9)",
		"no-such-command":        "The command ended with exit status 127",
		"kill -9 $PPID":          "The task's process was ended by signal 9 (killed, for example because memory ran out)",
		value("n", "{bad"):       `$FLOWCTL_EVENTS holds a line that is no event: {"t":"value","key":"n","value":{bad}`,
		`echo >>$FLOWCTL_EVENTS`: "",
		`printf '{"t":"value","key":"n","value":"%s"}\n' $(head -c 60000 /dev/zero | tr '\0' x) >>$FLOWCTL_EVENTS`:           `task value "n" is 60002 bytes as JSON; at most 49152 (48 KiB) are allowed`,
		`{ printf '{"t":"value","key":"n","value":"'; head -c 3000000 /dev/zero | tr '\0' x; echo '"}'; } >>$FLOWCTL_EVENTS`: `$FLOWCTL_EVENTS holds a line that is no event: {"t":"value","key":"n","value":"xxx`,
		`printf '{"t":"value","key":"n"}\n' >>$FLOWCTL_EVENTS`:                                                               `task value "n" has no value`,
		`printf '{"t":"value","value":1}\n' >>$FLOWCTL_EVENTS`:                                                               "a task value without a key was set",
		`printf '{"t":"value","key":"torn' >>$FLOWCTL_EVENTS`:                                                                "",
	} {
		res, rec := y.run(script)
		if want == "" {
			assert.Equal(t, tasks.Success, res.Outcome, script)
		} else {
			assert.Equal(t, tasks.Failed, res.Outcome, script)
		}
		assert.Contains(t, res.Message, want, script)
		assert.Less(t, len(res.Message), 200, script)
		assert.Empty(t, rec.Values(), script)
	}
	res, _ := y.run("echo last words; kill -9 $PPID")
	assert.Equal(t, "last words", res.Trace)
}

// A process that a task leaves behind ends with it, or it would run on where
// nobody sees it. One that went into a session of its own on purpose may stay,
// unless the task is stopped.
func TestLeftBehind(t *testing.T) {
	y := newYard(t)
	res, rec := y.run("sleep 600 & " + value("child", "$!"))
	assert.Equal(t, tasks.Success, res.Outcome)
	assert.False(t, lives(pid(t, rec, "child")))
	assert.Equal(t, []string{"processes that the task left behind were ended"}, rec.Notes())

	away := "setsid sh -c '" + strings.ReplaceAll(value("away", "$$"), "'", `'\''`) + "; exec sleep 600' & wait_for() { :; }; while ! grep -q away $FLOWCTL_EVENTS; do :; done"
	res, rec = y.run(away)
	assert.Equal(t, tasks.Success, res.Outcome)
	daemon := pid(t, rec, "away")
	assert.True(t, lives(daemon))
	assert.Empty(t, rec.Notes())
	require.NoError(t, syscall.Kill(daemon, syscall.SIGKILL))

	res, rec, err := y.stopAt(y.attempt(away+"; sleep 600"), "away", tasks.ErrCanceled)
	require.NoError(t, err)
	assert.Equal(t, tasks.Canceled, res.Outcome)
	dies(t, pid(t, rec, "away"))
}

// Who does not listen is ended by force.
func TestDeaf(t *testing.T) {
	y := newYard(t)
	y.o.Grace = 50 * time.Millisecond
	deaf := `trap '' TERM INT; sh -c 'while :; do sleep 1; done' & ` + value("child", "$!") + "; while :; do sleep 1; done"
	for _, cause := range []error{tasks.ErrCanceled, tasks.ErrTimedOut} {
		res, rec, err := y.stopAt(y.attempt(deaf), "child", cause)
		require.NoError(t, err)
		assert.Equal(t, tasks.Canceled, res.Outcome)
		assert.False(t, lives(pid(t, rec, "child")))
	}
	a := y.attempt(deaf)
	_, rec, err := y.stopAt(a, "child", tasks.ErrDetach)
	require.ErrorIs(t, err, tasks.ErrDetach)
	child := pid(t, rec, "child")
	assert.True(t, lives(child))
	a.Resumed = true
	res, _, err := y.stopAt(a, "child", tasks.ErrCanceled)
	require.NoError(t, err)
	assert.Equal(t, tasks.Canceled, res.Outcome)
	assert.False(t, lives(child), "also if another engine started it")
}

// A task that had done its work when it was told to stop keeps its result;
// one that does its work although it was told to stop does not.
func TestStopAgainstEnd(t *testing.T) {
	y := newYard(t)
	y.bare = true
	done := `echo '{"outcome":"SUCCESS"}' >$FLOWCTL_TASK_DIR/result.json; `
	for script, want := range map[string]tasks.Outcome{
		done + value("now", "1") + "; sleep 600":                                                    tasks.Success,
		"end() { " + done + "exit 0; }; trap end TERM; " + value("now", "1") + "; sleep 600 & wait": tasks.Canceled,
	} {
		res, _, err := y.stopAt(y.attempt(script), "now", tasks.ErrTimedOut)
		require.NoError(t, err)
		assert.Equal(t, want, res.Outcome)
	}
}

// An engine that told an attempt to stop may be gone when it has.
func TestStopIsRemembered(t *testing.T) {
	y := newYard(t)
	for _, result := range []string{"", `{"outcome":"CANCELED"}`, `{"outcome":"FAILED","message":"exit status 143"}`} {
		a := y.attempt("echo never")
		a.Resumed = true
		require.NoError(t, os.Mkdir(a.Dir, 0o700))
		for name, text := range map[string]string{"events.jsonl": `{"t":"started","pid":2}` + "\n", stoppedFile: "", "result.json": result} {
			require.NoError(t, os.WriteFile(filepath.Join(a.Dir, name), []byte(text), 0o600))
		}
		res, err := y.shell.Run(t.Context(), a, taskstest.NewRecorder(nil))
		require.NoError(t, err)
		assert.Equal(t, tasks.Canceled, res.Outcome)
	}
}

// An interrupt that did not come from us is a failure, which may be tried again.
func TestInterruptedByOthers(t *testing.T) {
	y := newYard(t)
	y.bare = true
	res, _ := y.run(`echo '{"outcome":"CANCELED","message":"interrupted"}' >$FLOWCTL_TASK_DIR/result.json; exit 130`)
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Contains(t, res.Message, "not by flowctl")
}

// What an earlier life of the data directory left is not taken for ours.
func TestStaleDirectory(t *testing.T) {
	y := newYard(t)
	a := y.attempt("kill -9 $PPID")
	require.NoError(t, os.Mkdir(a.Dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(a.Dir, "result.json"), []byte(`{"outcome":"SUCCESS"}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(a.Dir, "events.jsonl"), []byte(`{"t":"value","key":"n","value":1}`+"\n"), 0o600))
	rec := taskstest.NewRecorder(nil)
	res, err := y.shell.Run(t.Context(), a, rec)
	require.NoError(t, err)
	assert.Equal(t, tasks.Failed, res.Outcome)
	assert.Empty(t, rec.Values())
}

// Two engines cannot both start an attempt.
func TestAliveAlready(t *testing.T) {
	y := newYard(t)
	a := y.attempt(value("begun", "1") + "; sleep 600")
	_, _, err := y.stopAt(a, "begun", tasks.ErrDetach)
	require.ErrorIs(t, err, tasks.ErrDetach)
	_, err = y.shell.Run(t.Context(), a, taskstest.NewRecorder(nil))
	assert.ErrorContains(t, err, "another process runs in")
	a.Resumed = true
	_, _, err = y.stopAt(a, "begun", tasks.ErrCanceled)
	require.NoError(t, err)
}

// A number that has come round again is nobody we know.
func TestPidReuse(t *testing.T) {
	y := newYard(t)
	stranger := exec.Command("sleep", "600")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, stranger.Start())
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	started := fmt.Sprintf(`{"t":"started","pid":%d}`+"\n"+`{"t":"value","key":"begun","value":1}`+"\n", stranger.Process.Pid)
	id := identify(stranger.Process.Pid)
	for name, lock := range map[string]string{
		"began earlier": fmt.Sprintf("%d %s1 %s \n", id.pid, id.start, id.boot),
		"other boot":    fmt.Sprintf("%d %s %s \n", id.pid, id.start, "another"),
		"not written":   "",
	} {
		t.Run(name, func(t *testing.T) {
			a := y.attempt("echo never")
			a.Resumed = true
			require.NoError(t, os.Mkdir(a.Dir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(a.Dir, "lock"), []byte(lock), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(a.Dir, "events.jsonl"), []byte(started), 0o600))
			_, err := y.shell.Run(t.Context(), a, taskstest.NewRecorder(nil))
			assert.ErrorContains(t, err, "vanished")
			assert.True(t, lives(id.pid))
			assert.NoFileExists(t, filepath.Join(a.Dir, "output.log"))
		})
	}
}

// A leader that is gone has ended, though a fork of it holds its lock; the
// fork is ended before the attempt is given up.
func TestForkHoldsTheLock(t *testing.T) {
	y := newYard(t)
	lock, err := tryLock(filepath.Join(y.dir, "lock"))
	require.NoError(t, err)
	a := y.attempt("")
	a.Resumed = true
	require.NoError(t, os.Mkdir(a.Dir, 0o700))
	require.NoError(t, lock.Close())
	lock, err = tryLock(filepath.Join(a.Dir, "lock"))
	require.NoError(t, err)
	fork := exec.Command("sleep", "600")
	fork.ExtraFiles = []*os.File{lock}
	fork.Env = append(os.Environ(), "FLOWCTL_TASK_DIR="+a.Dir)
	require.NoError(t, fork.Start())
	require.NoError(t, lock.Close())
	require.NoError(t, os.WriteFile(filepath.Join(a.Dir, "lock"), []byte("999999 1 boot \n"), 0o600))
	ended := make(chan error, 1)
	go func() { ended <- fork.Wait() }()
	_, err = y.shell.Run(t.Context(), a, taskstest.NewRecorder(nil))
	assert.ErrorContains(t, err, "vanished")
	assert.ErrorContains(t, <-ended, "terminated")
}

// A flood of output costs the disk, not us.
func TestFlood(t *testing.T) {
	y := newYard(t)
	size := int64(200 << 20)
	if testing.Short() {
		size = 20 << 20
	}
	var seen counter
	rec := taskstest.NewRecorder(&seen)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := y.shell.Run(t.Context(), y.attempt(fmt.Sprintf("head -c %d /dev/zero; ", size)+
		`yes '{"t":"warning","text":"x"}' | head -n 20000 >>$FLOWCTL_EVENTS`), rec)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Equal(t, tasks.Success, res.Outcome)
	assert.Equal(t, size, int64(seen), "all of it was shown")
	assert.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(32<<20))
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// A sink that refuses ends the process: nothing may run that nobody follows.
func TestRefusingSink(t *testing.T) {
	y := newYard(t)
	a := y.attempt(value("n", "1") + "; sleep 600")
	_, err := y.shell.Run(t.Context(), a, refusing{taskstest.NewRecorder(nil)})
	assert.ErrorIs(t, err, unix.ENOSPC)
	assert.False(t, held(a.Dir))
}

type refusing struct{ *taskstest.Recorder }

func (refusing) SetValue(string, json.RawMessage) error { return unix.ENOSPC }

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/store"
	"flowctl/tasks"
	"flowctl/tasks/local"
)

// killJob has a value that passes on, a branch, a for_each and a retry. Each
// task that runs says so in a file.
const killJob = `{"name":"killed","tasks":[
 {"task_key":"a","spark_python_task":{"python_file":"task.py","parameters":["a"]}},
 {"task_key":"if","depends_on":[{"task_key":"a"}],"condition_task":{"op":"EQUAL_TO","left":"{{tasks.a.values.n}}","right":"42"}},
 {"task_key":"yes","depends_on":[{"task_key":"if","outcome":"true"}],"spark_python_task":{"python_file":"task.py","parameters":["yes"]}},
 {"task_key":"no","depends_on":[{"task_key":"if","outcome":"false"}],"spark_python_task":{"python_file":"task.py","parameters":["no"]}},
 {"task_key":"each","depends_on":[{"task_key":"a"}],"for_each_task":{"inputs":"[1,2,3]","concurrency":2,
  "task":{"task_key":"item","spark_python_task":{"python_file":"task.py","parameters":["item{{input}}"]}}}},
 {"task_key":"last","depends_on":[{"task_key":"yes"},{"task_key":"each"}],"spark_python_task":{"python_file":"task.py","parameters":["last"]}}]}`

const killTask = `import sys, os
with open("ran", "a") as f:
    f.write(sys.argv[1] + "\n")
dbutils.jobs.taskValues.set("n", 42)
`

// TestKill kills the engine's process before and after each of its commits,
// has another engine take the run up, and finds that it ended as if nothing
// had happened: no task was lost, and none ran twice.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a hundred processes")
	}
	for n := 1; ; n++ {
		home := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(home, "task.py"), []byte(killTask), 0o600))
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledEngine$", "-test.v")
		cmd.Env = append(os.Environ(), "FLOWCTL_KILL_HOME="+home, fmt.Sprintf("FLOWCTL_KILL_AT=%d", n))
		out, err := cmd.CombinedOutput()
		killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
		if !killed {
			require.NoError(t, err, string(out))
		}
		finishKilled(t, home, n)
		if !killed {
			require.Greater(t, n, 10, "the engine has more commits than that")
			return
		}
	}
}

// finishKilled takes up what the killed engine left.
func finishKilled(t *testing.T, home string, n int) {
	// A child that was being forked when its parent was killed holds the
	// store's lock until it becomes another program.
	var s *store.Store
	require.Eventually(t, func() (opened bool) {
		var err error
		s, err = store.Open(filepath.Join(home, "data"), store.Options{})
		assert.True(t, err == nil || errors.Is(err, store.ErrInUse), "%v", err)
		return err == nil
	}, time.Minute, time.Millisecond)
	e, err := engine.Start(s, killOptions())
	require.NoError(t, err)
	require.NoError(t, e.ResumeAll(t.Context()))
	id, err := e.Submit(t.Context(), killSubmit(home)) // the token finds the run, if the kill left one
	require.NoError(t, err)
	r, err := e.Wait(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "a=SUCCESS if=SUCCESS yes=SUCCESS no=EXCLUDED each=SUCCESS last=SUCCESS run=SUCCESS", results(r), "killed at point %d", n)
	ran, err := os.ReadFile(filepath.Join(home, "ran"))
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"a", "yes", "item1", "item2", "item3", "last"}, strings.Fields(string(ran)), "killed at point %d", n)
	for _, task := range r.Tasks {
		assert.Len(t, task.Attempts, 1, "killed at point %d: %s", n, task.Key)
	}
	require.NoError(t, e.Close())
	require.NoError(t, s.Close())
}

func killOptions() engine.Options {
	runners := local.Runners(&local.Options{})
	return engine.Options{
		Parallel: 2,
		Runner: func(_ *jobrun.Run, c jobrun.StartAttempt) (engine.Placement, error) {
			return engine.Placement{Runner: runners[c.Task.Type]}, nil
		},
	}
}

func killSubmit(home string) engine.SubmitRequest {
	return engine.SubmitRequest{Source: json.RawMessage(killJob), Token: "once", Code: tasks.Code{Dir: home}}
}

// TestKilledEngine is the process that TestKill kills; by itself it does nothing.
func TestKilledEngine(t *testing.T) {
	home := os.Getenv("FLOWCTL_KILL_HOME")
	if home == "" {
		t.Skip("runs in a process that TestKill starts")
	}
	var at, point int
	_, err := fmt.Sscan(os.Getenv("FLOWCTL_KILL_AT"), &at)
	require.NoError(t, err)
	s, err := store.Open(filepath.Join(home, "data"), store.Options{})
	require.NoError(t, err)
	e, err := engine.StartProbed(s, killOptions(), func(string) {
		if point++; point == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	require.NoError(t, err)
	id, err := e.Submit(t.Context(), killSubmit(home))
	require.NoError(t, err)
	_, err = e.Wait(context.WithoutCancel(t.Context()), id)
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.NoError(t, s.Close())
}

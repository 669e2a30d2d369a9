package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/google/uuid"

	"flowctl/tasks"
	"flowctl/tasks/databricks/rest"
)

// Run runs one attempt on the workspace, or goes on with one that an earlier
// engine began there.
func (r *Runner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	token, begun, err := readToken(a.Dir)
	if err != nil {
		return tasks.Result{}, err
	}
	begun = begun || a.Handle != ""
	if ctx.Err() != nil && (!begun || detached(ctx)) {
		return ended(ctx)
	}
	id, err := strconv.ParseInt(a.Handle, 10, 64)
	if err != nil || id <= 0 {
		if id, err = r.start(ctx, a, token, out); err != nil {
			return tasks.Result{}, err
		}
		if err := out.SetHandle(strconv.FormatInt(id, 10)); err != nil {
			return tasks.Result{}, err
		}
		if err := out.Report(unobserved); err != nil {
			return tasks.Result{}, err
		}
	}
	run, err := r.follow(ctx, id, out)
	if errors.Is(err, tasks.ErrDetach) {
		return tasks.Result{}, tasks.ErrDetach
	}
	if err != nil {
		return tasks.Result{}, err
	}
	return r.result(ctx, run, a, out)
}

// unobserved says what is not known of a task that runs elsewhere.
var unobserved = tasks.Fact{Kind: "gap", Data: json.RawMessage(`{"what":"data","detail":"the task runs on a workspace: what it reads and writes there is not observed"}`)}

func detached(ctx context.Context) bool { return errors.Is(context.Cause(ctx), tasks.ErrDetach) }

// ended is the end of an attempt that never began.
func ended(ctx context.Context) (tasks.Result, error) {
	if detached(ctx) {
		return tasks.Result{}, tasks.ErrDetach
	}
	return tasks.Result{Outcome: tasks.Canceled}, nil
}

// tokenFile keeps an attempt's idempotency token in its directory.
const tokenFile = "submit-token"

func readToken(dir string) (token string, begun bool, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, tokenFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read the attempt's token: %w", err)
	}
	token = strings.TrimSpace(string(raw))
	return token, token != "", nil
}

// writeToken makes the token, on disk before the workspace can see it.
func writeToken(dir string) (string, error) {
	token := uuid.NewString()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write the attempt's token: %w", err)
	}
	f, err := os.CreateTemp(dir, tokenFile+"-")
	if err != nil {
		return "", fmt.Errorf("write the attempt's token: %w", err)
	}
	_, err = f.WriteString(token)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, tokenFile))
	}
	if err != nil {
		return "", fmt.Errorf("write the attempt's token: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return token, nil
}

// start makes the run. It does not stop before it knows the run's id, unless
// the engine lets go: a submit whose answer is lost may have made a run, which
// must then be canceled rather than forgotten.
func (r *Runner) start(ctx context.Context, a tasks.Attempt, token string, out tasks.Sink) (int64, error) {
	req, err := r.request(a, token)
	if err != nil {
		return 0, err
	}
	if token == "" {
		if token, err = writeToken(a.Dir); err != nil {
			return 0, err
		}
		req.Token = token
	}
	asking, stop := untilDetached(ctx)
	defer stop()
	var ans jobs.SubmitRunResponse
	if err := r.lasting(out).Post(asking, "/api/2.2/jobs/runs/submit", req, &ans); err != nil {
		var refused *rest.Error
		if errors.As(err, &refused) && refused.Status/100 == 4 && !rest.Denied(err) {
			return 0, invalid("the workspace refuses the task: %v", refused)
		}
		return 0, fmt.Errorf("submit to %s: %w", r.Client.Host(), err)
	}
	if ans.RunId == 0 {
		return 0, fmt.Errorf("submit to %s: the answer names no run", r.Client.Host())
	}
	return ans.RunId, nil
}

// untilDetached is a context that a cancel does not end.
func untilDetached(ctx context.Context) (context.Context, context.CancelFunc) {
	free, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if detached(ctx) {
			cancel(tasks.ErrDetach)
		}
	})
	return free, func() { stop(); cancel(nil) }
}

// lasting is the client with patience without end: a run that goes on must
// not be given up, and then be made again, because a network is away. Trouble
// is noted when it begins and when it is over.
func (r *Runner) lasting(out tasks.Sink) *rest.Client {
	trouble := false
	return r.Client.Lasting(-1, func(err error, _ time.Duration) {
		switch {
		case err != nil && !trouble:
			trouble = true
			out.Note(fmt.Sprintf("%s does not answer as it should, still trying: %v", r.Client.Host(), err))
		case err == nil && trouble:
			trouble = false
			out.Note(r.Client.Host() + " answers again")
		}
	})
}

// get asks for a run, resolved values included.
func get(ctx context.Context, c *rest.Client, id int64) (*jobs.Run, error) {
	var run jobs.Run
	q := url.Values{"run_id": {strconv.FormatInt(id, 10)}, "include_resolved_values": {"true"}}
	if err := c.Get(ctx, "/api/2.2/jobs/runs/get", q, &run); err != nil {
		return nil, fmt.Errorf("ask for run %d: %w", id, err)
	}
	if run.State = legacy(run.State, run.Status); run.State == nil {
		return nil, fmt.Errorf("ask for run %d: the answer has no state", id)
	}
	for i := range run.Tasks {
		run.Tasks[i].State = legacy(run.Tasks[i].State, run.Tasks[i].Status)
	}
	return &run, nil
}

// over tells whether a run has ended.
func over(run *jobs.Run) bool {
	switch run.State.LifeCycleState {
	case jobs.RunLifeCycleStateTerminated, jobs.RunLifeCycleStateSkipped, jobs.RunLifeCycleStateInternalError:
		return true
	}
	return false
}

// follow looks at a run until it has ended. A cancel is passed on, and again
// if the run does not heed it: it counts when the run has ended.
func (r *Runner) follow(ctx context.Context, id int64, out tasks.Sink) (*jobs.Run, error) {
	free, stop := untilDetached(ctx)
	defer stop()
	client := r.lasting(out)
	pause := r.first()
	var canceled time.Time
	shown := ""
	for {
		if ctx.Err() != nil && !detached(ctx) && time.Since(canceled) > cancelAgain {
			if err := client.Post(free, "/api/2.2/jobs/runs/cancel", jobs.CancelRun{RunId: id}, nil); err != nil && !rest.Missing(err) {
				return nil, fmt.Errorf("cancel run %d: %w", id, err)
			}
			canceled, pause = time.Now(), r.first()
		}
		run, err := get(free, client, id)
		if err != nil {
			return nil, err
		}
		r.tell(run, &shown, out)
		if over(run) {
			return run, nil
		}
		waiting := ctx
		if !canceled.IsZero() {
			waiting = free
		}
		_ = rest.Sleep(waiting, rest.Jitter(pause)) // why it ended shows above
		if detached(ctx) {
			return nil, tasks.ErrDetach
		}
		pause = min(pause+pause/3+time.Millisecond, r.max())
	}
}

// cancelAgain is how long a workspace may take to heed a cancel before it is
// told once more.
const cancelAgain = 30 * time.Second

func (r *Runner) first() time.Duration {
	if r.First > 0 {
		return r.First
	}
	return time.Second
}

func (r *Runner) max() time.Duration {
	if r.Max > 0 {
		return r.Max
	}
	return 15 * time.Second
}

// tell passes on what a look at the run has shown.
func (r *Runner) tell(run *jobs.Run, shown *string, out tasks.Sink) {
	if *shown == "" {
		where := run.RunPageUrl
		if where == "" {
			where = r.Client.Host()
		}
		out.Note(fmt.Sprintf("runs on the workspace as run %d: %s", run.RunId, where))
		*shown = "noted"
	}
	if *shown == "started" || len(run.Tasks) == 0 || run.Tasks[0].State == nil {
		return
	}
	switch t := run.Tasks[0].State; t.LifeCycleState {
	case jobs.RunLifeCycleStateRunning, jobs.RunLifeCycleStateTerminating:
	case jobs.RunLifeCycleStateTerminated:
		if t.ResultState == jobs.RunResultStateCanceled {
			return
		}
	default:
		return
	}
	*shown = "started"
	out.Started()
}

// output asks what a task of a run has left behind.
func output(ctx context.Context, c *rest.Client, task int64) (map[string]json.RawMessage, error) {
	var o map[string]json.RawMessage
	if err := c.Get(ctx, "/api/2.2/jobs/runs/get-output", url.Values{"run_id": {strconv.FormatInt(task, 10)}}, &o); err != nil {
		return nil, fmt.Errorf("ask for the output of run %d: %w", task, err)
	}
	return o, nil
}

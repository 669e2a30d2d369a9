package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/databricks/rest"
)

// Follower carries whole runs on a workspace.
type Follower struct {
	Client *rest.Client
	// First and Max bound the wait between two looks at a run; 0: one second
	// and fifteen.
	First, Max time.Duration
	// Note takes a line about the run for people; it may be nil.
	Note func(text string)
}

// noter is the sink of a run that has none of its own.
type noter struct {
	tasks.Sink
	note func(string)
}

func (n noter) Note(text string) {
	if n.note != nil {
		n.note(text)
	}
}

// Follow is part of tasks.Follower.
func (f *Follower) Follow(ctx context.Context, w tasks.WholeRun, see func(tasks.Seen) error) error {
	r := &Runner{Client: f.Client, First: f.First, Max: f.Max}
	out := noter{note: f.Note}
	free, stop := untilDetached(ctx)
	defer stop()
	client := r.lasting(out)
	run, job, err := parseHandle(w.Handle)
	if err != nil {
		return err
	}
	if run == 0 {
		done, err := Submit(free, client, Whole{Job: w.Job, Parameters: w.Parameters, Only: w.Only, Token: w.Token})
		if err != nil {
			return submitError(ctx, err)
		}
		run, job = done.RunID, done.JobID
		if err := see(tasks.Seen{Handle: handleOf(run, job), Status: tasks.SeenStatus{State: "PENDING"}}); err != nil {
			return err
		}
		out.Note(fmt.Sprintf("Run %d on %s", run, client.Host()))
	}
	l := &look{client: client, seen: map[string]jobs.RunState{}, ending: func() {
		// Before the end is told: after that nobody may be left to do it.
		if err := Forget(free, client, job); err != nil {
			out.Note(err.Error())
		}
	}}
	return l.until(ctx, free, r, run, see)
}

func submitError(ctx context.Context, err error) error {
	if detached(ctx) {
		return tasks.ErrDetach
	}
	return err
}

// handleOf names a run on the workspace, and the job that was made for it.
func handleOf(run, job int64) string { return fmt.Sprintf("%d/%d", run, job) }

func parseHandle(h string) (run, job int64, err error) {
	if h == "" {
		return 0, 0, nil
	}
	if _, err := fmt.Sscanf(h, "%d/%d", &run, &job); err != nil {
		return 0, 0, fmt.Errorf("the handle %q names no run: %w", h, err)
	}
	return run, job, nil
}

// look is what was last seen of a run.
type look struct {
	client *rest.Client
	seen   map[string]jobs.RunState
	state  jobs.RunState
	ending func()
}

// until looks at a run until it has ended. A cancel is passed on, and again
// if the run does not heed it.
func (l *look) until(ctx, free context.Context, r *Runner, id int64, see func(tasks.Seen) error) error {
	pause := r.first()
	var canceled time.Time
	for {
		if ctx.Err() != nil && !detached(ctx) && time.Since(canceled) > cancelAgain {
			if err := l.client.Post(free, "/api/2.2/jobs/runs/cancel", jobs.CancelRun{RunId: id}, nil); err != nil {
				return fmt.Errorf("cancel run %d: %w", id, err)
			}
			canceled, pause = time.Now(), r.first()
		}
		run, err := l.get(free, id)
		if err != nil {
			return submitError(ctx, err)
		}
		news, err := l.news(free, run)
		if err != nil {
			return submitError(ctx, err)
		}
		if over(run) {
			l.ending()
		}
		if news != nil {
			if err := see(*news); err != nil {
				return err
			}
		}
		if over(run) {
			return nil
		}
		waiting := ctx
		if !canceled.IsZero() {
			waiting = free
		}
		_ = rest.Sleep(waiting, rest.Jitter(pause)) // why it ended shows above
		if detached(ctx) {
			return tasks.ErrDetach
		}
		pause = min(pause+pause/3+time.Millisecond, r.max())
	}
}

// get asks for a run with all pages of its tasks.
func (l *look) get(ctx context.Context, id int64) (*jobs.Run, error) {
	var whole *jobs.Run
	for token := ""; ; {
		var page jobs.Run
		q := url.Values{"run_id": {strconv.FormatInt(id, 10)}}
		if token != "" {
			q.Set("page_token", token)
		}
		if err := l.client.Get(ctx, "/api/2.2/jobs/runs/get", q, &page); err != nil {
			return nil, fmt.Errorf("ask for run %d: %w", id, err)
		}
		if whole == nil {
			whole = &page
		} else {
			whole.Tasks = append(whole.Tasks, page.Tasks...)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if whole.State == nil {
		return nil, fmt.Errorf("ask for run %d: the answer has no state", id)
	}
	return whole, nil
}

// news is what has changed; nil if nothing has.
func (l *look) news(ctx context.Context, run *jobs.Run) (*tasks.Seen, error) {
	var s tasks.Seen
	for i := range run.Tasks {
		t := &run.Tasks[i]
		key := fmt.Sprintf("%s/%d", t.TaskKey, t.AttemptNumber)
		if t.State == nil || sameState(l.seen[key], *t.State) {
			continue
		}
		l.seen[key] = *t.State
		seen, err := l.task(ctx, t)
		if err != nil {
			return nil, err
		}
		s.Tasks = append(s.Tasks, seen)
	}
	if !sameState(l.state, *run.State) {
		l.state = *run.State
		s.Status = statusOf(run.State, run.Status)
	}
	if len(s.Tasks) == 0 && s.Status.State == "" {
		return nil, nil
	}
	return &s, nil
}

func sameState(a, b jobs.RunState) bool {
	return a.LifeCycleState == b.LifeCycleState && a.ResultState == b.ResultState && a.StateMessage == b.StateMessage
}

// task is a task as it stands now, with its output if it has ended.
func (l *look) task(ctx context.Context, t *jobs.RunTask) (tasks.SeenTask, error) {
	s := tasks.SeenTask{Key: t.TaskKey, Number: t.AttemptNumber, Handle: strconv.FormatInt(t.RunId, 10), Status: statusOf(t.State, t.Status)}
	if t.StartTime > 0 {
		s.Started = time.UnixMilli(t.StartTime)
	}
	if t.EndTime > 0 {
		s.Ended = time.UnixMilli(t.EndTime)
	}
	if s.Status.State != "TERMINATED" || t.State.LifeCycleState == jobs.RunLifeCycleStateSkipped || t.ConditionTask != nil || t.ForEachTask != nil {
		return s, nil
	}
	o, err := output(ctx, l.client, t.RunId)
	var refused *rest.Error
	if err != nil && !errors.As(err, &refused) { // a refusal leaves the end as it is known
		return s, err
	}
	s.Error, s.Trace, s.Log, s.Output = text(o["error"]), text(o["error_trace"]), text(o["logs"]), kept(o)
	return s, nil
}

// statusOf is a status in the newer words; the legacy state is what every
// workspace gives.
func statusOf(st *jobs.RunState, v2 *jobs.RunStatus) tasks.SeenStatus {
	s := tasks.SeenStatus{State: string(st.LifeCycleState), Result: string(st.ResultState), Message: st.StateMessage}
	switch st.LifeCycleState {
	case jobs.RunLifeCycleStateTerminated, jobs.RunLifeCycleStateSkipped, jobs.RunLifeCycleStateInternalError:
		s.State = "TERMINATED"
		if s.Result == "" {
			s.Result = "FAILED"
			if st.LifeCycleState == jobs.RunLifeCycleStateSkipped {
				s.Result = "EXCLUDED"
			}
		}
	case jobs.RunLifeCycleStateWaitingForRetry:
		s.State = "WAITING"
	}
	if v2 != nil && v2.TerminationDetails != nil {
		s.Code = string(v2.TerminationDetails.Code)
	}
	return s
}

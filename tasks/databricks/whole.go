package databricks

import (
	"context"
	"fmt"
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
	l := &look{client: client, seen: map[int64]jobs.RunState{}, counts: map[int64]jobs.ForEachTaskTaskRunStats{}, left: map[string]bool{}, ending: func() {
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
	seen   map[int64]jobs.RunState                // by the attempt's run id
	counts map[int64]jobs.ForEachTaskTaskRunStats // of for_each attempts, likewise
	left   map[string]bool                        // handles of attempts whose output is to be asked for
	state  jobs.RunState
	page   string // as it was told
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

package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/tasks"
	"flowctl/tasks/databricks/rest"
)

// get asks for a run, or for an attempt in the form of one, with all pages of
// its tasks and iterations.
func (l *look) get(ctx context.Context, id int64) (*jobs.Run, error) {
	var whole *jobs.Run
	for token := ""; ; {
		var page jobs.Run
		q := url.Values{"run_id": {strconv.FormatInt(id, 10)}, "include_history": {"true"}, "include_resolved_values": {"true"}}
		if token != "" {
			q.Set("page_token", token)
		}
		if err := l.client.Get(ctx, "/api/2.2/jobs/runs/get", q, &page); err != nil {
			return nil, fmt.Errorf("ask for run %d: %w", id, err)
		}
		if whole == nil {
			whole = &page
		} else {
			whole.Tasks, whole.Iterations = append(whole.Tasks, page.Tasks...), append(whole.Iterations, page.Iterations...)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if whole.State = legacy(whole.State, whole.Status); whole.State == nil {
		return nil, fmt.Errorf("ask for run %d: the answer has no state", id)
	}
	return whole, nil
}

// news is what has changed; nil if nothing has.
func (l *look) news(ctx context.Context, run *jobs.Run) (*tasks.Seen, error) {
	// Earlier attempts first: they are the history of the later ones.
	slices.SortStableFunc(run.Tasks, func(a, b jobs.RunTask) int { return cmp.Compare(a.AttemptNumber, b.AttemptNumber) })
	var s tasks.Seen
	for i := range run.Tasks {
		t := &run.Tasks[i]
		if t.ForEachTask != nil {
			items, err := l.iterations(ctx, t)
			if err != nil {
				return nil, err
			}
			s.Tasks = append(s.Tasks, items...)
		}
		if seen, is := l.change(t); is {
			s.Tasks = append(s.Tasks, seen)
		}
	}
	if err := l.outputs(ctx, s.Tasks); err != nil {
		return nil, err
	}
	if !sameState(l.state, *run.State) {
		l.state = *run.State
		s.Status = statusOf(run.State, run.Status)
	}
	if run.RunPageUrl != l.page {
		l.page, s.Page = run.RunPageUrl, run.RunPageUrl
	}
	if len(s.Tasks) == 0 && s.Status.State == "" && s.Page == "" {
		return nil, nil
	}
	return &s, nil
}

// change is an attempt as it stands now, if that is news.
func (l *look) change(t *jobs.RunTask) (tasks.SeenTask, bool) {
	st := legacy(t.State, t.Status)
	if st == nil || sameState(l.seen[t.RunId], *st) {
		return tasks.SeenTask{}, false
	}
	l.seen[t.RunId] = *st
	t.State = st
	s := seenTask(t)
	if leaves(t) {
		l.left[s.Handle] = true
	}
	return s, true
}

// iterations are those of a for_each task's attempt that have changed. They
// are asked for only when the task's own counts say that something happened.
func (l *look) iterations(ctx context.Context, t *jobs.RunTask) ([]tasks.SeenTask, error) {
	st := legacy(t.State, t.Status)
	if st == nil || st.LifeCycleState == jobs.RunLifeCycleStateBlocked || st.LifeCycleState == jobs.RunLifeCycleStateSkipped {
		return nil, nil
	}
	counts, known := countsOf(t)
	if known && sameCounts(l.counts[t.RunId], counts) && sameState(l.seen[t.RunId], *st) {
		return nil, nil
	}
	run, err := l.get(ctx, t.RunId)
	var refused *rest.Error
	switch {
	case errors.As(err, &refused): // its own end is known all the same
		return nil, nil
	case err != nil:
		return nil, err
	}
	l.counts[t.RunId] = counts
	slices.SortStableFunc(run.Iterations, func(a, b jobs.RunTask) int { return cmp.Compare(a.AttemptNumber, b.AttemptNumber) })
	var list []tasks.SeenTask
	for i := range run.Iterations {
		it := &run.Iterations[i]
		if s, is := l.change(it); is {
			s.Key, s.Item, s.Total = t.TaskKey, iteration(it.TaskKey, i)+1, counts.TotalIterations
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b tasks.SeenTask) int { return cmp.Compare(a.Item, b.Item) })
	return list, nil
}

// iteration is which of its task's iterations one is: its key ends in that.
func iteration(key string, place int) int {
	if n, err := strconv.Atoi(key[strings.LastIndex(key, "_")+1:]); err == nil && n >= 0 {
		return n
	}
	return place
}

func countsOf(t *jobs.RunTask) (c jobs.ForEachTaskTaskRunStats, known bool) {
	if t.ForEachTask.Stats == nil || t.ForEachTask.Stats.TaskRunStats == nil {
		return c, false
	}
	return *t.ForEachTask.Stats.TaskRunStats, true
}

func sameCounts(a, b jobs.ForEachTaskTaskRunStats) bool {
	return a.TotalIterations == b.TotalIterations && a.ScheduledIterations == b.ScheduledIterations && a.ActiveIterations == b.ActiveIterations &&
		a.SucceededIterations == b.SucceededIterations && a.FailedIterations == b.FailedIterations
}

func sameState(a, b jobs.RunState) bool {
	return a.LifeCycleState == b.LifeCycleState && a.ResultState == b.ResultState && a.StateMessage == b.StateMessage
}

// seenTask is an attempt as it stands now, without what it left behind.
func seenTask(t *jobs.RunTask) tasks.SeenTask {
	s := tasks.SeenTask{Key: t.TaskKey, Number: t.AttemptNumber, Handle: strconv.FormatInt(t.RunId, 10), Status: statusOf(t.State, t.Status)}
	if t.StartTime > 0 {
		s.Started = time.UnixMilli(t.StartTime)
	}
	if t.EndTime > 0 {
		s.Ended = time.UnixMilli(t.EndTime)
	}
	if t.ForEachTask != nil {
		counts, _ := countsOf(t)
		s.Total = counts.TotalIterations
	}
	if c := t.ConditionTask; c != nil && c.Outcome != "" {
		s.Condition = &tasks.SeenCondition{Left: c.Left, Right: c.Right, Outcome: c.Outcome}
		if v := t.ResolvedValues; v != nil && v.ConditionTask != nil {
			s.Condition.Left, s.Condition.Right = v.ConditionTask.Left, v.ConditionTask.Right
		}
	}
	return s
}

// leaves says whether an attempt has ended and may have left something behind.
func leaves(t *jobs.RunTask) bool {
	switch t.State.LifeCycleState {
	case jobs.RunLifeCycleStateTerminated, jobs.RunLifeCycleStateInternalError:
		return t.ConditionTask == nil && t.ForEachTask == nil
	}
	return false
}

// asking is how many outputs are asked for at once.
const asking = 8

// outputs fetches what the ended attempts have left behind.
func (l *look) outputs(ctx context.Context, list []tasks.SeenTask) error {
	var wg sync.WaitGroup
	slots, errs := make(chan struct{}, asking), make([]error, len(list))
	for i := range list {
		s := &list[i]
		if !l.left[s.Handle] {
			continue
		}
		delete(l.left, s.Handle)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = l.output(ctx, s)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (l *look) output(ctx context.Context, s *tasks.SeenTask) error {
	id, err := strconv.ParseInt(s.Handle, 10, 64)
	if err != nil {
		return fmt.Errorf("the attempt %q of %s has no run id: %w", s.Handle, s.Key, err)
	}
	o, err := output(ctx, l.client, id)
	var refused *rest.Error
	if err != nil && !errors.As(err, &refused) { // a refusal leaves the end as it is known
		return err
	}
	s.Error, s.Trace, s.Log, s.Output = text(o["error"]), text(o["error_trace"]), text(o["logs"]), kept(o)
	return nil
}

// legacy is a state as every workspace gives it, of one that gives only the
// newer status; nil: it gives neither.
func legacy(st *jobs.RunState, v2 *jobs.RunStatus) *jobs.RunState {
	if st != nil || v2 == nil {
		return st
	}
	st = &jobs.RunState{LifeCycleState: jobs.RunLifeCycleState(v2.State)}
	switch d := v2.TerminationDetails; {
	case v2.State == jobs.RunLifecycleStateV2StateWaiting:
		st.LifeCycleState = jobs.RunLifeCycleStateWaitingForRetry
	case v2.State != jobs.RunLifecycleStateV2StateTerminated || d == nil:
	case d.Code == jobs.TerminationCodeCodeSkipped:
		st.LifeCycleState = jobs.RunLifeCycleStateSkipped
	case d.Code == jobs.TerminationCodeCodeSuccess, d.Code == jobs.TerminationCodeCodeSuccessWithFailures:
		st.ResultState = jobs.RunResultState(d.Code)
	case d.Code == jobs.TerminationCodeCodeUserCanceled, d.Code == jobs.TerminationCodeCodeCanceled:
		st.ResultState, st.StateMessage = jobs.RunResultStateCanceled, d.Message
	default:
		st.ResultState, st.StateMessage = jobs.RunResultStateFailed, d.Message
	}
	return st
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

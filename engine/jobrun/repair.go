package jobrun

import (
	"fmt"
	"time"
)

// repair reopens tasks of an ended run under a new Repair. The others keep
// their attempts, values and times.
func (r *Run) repair(ev RepairRequested) error {
	if !r.Status.Ended() {
		return fmt.Errorf("run %d is still %s; only an ended run can be repaired", r.ID, r.Status.State)
	}
	if r.Mirror {
		return fmt.Errorf("run %d ran on a workspace; repair it there, with --profile or --host", r.ID)
	}
	for _, key := range ev.Tasks {
		if r.byKey[key] == nil {
			return fmt.Errorf("run %d has no task %q to repair", r.ID, key)
		}
	}
	if ev.Job != nil {
		r.Job, r.Spec = ev.Job, ev.Spec
	}
	if len(r.Repairs) == 0 {
		r.Repairs = []Repair{r.original()}
	}
	n := len(r.Repairs)
	rep := Repair{ID: ev.ID, Started: r.now, Parameters: ev.Parameters, Overrides: ev.Overrides}
	for _, t := range r.chosen(ev) {
		r.reopen(t, n)
		t.Repair = n
		rep.TaskRunIDs = append(rep.TaskRunIDs, t.Last().RunID)
	}
	r.Repairs = append(r.Repairs, rep)
	r.Stop, r.Ended, r.Status = "", time.Time{}, Status{State: Running}
	r.header = true
	r.setTimeout(r.Job.Timeout)
	r.watchDuration()
	r.count()
	for _, t := range r.Tasks {
		if t.waiting == 0 && t.Status().State == Blocked {
			r.ready = append(r.ready, t)
		}
	}
	if r.open == 0 { // nothing to rerun: the run ends again as it ended before
		r.conclude()
	}
	return nil
}

// original is the repair history's first element: the run as it was before any repair.
func (r *Run) original() Repair {
	rep := Repair{Started: r.Created, Ended: r.Ended, Status: r.Status}
	for _, t := range r.Tasks {
		rep.TaskRunIDs = append(rep.TaskRunIDs, t.Attempts[0].RunID)
	}
	return rep
}

// chosen lists the tasks to rerun, in written order. With AllFailed these are
// the tasks that did not succeed, and the excluded ones below them: their
// condition may come out differently now.
func (r *Run) chosen(ev RepairRequested) []*TaskRun {
	pick := map[string]bool{}
	for _, key := range ev.Tasks {
		pick[key] = true
	}
	if ev.AllFailed {
		for _, key := range r.Job.Graph.Order() {
			t := r.byKey[key]
			if t == nil {
				continue
			}
			st := t.Status()
			pick[key] = st.failed() || st.canceled() || st.Result == Excluded && r.dependsOnAny(t, pick)
		}
	}
	var list []*TaskRun
	for _, t := range r.Tasks {
		if pick[t.Key] {
			list = append(list, t)
		}
	}
	return list
}

func (r *Run) dependsOnAny(t *TaskRun, pick map[string]bool) bool {
	for _, d := range r.def(t).DependsOn {
		if pick[d.TaskKey] {
			return true
		}
	}
	return false
}

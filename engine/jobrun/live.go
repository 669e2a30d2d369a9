package jobrun

import (
	"fmt"
	"time"

	"flowctl/jobspec"
)

// live is what a Run knows beside its record. All of it is rebuilt by Load.
type live struct {
	// NewID gives the next unused id of the data directory. The engine sets
	// it; ids are part of the state that the next commit writes.
	NewID func() int64 `json:"-"`
	// WorkspaceURL and WorkspaceID answer {{workspace.…}}.
	WorkspaceURL string `json:"-"`
	WorkspaceID  string `json:"-"`

	now     time.Time // of the event being applied
	out     []Command
	byKey   map[string]*TaskRun
	running map[int64]*TaskRun // by the run id of an attempt that has not ended
	open    int                // tasks that have not ended
	ready   []*TaskRun         // all upstream tasks ended; to be decided by settle
	feeding []*TaskRun         // for_each tasks that may start iterations, or end
	timers  timers
	touched []*TaskRun // what a commit must write
	header  bool       // the Run's own record must be written too
}

// New makes the run that a request asks for. It has no tasks until Requested
// is applied. The caller fills in the exported fields.
func New(id int64, job *jobspec.Job, newID func() int64) *Run {
	r := &Run{ID: id, Job: job}
	r.NewID = newID
	r.byKey = map[string]*TaskRun{}
	r.running = map[int64]*TaskRun{}
	return r
}

// Load rebuilds what a stored run does not hold, after Job, Tasks and their
// Items have been filled in from the store.
func (r *Run) Load(newID func() int64) error {
	r.NewID = newID
	r.byKey = make(map[string]*TaskRun, len(r.Tasks))
	r.running = map[int64]*TaskRun{}
	for _, t := range r.Tasks {
		if len(t.Attempts) == 0 {
			return fmt.Errorf("load run %d: task %s has no attempt", r.ID, t.Key)
		}
		if r.Job.Graph.Index(t.Key) < 0 {
			return fmt.Errorf("load run %d: task %s is not in its job", r.ID, t.Key)
		}
		r.byKey[t.Key] = t
	}
	r.timers = nil
	r.arm(r.Deadline, timerRun, nil)
	r.arm(r.WarnAt, timerRun, nil)
	r.arm(r.QueueEnd, timerRun, nil)
	for _, t := range r.Tasks {
		r.track(t)
		for _, it := range t.Items {
			it.parent = t
			r.track(it)
		}
		if t.ForEach != nil {
			t.ForEach.recount(t)
		}
	}
	r.count()
	return nil
}

// track enters a task's open attempt into the tables of what is under way.
func (r *Run) track(t *TaskRun) {
	a := t.Last()
	if a.Status.Ended() {
		return
	}
	r.running[a.RunID] = t
	for _, at := range []time.Time{a.NextTry, a.Deadline, a.WarnAt} {
		r.arm(at, timerAttempt, t)
	}
}

// count sets how many upstream tasks each task still waits for, and how many
// tasks are open.
func (r *Run) count() {
	r.open = 0
	for _, t := range r.Tasks {
		t.waiting = 0
		if t.Status().Ended() {
			continue
		}
		r.open++
		for _, d := range r.def(t).DependsOn {
			if up := r.byKey[d.TaskKey]; up != nil && !up.Status().Ended() {
				t.waiting++
			}
		}
	}
}

// def is the task's definition; of an iteration, the nested task's.
func (r *Run) def(t *TaskRun) *jobspec.Task {
	if t.parent != nil {
		return r.def(t.parent).ForEach.Task
	}
	return &r.Job.Tasks[r.Job.Graph.Index(t.Key)]
}

// touch marks a task for the next commit.
func (r *Run) touch(t *TaskRun) {
	if !t.dirty {
		t.dirty = true
		r.touched = append(r.touched, t)
	}
}

// Dirty returns what has changed since the last call, and forgets it: whether
// the run's own record must be written, and which task records.
func (r *Run) Dirty() (header bool, tasks []*TaskRun) {
	header, tasks = r.header, r.touched
	r.header, r.touched = false, nil
	for _, t := range tasks {
		t.dirty = false
	}
	return header, tasks
}

func (r *Run) emit(c Command) { r.out = append(r.out, c) }

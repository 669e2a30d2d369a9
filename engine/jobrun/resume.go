package jobrun

// resume hands out again everything that an engine which is gone had under
// way. Runners attach to what still lives, pick up what has ended, and start
// what never began.
func (r *Run) resume() error {
	if r.Status.Ended() {
		return nil
	}
	if r.Mirror {
		r.resumeMirror()
		return nil
	}
	for _, t := range r.Tasks {
		if len(t.Values) > 0 { // the last engine may have gone before it published them
			r.emit(Publish{TaskKey: t.Key})
		}
		r.resumeTask(t)
		for _, it := range t.Items {
			r.resumeTask(it)
		}
	}
	return nil
}

func (r *Run) resumeTask(t *TaskRun) {
	a, def := t.Last(), r.def(t)
	switch a.Status.State {
	case Pending, Running, Terminating:
	default:
		return // ended, or the row itself says when it goes on
	}
	switch {
	case def.ForEach != nil:
		r.feeding = append(r.feeding, t)
		return
	case def.RunJob != nil:
		r.beginRunJob(t, def, true)
	default:
		r.beginAttempt(t, def, true)
	}
	if a.Status.State == Terminating {
		r.tellStop(t, a.Stop)
	}
}

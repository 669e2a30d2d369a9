package jobrun

import "flowctl/jobspec"

// notify tells of an event of a task, or with no task of the run itself, as
// far as its author wants it told. A failure that a retry follows is told
// with again.
//
// Source: the SDK's documentation of JobNotificationSettings and
// TaskNotificationSettings. The job's settings say nothing about its tasks,
// nor the other way round. Condition tasks notify nobody.
func (r *Run) notify(event Notice, t *TaskRun, again bool) {
	n := Notify{Event: event, JobID: r.JobID, JobName: r.Name, Namespace: r.Namespace, RunID: r.ID, Status: r.Status, At: r.now}
	said, rules := r.Job.Notify, r.Job.Health
	if t != nil {
		def, a := r.def(t), t.Last()
		if def.Condition != nil {
			return
		}
		said, rules = def.Notify, def.Health
		n.TaskKey, n.RunID, n.ParentRunID, n.Number, n.Status, n.Error = t.Key, a.RunID, r.ID, a.Number, a.Status, a.Error
	}
	if said == nil {
		return
	}
	if event == OnDurationWarning {
		n.Limit = durationRule(rules)
	}
	n.Email, n.Webhook = said.Email[string(event)], said.Webhook[string(event)]
	switch event {
	case OnFailure:
		if said.LastAttempt && again {
			return
		}
		n.mute(said, t == nil)
	case OnStart:
		if said.LastAttempt && t != nil && t.retried() {
			return
		}
	}
	if len(n.Email)+len(n.Webhook) > 0 {
		r.emit(n)
	}
}

// mute strikes out those who want no word of a failure of this kind. What
// never began because of a cancel counts as skipped and as canceled.
func (n *Notify) mute(said *jobspec.Notifications, run bool) {
	st := n.Status
	skipped := st.Result == UpstreamFailed || st.Result == UpstreamCanceled ||
		run && (st.Result == MaxConcurrentRuns || st.Code == CodeQueueFull)
	if said.MuteSkipped && skipped || said.MuteCanceled && st.canceled() {
		n.Email, n.Webhook = nil, nil
	}
	if said.MuteEmailSkipped && skipped {
		n.Email = nil
	}
}

// notifyEnd tells how a task's last attempt ended. Excluded and disabled
// tasks neither succeeded nor failed: nobody is told.
func (r *Run) notifyEnd(t *TaskRun, again bool) {
	switch st := t.Status(); {
	case st.Succeeded():
		r.notify(OnSuccess, t, false)
	case st.failed() || st.canceled():
		r.notify(OnFailure, t, again)
	}
}

// retried tells whether the last attempt is a retry: not the first of the
// run, nor of a repair.
func (t *TaskRun) retried() bool {
	n := len(t.Attempts)
	return n > 1 && t.Attempts[n-2].Repair == t.Last().Repair
}

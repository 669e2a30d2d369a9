package jobspec

// Notifications say who is told what about a run, or about the runs of a
// task. The keys of Email and Webhook are the events' names on the wire.
type Notifications struct {
	Email   map[string][]string // event → addresses
	Webhook map[string][]string // event → ids of notification destinations

	MuteSkipped  bool // no_alert_for_skipped_runs: no on_failure for a skipped run
	MuteCanceled bool // no_alert_for_canceled_runs: no on_failure for a canceled run
	// MuteEmailSkipped is the older place of MuteSkipped, within
	// email_notifications, and is about e-mail alone.
	MuteEmailSkipped bool
	// LastAttempt is alert_on_last_attempt of a task: no on_start for
	// retries, and no on_failure before the last of them.
	LastAttempt bool
}

// notifyEvents are the events that can fire. A streaming backlog cannot: no
// engine here measures one. Its list is kept with the job and never read.
var notifyEvents = []string{"on_start", "on_success", "on_failure", "on_duration_warning_threshold_exceeded"}

// parseNotifications reads the notifications of a job or a task, nil if
// nobody is told anything.
func parseNotifications(o object) *Notifications {
	n := &Notifications{Email: map[string][]string{}, Webhook: map[string][]string{}}
	email, webhook := o.object("email_notifications"), o.object("webhook_notifications")
	for _, event := range notifyEvents {
		if list := email.strs(event); len(list) > 0 {
			n.Email[event] = list
		}
		for _, w := range webhook.objects(event) {
			n.Webhook[event] = append(n.Webhook[event], w.str("id"))
		}
	}
	if len(n.Email)+len(n.Webhook) == 0 {
		return nil
	}
	settings := o.object("notification_settings")
	n.MuteSkipped = settings.bool("no_alert_for_skipped_runs")
	n.MuteCanceled = settings.bool("no_alert_for_canceled_runs")
	n.LastAttempt = settings.bool("alert_on_last_attempt")
	n.MuteEmailSkipped = email.bool("no_alert_for_skipped_runs")
	return n
}

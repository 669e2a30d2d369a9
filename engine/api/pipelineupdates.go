package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/workspace"
)

// An update of a pipeline is a run of one pipeline task. Its id is that run's,
// written as clients expect it.

// pipelineUpdate is a run as an update of a pipeline.
type pipelineUpdate struct {
	id    string
	state string
	run   *jobrun.Run // its header
}

func updateID(run int64) string {
	return fmt.Sprintf("00000000-0000-0000-%04x-%012x", run>>48, run&(1<<48-1))
}

// The words are those of the SDK's UpdateInfoState.
func stateOfUpdate(st jobrun.Status) string {
	switch st.State {
	case jobrun.Queued:
		return "QUEUED"
	case jobrun.Pending, jobrun.Blocked:
		return "INITIALIZING"
	case jobrun.Running, jobrun.Waiting:
		return "RUNNING"
	case jobrun.Terminating:
		return "STOPPING"
	}
	switch st.Result {
	case jobrun.Success:
		return "COMPLETED"
	case jobrun.Canceled:
		return "CANCELED"
	}
	return "FAILED"
}

func (u pipelineUpdate) over() bool { return u.run.Status.Ended() }

// updatesOf are a pipeline's latest updates, newest first; those whose runs
// were deleted are left out.
func (s *Server) updatesOf(c pipelineCall) ([]pipelineUpdate, error) {
	var list []pipelineUpdate
	for _, id := range c.p.Updates {
		r, err := s.Engine.RunHeader(c.ctx, id)
		if isRefusal(err, string(engine.InvalidParameter)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, pipelineUpdate{updateID(id), stateOfUpdate(r.Status), r})
	}
	return list, nil
}

// updateFields are what a request may say of an update, under the same names
// as a pipeline_task does.
var updateFields = []string{"full_refresh", "full_refresh_selection", "refresh_selection", "parameters"}

func (s *Server) startUpdate(c pipelineCall) (any, error) {
	var q map[string]json.RawMessage
	var err error
	if len(c.q.raw) > 0 {
		q, err = fieldsOf[map[string]json.RawMessage](c.q)
	}
	if err != nil {
		return nil, err
	}
	if string(q["validate_only"]) == "true" {
		return nil, invalid("validate_only: a pipeline cannot be looked at without being run here; start an update without it.")
	}
	var id int64
	err = c.Pipelines.Start(c.p.ID, func(p workspace.Pipeline) (run int64, err error) {
		c.p = p
		id, err = s.beginUpdate(c, q)
		return id, err
	})
	return map[string]string{"update_id": updateID(id)}, err
}

// beginUpdate makes the run of an update, unless one is under way.
func (s *Server) beginUpdate(c pipelineCall, q map[string]json.RawMessage) (int64, error) {
	updates, err := s.updatesOf(c)
	if err != nil {
		return 0, err
	}
	if len(updates) > 0 && !updates[0].over() {
		return 0, &workspace.Error{Code: workspace.Taken, Message: fmt.Sprintf("An active update %s already exists.", updates[0].id)}
	}
	task := map[string]any{"pipeline_id": c.p.ID}
	for _, f := range updateFields {
		if raw, ok := q[f]; ok {
			task[f] = raw
		}
	}
	source, err := json.Marshal(map[string]any{
		"run_name": c.p.Name(), "tasks": []any{map[string]any{"task_key": "update", "pipeline_task": task}},
	})
	if err != nil {
		return 0, err
	}
	return s.Engine.Submit(c.ctx, engine.SubmitRequest{
		Source: source, Name: c.p.Name(), Code: codeOf(c.visit), Creator: c.who.Name, RunAs: c.p.Creator, Namespace: c.Namespace,
	})
}

func wireUpdate(p workspace.Pipeline, u pipelineUpdate) map[string]any {
	return map[string]any{
		"update_id": u.id, "pipeline_id": p.ID, "state": u.state, "cause": "API_CALL", "creation_time": u.run.Created.UnixMilli(), "config": p.Fields,
	}
}

func (s *Server) listUpdates(c pipelineCall) (any, error) {
	updates, err := s.updatesOf(c)
	list := []map[string]any{}
	for _, u := range updates {
		list = append(list, wireUpdate(c.p, u))
	}
	return map[string]any{"updates": list}, err
}

func (s *Server) getUpdate(c pipelineCall) (any, error) {
	updates, err := s.updatesOf(c)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(updates, func(u pipelineUpdate) bool { return u.id == c.update })
	if i < 0 {
		return nil, &workspace.Error{Code: workspace.DoesNotExist, Message: fmt.Sprintf("The specified update %s was not found.", c.update)}
	}
	return map[string]any{"update": wireUpdate(c.p, updates[i])}, nil
}

// stopPipeline cancels the update that runs, if one does.
func (s *Server) stopPipeline(c pipelineCall) (any, error) {
	updates, err := s.updatesOf(c)
	for _, u := range updates {
		if err == nil && !u.over() {
			err = s.Engine.CancelRun(c.ctx, u.run.ID)
		}
	}
	return empty{}, err
}

// eventTime is how events are dated.
const eventTime = "2006-01-02T15:04:05.000Z"

type pipelineEvent struct {
	ID        string            `json:"id"`
	Timestamp string            `json:"timestamp"`
	Level     string            `json:"level"`
	Type      string            `json:"event_type"`
	Message   string            `json:"message"`
	Maturity  string            `json:"maturity_level"`
	Origin    map[string]string `json:"origin"`
	Error     any               `json:"error,omitempty"`
}

// pipelineEvents tells how the updates of a pipeline went: newest first, all
// on one page.
func (s *Server) pipelineEvents(c pipelineCall) (any, error) {
	var q struct {
		Filter string `json:"filter"`
	}
	if err := c.q.read(&q); err != nil {
		return nil, err
	}
	keep, err := eventFilter(q.Filter)
	if err != nil {
		return nil, err
	}
	updates, err := s.updatesOf(c)
	if err != nil {
		return nil, err
	}
	events := []pipelineEvent{}
	for _, u := range updates {
		list, err := s.eventsOf(c, u)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if keep(e) {
				events = append(events, e)
			}
		}
	}
	return map[string]any{"events": events}, nil
}

// eventsOf are the events of an update, newest first.
func (s *Server) eventsOf(c pipelineCall, u pipelineUpdate) ([]pipelineEvent, error) {
	var list []pipelineEvent
	add := func(at time.Time, state string) *pipelineEvent {
		list = append(list, pipelineEvent{
			ID: fmt.Sprintf("%s-%d", u.id, len(list)), Timestamp: at.UTC().Format(eventTime), Level: "INFO", Type: "update_progress", Maturity: "STABLE",
			Message: fmt.Sprintf("Update %s is %s.", u.id, state),
			Origin:  map[string]string{"pipeline_id": c.p.ID, "pipeline_name": c.p.Name(), "update_id": u.id},
		})
		return &list[len(list)-1]
	}
	add(u.run.Created, "INITIALIZING")
	if !u.run.Admitted.IsZero() {
		add(u.run.Admitted, "RUNNING")
	}
	if u.over() {
		e := add(u.run.Ended, u.state)
		if u.state == "FAILED" {
			a, err := s.attemptOf(c.ctx, u.run.ID)
			if err != nil {
				return nil, err
			}
			e.Level = "ERROR"
			e.Error = map[string]any{"fatal": true, "exceptions": []map[string]string{{"class_name": "", "message": a.Attempt.Error}}}
		}
	}
	slices.Reverse(list)
	return list, nil
}

var eventCondition = regexp.MustCompile(`^\s*(\w+)\s*(=|<=|>=|<|>)\s*'([^']*)'\s*$`)

// eventFilter reads conditions that are joined by AND.
//
// Source: the SDK's documentation of ListPipelineEventsRequest: level, message,
// timestamp, id and the fields of origin may be compared.
func eventFilter(filter string) (func(pipelineEvent) bool, error) {
	var all []func(pipelineEvent) bool
	for _, part := range strings.Split(filter, " AND ") {
		if strings.TrimSpace(filter) == "" {
			break
		}
		m := eventCondition.FindStringSubmatch(part)
		if m == nil {
			return nil, invalid("filter %q: conditions such as level='ERROR', update_id='…' and timestamp > '…', joined by AND, are understood here.", filter)
		}
		field := map[string]func(pipelineEvent) string{
			"level": func(e pipelineEvent) string { return e.Level }, "timestamp": func(e pipelineEvent) string { return e.Timestamp },
			"id": func(e pipelineEvent) string { return e.ID }, "update_id": func(e pipelineEvent) string { return e.Origin["update_id"] },
			"event_type": func(e pipelineEvent) string { return e.Type },
		}[m[1]]
		if field == nil {
			return nil, invalid("filter %q: %s cannot be compared here; level, timestamp, id, update_id and event_type can.", filter, m[1])
		}
		all = append(all, func(e pipelineEvent) bool { return compared(strings.Compare(field(e), m[3]), m[2]) })
	}
	return func(e pipelineEvent) bool {
		return !slices.ContainsFunc(all, func(ok func(pipelineEvent) bool) bool { return !ok(e) })
	}, nil
}

func compared(order int, operator string) bool {
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return order == 0
}

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"flowctl/engine"
	"flowctl/engine/workspace"
	"flowctl/tasks"
)

// jobRoutes are the endpoints about jobs in one version of the API. 2.2 pages
// what the versions before it answered whole.
func (s *Server) jobRoutes(version string) map[string]http.Handler {
	p := "/api/" + version + "/jobs/"
	whole := version != "2.2"
	return map[string]http.Handler{
		"POST " + p + "create": handle(s.jobsCreate),
		"GET " + p + "get":     handle(func(ctx context.Context, q jobsGetRequest) (wireJob, error) { return s.jobsGet(ctx, q, whole) }),
		"GET " + p + "list": handle(func(ctx context.Context, q jobsListRequest) (jobsListAnswer, error) {
			return s.jobsList(ctx, q, version == "2.0")
		}),
		"POST " + p + "update": handle(s.jobsUpdate),
		"POST " + p + "reset":  handle(s.jobsReset),
		"POST " + p + "delete": handle(s.jobsDelete),

		"POST " + p + "run-now":     handle(s.jobsRunNow),
		"POST " + p + "runs/submit": handle(s.runsSubmit),

		"GET " + p + "runs/get":         handle(func(ctx context.Context, q runsGetRequest) (wireRun, error) { return s.runsGet(ctx, q, whole) }),
		"GET " + p + "runs/list":        handle(s.runsList),
		"GET " + p + "runs/get-output":  handle(s.runsGetOutput),
		"POST " + p + "runs/cancel":     handle(s.runsCancel),
		"POST " + p + "runs/cancel-all": handle(s.runsCancelAll),
		"POST " + p + "runs/delete":     handle(s.runsDelete),
		"GET " + p + "runs/export":      handle(s.runsExport),
		"POST " + p + "runs/repair":     handle(s.runsRepair),
	}
}

// body is a request that is kept as it came.
type body struct{ raw json.RawMessage }

func (b *body) UnmarshalJSON(raw []byte) error {
	b.raw = append(b.raw[:0], raw...)
	return nil
}

// read decodes the body into v; no body leaves it as it is.
func (b body) read(v any) error {
	if len(b.raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(b.raw, v); err != nil {
		return &apiError{status: http.StatusBadRequest, code: "MALFORMED_REQUEST", message: fmt.Sprintf("Could not parse request object: %v", err)}
	}
	return nil
}

// fieldsOf reads a body that must be a JSON object, field by field.
func fieldsOf[M ~map[string]V, V any](q body) (M, error) {
	var fields M
	if err := json.Unmarshal(q.raw, &fields); err != nil || fields == nil {
		return nil, invalid("A JSON object is expected.")
	}
	return fields, nil
}

type jobIDAnswer struct {
	JobID int64 `json:"job_id"`
}

// jobsCreate keeps the settings as they came; only access_control_list is not
// among them.
func (s *Server) jobsCreate(ctx context.Context, q body) (jobIDAnswer, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return jobIDAnswer{}, err
	}
	settings, grants, err := s.newSettings(v, q.raw)
	if err != nil {
		return jobIDAnswer{}, err
	}
	id, err := s.Engine.CreateJob(ctx, engine.JobRequest{Settings: settings, Creator: v.who.Name, Code: codeOf(v), Namespace: v.Namespace})
	if err == nil {
		err = s.grant(v, id, grants)
	}
	return jobIDAnswer{id}, err
}

// codeOf is where the paths of a job that came through the API lead: into the
// workspace of whoever sent it.
func codeOf(v visit) tasks.Code {
	if v.Namespace == "" {
		return tasks.Code{}
	}
	return tasks.Code{Tree: v.Dir}
}

// newSettings are the settings in a request, and who shall have which rights.
func (s *Server) newSettings(v visit, raw json.RawMessage) (json.RawMessage, []wireGrant, error) {
	if len(raw) == 0 {
		raw = json.RawMessage(`{}`)
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, nil, &apiError{status: http.StatusBadRequest, code: "MALFORMED_REQUEST", message: "Could not parse request object: the settings of a job are a JSON object."}
	}
	if err := s.checkSettings(v, o); err != nil {
		return nil, nil, err
	}
	list, ok := o["access_control_list"]
	if !ok {
		return raw, nil, nil
	}
	var grants []wireGrant
	if err := json.Unmarshal(list, &grants); err != nil {
		return nil, nil, invalid("access_control_list: a list of objects is expected.")
	}
	if err := checkGrants(v, grants); err != nil {
		return nil, nil, err
	}
	delete(o, "access_control_list")
	rest, err := json.Marshal(o)
	return rest, grants, err
}

// gitProviders are the values of git_source.git_provider, in the order and the
// words of the cloud's own refusal.
const gitProviders = "github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit"

// checkSettings refuses what the API does not take of this caller.
func (s *Server) checkSettings(v visit, o map[string]json.RawMessage) error {
	var git struct {
		Provider string `json:"git_provider"`
	}
	if raw, ok := o["git_source"]; ok && string(raw) != "null" && json.Unmarshal(raw, &git) == nil && git.Provider == "" {
		return invalid("git_source.git_provider must be one of: %s", gitProviders)
	}
	var as struct {
		User      string `json:"user_name"`
		Principal string `json:"service_principal_name"`
	}
	if raw, ok := o["run_as"]; !ok || json.Unmarshal(raw, &as) != nil || as.User+as.Principal == v.who.Name || as.User+as.Principal == "" {
		return nil
	}
	// Source: the SDK's documentation of JobRunAs: others can be named by
	// admins, or by whoever may use them.
	return v.People.RequireAdmin(v.who, "let a job run as "+as.User+as.Principal)
}

type jobsGetRequest struct {
	JobID     int64  `json:"job_id"`
	PageToken tokens `json:"page_token"`
}

// wireJob is a job as jobs/get and jobs/list answer it.
type wireJob struct {
	JobID         int64          `json:"job_id"`
	Creator       string         `json:"creator_user_name,omitempty"`
	RunAs         string         `json:"run_as_user_name,omitempty"`
	Created       int64          `json:"created_time"`
	Settings      map[string]any `json:"settings"`
	HasMore       bool           `json:"has_more,omitempty"`
	NextPageToken string         `json:"next_page_token,omitempty"`
}

func jobOf(j engine.JobRecord, settings map[string]any) wireJob {
	w := wireJob{JobID: j.ID, Creator: j.Creator, RunAs: j.RunAs, Created: j.Created.UnixMilli(), Settings: settings}
	if w.RunAs == "" {
		w.RunAs = j.Creator
	}
	return w
}

func (s *Server) jobsGet(ctx context.Context, q jobsGetRequest, whole bool) (wireJob, error) {
	_, job, raw, err := s.onJob(ctx, q.JobID, workspace.CanView)
	if err != nil {
		return wireJob{}, err
	}
	settings, err := answered(raw)
	if err != nil {
		return wireJob{}, err
	}
	w := jobOf(job, settings)
	if !whole {
		w.NextPageToken = pageSettings(settings, int(q.PageToken))
		w.HasMore = w.NextPageToken != ""
	}
	return w, nil
}

type jobsListRequest struct {
	Limit       int    `json:"limit"`
	Offset      int    `json:"offset"`
	Name        string `json:"name"`
	ExpandTasks bool   `json:"expand_tasks"`
	PageToken   int64x `json:"page_token"`
}

type jobsListAnswer struct {
	Jobs          []wireJob `json:"jobs,omitempty"`
	HasMore       bool      `json:"has_more"`
	NextPageToken string    `json:"next_page_token,omitempty"`
}

// Limits of jobs/list.
//
// Source: the SDK's documentation of ListJobs.
const (
	jobsLimit   = 20
	jobsMaximum = 100
)

// jobsList answers a page of the jobs that the caller may view, newest first.
// API 2.0 knew no pages.
func (s *Server) jobsList(ctx context.Context, q jobsListRequest, whole bool) (jobsListAnswer, error) {
	var ans jobsListAnswer
	v, err := s.visit(ctx)
	if err != nil {
		return ans, err
	}
	limit := q.Limit
	switch {
	case limit < 0 || limit > jobsMaximum:
		return ans, invalid("limit %d is not between 0 and %d.", limit, jobsMaximum)
	case q.Offset < 0:
		return ans, invalid("offset %d is negative.", q.Offset)
	case limit == 0:
		limit = jobsLimit
	}
	see, err := s.viewer(v)
	if err != nil {
		return ans, err
	}
	type found struct {
		job      engine.JobRecord
		settings json.RawMessage
	}
	var list []found
	skip := q.Offset
	err = s.Engine.Jobs(ctx, engine.JobFilter{Namespace: v.Namespace, Name: q.Name}, int64(q.PageToken), func(j engine.JobRecord, settings json.RawMessage) bool {
		switch {
		case !see.job(j.ID, func() string { return j.Creator }):
			return true
		case skip > 0:
			skip--
			return true
		case !whole && len(list) == limit:
			ans.HasMore, ans.NextPageToken = true, strconv.FormatInt(list[limit-1].job.ID, 10)
			return false
		}
		list = append(list, found{j, settings})
		return true
	})
	for _, f := range list {
		settings, serr := listed(f.settings, q.ExpandTasks)
		if serr != nil {
			return ans, serr
		}
		w := jobOf(f.job, settings)
		if q.ExpandTasks && !whole {
			w.HasMore = pageSettings(settings, 0) != ""
		}
		ans.Jobs = append(ans.Jobs, w)
	}
	return ans, err
}

type jobChangeRequest struct {
	JobID    int64           `json:"job_id"`
	Settings json.RawMessage `json:"new_settings"`
	Remove   []string        `json:"fields_to_remove"`
}

// change opens a job to be changed and checks the new settings.
func (s *Server) change(ctx context.Context, q jobChangeRequest) (engine.JobChange, error) {
	v, job, _, err := s.onJob(ctx, q.JobID, workspace.CanManage)
	if err != nil {
		return engine.JobChange{}, err
	}
	settings, grants, err := s.newSettings(v, q.Settings)
	if err == nil && len(grants) > 0 {
		err = v.Permissions.Set(v.who, jobAs(job.ID, job.Creator), permissionsRequest{List: grants}.grants())
	}
	return engine.JobChange{Settings: settings, Remove: q.Remove, By: v.who.Name}, err
}

func (s *Server) jobsUpdate(ctx context.Context, q jobChangeRequest) (empty, error) {
	c, err := s.change(ctx, q)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.Engine.UpdateJob(ctx, q.JobID, c)
}

func (s *Server) jobsReset(ctx context.Context, q jobChangeRequest) (empty, error) {
	if len(q.Settings) == 0 || string(q.Settings) == "null" {
		return empty{}, invalid("new_settings is missing.")
	}
	c, err := s.change(ctx, q)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.Engine.ResetJob(ctx, q.JobID, c)
}

type jobRequest struct {
	JobID int64 `json:"job_id"`
}

// jobsDelete deletes a job. That there is none is told with 404, which clients
// take for a job that is gone already.
func (s *Server) jobsDelete(ctx context.Context, q jobRequest) (empty, error) {
	v, job, _, err := s.onJob(ctx, q.JobID, workspace.CanManage)
	if isRefusal(err, string(engine.InvalidParameter)) {
		return empty{}, &workspace.Error{Code: workspace.DoesNotExist, Message: fmt.Sprintf("Job %d does not exist.", q.JobID), Err: err}
	}
	if err != nil {
		return empty{}, err
	}
	if err := s.Engine.DeleteJob(ctx, q.JobID); err != nil {
		return empty{}, err
	}
	return empty{}, v.Permissions.Forget(jobAs(job.ID, job.Creator))
}

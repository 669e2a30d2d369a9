package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/engine/workspace"
)

// Who may see and change which job, and which run: whoever has the level on
// the job. What belongs to another workspace does not exist.

// onJob opens a job for a caller who has a level on it.
func (s *Server) onJob(ctx context.Context, id int64, want workspace.Level) (visit, engine.JobRecord, json.RawMessage, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return v, engine.JobRecord{}, nil, err
	}
	job, settings, err := s.jobIn(ctx, v, id)
	if err != nil {
		return v, job, nil, err
	}
	return v, job, settings, v.Permissions.Require(v.who, jobAs(job.ID, job.Creator), want)
}

// jobIn reads a job of the caller's workspace, whatever they may do with it.
func (s *Server) jobIn(ctx context.Context, v visit, id int64) (engine.JobRecord, json.RawMessage, error) {
	job, settings, err := s.Engine.Job(ctx, id)
	if err == nil && job.Namespace != v.Namespace {
		err = noJob(id)
	}
	return job, settings, err
}

// onRun lets in who has a level on the job of a run, or of an attempt's run.
// Of a one-time run, and when its job is gone, the run's maker is the owner.
func (s *Server) onRun(ctx context.Context, id int64, want workspace.Level) error {
	v, err := s.visit(ctx)
	if err != nil {
		return err
	}
	r, err := s.Engine.RunHeader(ctx, id)
	if err != nil {
		return err
	}
	if r.Namespace != v.Namespace {
		return &engine.Error{Code: engine.InvalidParameter, Message: fmt.Sprintf("Run %d does not exist.", id)}
	}
	return v.Permissions.Require(v.who, jobAs(r.JobID, s.ownerOf(ctx, r)), want)
}

func (s *Server) ownerOf(ctx context.Context, r *jobrun.Run) string {
	if r.Type == jobrun.JobRun {
		if job, _, err := s.Engine.Job(ctx, r.JobID); err == nil {
			return job.Creator
		}
	}
	return r.Creator
}

// viewer answers which of many jobs and runs a caller may view.
type viewer struct {
	v     visit
	all   bool
	known map[int64]bool // by job
}

func (s *Server) viewer(v visit) (*viewer, error) {
	admin, err := v.People.IsAdmin(v.who)
	return &viewer{v: v, all: admin, known: map[int64]bool{}}, err
}

func (w *viewer) job(id int64, owner func() string) bool {
	if w.all {
		return true
	}
	ok, known := w.known[id]
	if !known {
		ok = w.v.Permissions.Require(w.v.who, jobAs(id, owner()), workspace.CanView) == nil
		w.known[id] = ok
	}
	return ok
}

// jobAs is a job as an object with permissions.
func jobAs(id int64, owner string) workspace.Object {
	return workspace.Object{Type: workspace.JobType, ID: strconv.FormatInt(id, 10), Owner: owner}
}

// noJob says it in the words that clients look for.
func noJob(id int64) error {
	return &engine.Error{Code: engine.InvalidParameter, Message: fmt.Sprintf("Job %d does not exist.", id)}
}

// grant keeps the access_control_list that came with a new job. The maker owns
// it unless the list names another owner.
func (s *Server) grant(v visit, job int64, list []wireGrant) error {
	if len(list) == 0 {
		return nil
	}
	grants := permissionsRequest{List: list}.grants()
	owned := false
	for _, g := range grants {
		owned = owned || g.Level == workspace.IsOwner
	}
	if !owned {
		grants = append(grants, workspace.Grant{User: v.who.Name, Level: workspace.IsOwner})
	}
	return v.Permissions.Set(v.who, jobAs(job, v.who.Name), grants)
}

// checkGrants refuses a list that grant would refuse, before there is a job.
func checkGrants(v visit, list []wireGrant) error {
	if len(list) == 0 {
		return nil
	}
	return v.Permissions.Check(jobAs(0, v.who.Name), permissionsRequest{List: list}.grants())
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"flowctl/engine"
	"flowctl/engine/workspace"
	"flowctl/tasks"
)

// Submit is a job file to run, with what its text does not hold: where its
// code is on this machine, and the other jobs of the file.
type Submit struct {
	Source     json.RawMessage            `json:"source"`
	Name       string                     `json:"name,omitempty"`
	Parameters map[string]string          `json:"parameters,omitempty"`
	Only       []string                   `json:"only,omitempty"`
	Siblings   map[string]json.RawMessage `json:"siblings,omitempty"`
	Code       tasks.Code                 `json:"code"`
	Token      string                     `json:"token,omitempty"`
	User       string                     `json:"user,omitempty"`
	Mirror     bool                       `json:"mirror,omitempty"` // a workspace carries the run
}

// Submitted answers a Submit.
type Submitted struct {
	RunID int64  `json:"run_id"`
	Seq   uint64 `json:"seq"` // of the journal's last entry before the run's first
}

func (s *Server) submit(ctx context.Context, q Submit) (Submitted, error) {
	seq, err := s.Engine.Seq()
	if err != nil {
		return Submitted{}, err
	}
	if q.User == "" {
		q.User = s.User
	}
	id, err := s.Engine.Submit(ctx, engine.SubmitRequest{
		Source: q.Source, Name: q.Name, Parameters: q.Parameters, Only: q.Only, Siblings: q.Siblings,
		Code: q.Code, Token: q.Token, Creator: q.User, Mirror: q.Mirror,
	})
	return Submitted{id, seq}, err
}

// KeepJob is a job file to keep as a job, with the place of its code.
type KeepJob struct {
	JobID    int64           `json:"job_id,omitempty"` // 0: a new job; else its settings are replaced
	Settings json.RawMessage `json:"settings"`
	Code     tasks.Code      `json:"code"`
	Note     string          `json:"note,omitempty"` // for its history: the git commit that it comes from
}

// JobVersion is one state of a job's definition.
type JobVersion struct {
	Number   int             `json:"version"`
	At       time.Time       `json:"at"`
	By       string          `json:"by,omitempty"`
	Note     string          `json:"note,omitempty"`
	Settings json.RawMessage `json:"settings"`
}

// jobVersions answers the history of a job's definition, oldest first.
func (s *Server) jobVersions(ctx context.Context, q jobRequest) ([]JobVersion, error) {
	if _, _, _, err := s.onJob(ctx, q.JobID, workspace.CanView); err != nil {
		return nil, err
	}
	list, err := s.Engine.Versions(ctx, q.JobID)
	out := make([]JobVersion, 0, len(list))
	for _, v := range list {
		out = append(out, JobVersion(v))
	}
	return out, err
}

// keepJob makes a job of a job file, or replaces one's settings.
func (s *Server) keepJob(ctx context.Context, q KeepJob) (jobIDAnswer, error) {
	v, err := s.visit(ctx)
	if err != nil {
		return jobIDAnswer{}, err
	}
	settings, grants, err := s.newSettings(v, q.Settings)
	switch {
	case err != nil:
	case q.JobID == 0:
		q.JobID, err = s.Engine.CreateJob(ctx, engine.JobRequest{Settings: settings, Creator: v.who.Name, Code: q.Code, Note: q.Note})
	default:
		err = s.Engine.ResetJob(ctx, q.JobID, engine.JobChange{Settings: settings, By: v.who.Name, Code: &q.Code, Note: q.Note})
	}
	if err == nil {
		err = s.grant(v, q.JobID, grants)
	}
	return jobIDAnswer{q.JobID}, err
}

// taken says of a run that was taken up whether a workspace carries it.
type taken struct {
	Mirror bool `json:"mirror"`
}

func (s *Server) resume(ctx context.Context, q runRequest) (taken, error) {
	if err := s.Engine.Resume(ctx, q.RunID); err != nil {
		return taken{}, err
	}
	r, err := s.Engine.Run(ctx, q.RunID)
	if err != nil {
		return taken{}, err
	}
	return taken{Mirror: r.Mirror}, nil
}

// watch streams the journal's entries after "after", one JSON object a line,
// of the run "run_id" if it is given, until the client goes.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		writeError(w, invalid("after: %q is no entry's number.", r.URL.Query().Get("after")))
		return
	}
	run, _ := strconv.ParseInt(r.URL.Query().Get("run_id"), 10, 64) // 0: all runs
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	enc := json.NewEncoder(w)
	for e, err := range s.Engine.Watch(r.Context(), after) {
		if err != nil {
			s.Log.Error("watch", "error", err)
			return
		}
		if run != 0 && e.RunID != run {
			continue
		}
		e.Event = nil // the changes tell all that a follower needs
		if enc.Encode(e) != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

// Pong says who has the data directory.
type Pong struct {
	Base string `json:"base"` // where its API is on the network; empty: nowhere, it is a command
}

func (s *Server) ping(context.Context, empty) (Pong, error) { return Pong{s.Base}, nil }

// seq answers the number of the journal's last entry.
func (s *Server) seq(context.Context, empty) (map[string]uint64, error) {
	n, err := s.Engine.Seq()
	return map[string]uint64{"seq": n}, err
}

// log answers where an attempt's log is on this machine.
func (s *Server) log(ctx context.Context, q runRequest) (map[string]string, error) {
	a, err := s.Engine.Attempt(ctx, q.RunID)
	if err != nil {
		return nil, err
	}
	return map[string]string{"path": filepath.Join(a.Dir, "output.log")}, nil
}

package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// Workspace is as much of a workspace as a deployment needs.
type Workspace interface {
	Get(ctx context.Context, path string, query url.Values, answer any) error
	Post(ctx context.Context, path string, request, answer any) error
	// PostOnce is Post for what must not arrive twice: it is sent once, and if
	// no answer comes nobody knows whether it arrived.
	PostOnce(ctx context.Context, path string, request, answer any) error
	Put(ctx context.Context, path string, request, answer any) error
	// Missing tells whether an error says that a thing is not there.
	Missing(err error) bool
}

// Wanted is what shall be on the workspace.
type Wanted struct {
	Settings    json.RawMessage // with the paths that they have there
	Permissions json.RawMessage // access_control_list; nil: nobody says
	Folder      string          // of the code; "": none
	By, Commit  string          // for the history
}

// Plan is what a deployment would do.
type Plan struct {
	JobID   int64    `json:"job_id,omitempty"` // 0: it would be made
	Create  bool     `json:"create"`
	Upload  bool     `json:"upload"`
	Changes []Change `json:"changes"` // of the workspace's job into the wanted one
	Drift   []Change `json:"drift"`   // what others have changed since the last deployment
	Grant   bool     `json:"grant"`   // permissions differ
	Gone    bool     `json:"gone"`    // somebody has deleted the job; it would be made anew

	rec  *Record
	want Wanted
	have json.RawMessage // the job as the workspace has it
}

// tokenTag is the tag by which a job is found again.
const tokenTag = "flowctl_deployment"

// Make finds out what a deployment would do. It only reads.
func Make(ctx context.Context, w Workspace, rec *Record, want Wanted) (*Plan, error) {
	p := &Plan{rec: rec, want: want, Changes: []Change{}, Drift: []Change{}}
	have, err := p.find(ctx, w)
	if err != nil {
		return nil, err
	}
	if have == nil {
		p.Create, p.Upload, p.Grant = true, want.Folder != "", want.Permissions != nil
		p.Changes, err = Diff(nil, want.Settings)
		return p, err
	}
	p.JobID, p.have = rec.JobID, have
	target := p.want.Settings
	if target, err = marked(target, rec.token()); err != nil {
		return nil, err
	}
	if p.Changes, err = Diff(have, target); err != nil {
		return nil, err
	}
	if len(rec.Seen) > 0 {
		if p.Drift, err = Diff(rec.Seen, have); err != nil {
			return nil, err
		}
	}
	p.Upload = want.Folder != "" && (want.Folder != rec.Folder || !rec.Uploaded)
	if want.Permissions != nil {
		p.Grant, err = p.grants(ctx, w)
	}
	return p, err
}

// Nothing says whether the workspace has all that is wanted.
func (p *Plan) Nothing() bool { return len(p.Changes) == 0 && !p.Create && !p.Upload && !p.Grant }

// find reads the job's settings on the workspace; nil: there is no such job.
func (p *Plan) find(ctx context.Context, w Workspace) (json.RawMessage, error) {
	if p.rec.JobID == 0 {
		if err := p.findMarked(ctx, w); err != nil {
			return nil, err
		}
	}
	if p.rec.JobID == 0 {
		return nil, nil
	}
	settings, err := Settings(ctx, w, p.rec.JobID)
	if w.Missing(err) {
		p.Gone = true
		p.rec.JobID, p.rec.Seen = 0, nil
		return nil, nil
	}
	return settings, err
}

// findMarked looks for a job that this machine does not know of: another made it,
// or its creation was asked for and never answered.
func (p *Plan) findMarked(ctx context.Context, w Workspace) error {
	for token := ""; ; {
		query := url.Values{"limit": {"100"}}
		if token != "" {
			query.Set("page_token", token)
		}
		var page struct {
			Jobs []struct {
				ID       int64 `json:"job_id"`
				Settings struct {
					Tags map[string]string `json:"tags"`
				} `json:"settings"`
			} `json:"jobs"`
			Next string `json:"next_page_token"`
		}
		if err := w.Get(ctx, "/api/2.2/jobs/list", query, &page); err != nil {
			return fmt.Errorf("look for the job: %w", err)
		}
		for _, j := range page.Jobs {
			if j.Settings.Tags[tokenTag] == p.rec.token() {
				p.rec.JobID = j.ID
				return nil
			}
		}
		if token = page.Next; token == "" {
			return nil
		}
	}
}

// Settings reads a job's settings with all pages of its tasks.
func Settings(ctx context.Context, w Workspace, job int64) (json.RawMessage, error) {
	var whole map[string]json.RawMessage
	var tasks []json.RawMessage
	for token := ""; ; {
		query := url.Values{"job_id": {strconv.FormatInt(job, 10)}}
		if token != "" {
			query.Set("page_token", token)
		}
		var page struct {
			Settings map[string]json.RawMessage `json:"settings"`
			Next     string                     `json:"next_page_token"`
		}
		if err := w.Get(ctx, "/api/2.2/jobs/get", query, &page); err != nil {
			return nil, fmt.Errorf("read job %d: %w", job, err)
		}
		var more []json.RawMessage
		if raw := page.Settings["tasks"]; raw != nil {
			if err := json.Unmarshal(raw, &more); err != nil {
				return nil, fmt.Errorf("read job %d: tasks: %w", job, err)
			}
		}
		tasks = append(tasks, more...)
		if whole == nil {
			whole = page.Settings
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if len(tasks) > 0 {
		raw, err := json.Marshal(tasks)
		if err != nil {
			return nil, err
		}
		whole["tasks"] = raw
	}
	return json.Marshal(whole)
}

// marked adds the tag by which the job is found again.
func marked(settings json.RawMessage, token string) (json.RawMessage, error) {
	if token == "" {
		return settings, nil
	}
	return Tagged(settings, map[string]string{tokenTag: token})
}

// Tagged adds tags to settings.
func Tagged(settings json.RawMessage, tags map[string]string) (json.RawMessage, error) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(settings, &o); err != nil {
		return nil, fmt.Errorf("read job settings: %w", err)
	}
	all := map[string]string{}
	if raw, ok := o["tags"]; ok {
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, fmt.Errorf("tags: %w", err)
		}
	}
	for k, v := range tags {
		if v != "" {
			all[k] = v
		}
	}
	if len(all) == 0 {
		return settings, nil
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	o["tags"] = raw
	return json.Marshal(o)
}

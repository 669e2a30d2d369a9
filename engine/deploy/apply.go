package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// ErrDrift says that others have changed the job since it was deployed.
var ErrDrift = errors.New("the job was changed on the workspace since it was last deployed")

// Options say how a plan is carried out.
type Options struct {
	Records Records
	// Upload brings the code there; called if the plan asks for it.
	Upload func(ctx context.Context) error
	// Force overwrites what others have changed.
	Force bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Apply carries a plan out and returns the job's id. Every step is remembered
// before the next one begins: after an error, a new plan has only those that
// are left. A plan with nothing in it sends nothing that writes.
func (p *Plan) Apply(ctx context.Context, w Workspace, opt Options) (job int64, err error) {
	if len(p.Drift) > 0 && !opt.Force && len(p.Changes) > 0 {
		return 0, ErrDrift
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if p.Upload {
		if err := opt.Upload(ctx); err != nil {
			return 0, err
		}
	}
	if p.rec.Folder != p.want.Folder || p.Upload {
		p.rec.Old = slices.DeleteFunc(append(p.rec.Old, p.rec.Folder), func(f string) bool { return f == "" || f == p.want.Folder })
		p.rec.Folder, p.rec.Uploaded = p.want.Folder, true
		if err := opt.Records.Put(p.rec); err != nil {
			return 0, err
		}
	}
	switch {
	case p.Create || len(p.Changes) > 0:
		err = p.write(ctx, w, opt)
	case len(p.rec.Seen) == 0: // it is there, and we had not heard of it
		err = p.seen(p.have, opt)
	}
	if err != nil {
		return 0, err
	}
	if p.Grant {
		list, err := owned(p.want.Permissions, p.want.By)
		if err != nil {
			return 0, err
		}
		path := "/api/2.0/permissions/jobs/" + strconv.FormatInt(p.rec.JobID, 10)
		if err := w.Put(ctx, path, map[string]any{"access_control_list": list}, nil); err != nil {
			return 0, fmt.Errorf("set permissions: %w", err)
		}
	}
	return p.rec.JobID, nil
}

// write makes the job, or gives it its settings.
func (p *Plan) write(ctx context.Context, w Workspace, opt Options) error {
	settings, err := marked(p.want.Settings, p.rec.token())
	if err != nil {
		return err
	}
	if p.Create {
		var made struct {
			JobID int64 `json:"job_id"`
		}
		if err := w.PostOnce(ctx, "/api/2.2/jobs/create", settings, &made); err != nil {
			return fmt.Errorf("make the job: %w", err)
		}
		p.rec.JobID = made.JobID
	} else if err := w.Post(ctx, "/api/2.2/jobs/reset", map[string]any{"job_id": p.rec.JobID, "new_settings": settings}, nil); err != nil {
		return fmt.Errorf("change the job: %w", err)
	}
	p.rec.Seen = nil
	if err := opt.Records.Put(p.rec); err != nil {
		return err
	}
	have, err := Settings(ctx, w, p.rec.JobID)
	if err != nil {
		return err
	}
	return p.seen(have, opt)
}

// seen remembers how the workspace has the job now: from then on, whatever
// differs is somebody else's doing.
func (p *Plan) seen(have json.RawMessage, opt Options) error {
	p.rec.Seen = have
	p.rec.Versions = append(p.rec.Versions, Version{At: opt.Now().UTC(), By: p.want.By, Commit: p.want.Commit, Folder: p.want.Folder, Settings: p.want.Settings})
	if n := len(p.rec.Versions); n > keepVersions {
		p.rec.Versions = slices.Clone(p.rec.Versions[n-keepVersions:])
	}
	return opt.Records.Put(p.rec)
}

// owned adds an owner to permissions that name none, for a job must have one:
// whoever deploys it.
func owned(list json.RawMessage, by string) ([]map[string]string, error) {
	var grants []map[string]string
	if err := json.Unmarshal(list, &grants); err != nil {
		return nil, fmt.Errorf("permissions: %w", err)
	}
	if slices.ContainsFunc(grants, func(g map[string]string) bool { return g["permission_level"] == "IS_OWNER" }) {
		return grants, nil
	}
	who := "user_name"
	if uuid.Validate(by) == nil {
		who = "service_principal_name"
	}
	grants = slices.DeleteFunc(grants, func(g map[string]string) bool { return g[who] == by })
	return append(grants, map[string]string{who: by, "permission_level": "IS_OWNER"}), nil
}

// grants says whether the permissions on the workspace differ from those
// wanted. What is inherited is nobody's wish.
func (p *Plan) grants(ctx context.Context, w Workspace) (bool, error) {
	type entry struct {
		User  string `json:"user_name"`
		Group string `json:"group_name"`
		SP    string `json:"service_principal_name"`
		Level string `json:"permission_level"`
		All   []struct {
			Inherited bool   `json:"inherited"`
			Level     string `json:"permission_level"`
		} `json:"all_permissions"`
	}
	var have struct {
		List []entry `json:"access_control_list"`
	}
	var want []entry
	if err := json.Unmarshal(p.want.Permissions, &want); err != nil {
		return false, fmt.Errorf("permissions: %w", err)
	}
	if err := w.Get(ctx, "/api/2.0/permissions/jobs/"+strconv.FormatInt(p.rec.JobID, 10), url.Values{}, &have); err != nil {
		return false, fmt.Errorf("read permissions: %w", err)
	}
	is, shall := map[string]string{}, map[string]string{}
	for _, e := range have.List {
		for _, l := range e.All {
			if !l.Inherited {
				is[e.User+"\x00"+e.Group+"\x00"+e.SP] = l.Level
			}
		}
	}
	named := false
	for _, e := range want {
		shall[e.User+"\x00"+e.Group+"\x00"+e.SP] = e.Level
		named = named || e.Level == "IS_OWNER"
	}
	if !named { // who owns the job goes on to own it
		for k, l := range is {
			if l == "IS_OWNER" {
				shall[k] = l
			}
		}
	}
	return !maps.Equal(is, shall), nil
}

// ErrActive says that runs of the job are active, which may use earlier code.
var ErrActive = errors.New("runs of the job are active, which may use earlier code")

// Prune has remove called for each folder of earlier code that this deployment
// has made. Others may lie beside them: of other jobs, and of runs. While runs
// of the job are active nothing goes: they may have begun with any of it.
func (p *Plan) Prune(ctx context.Context, w Workspace, opt Options, remove func(folder string) error) error {
	if len(p.rec.Old) == 0 {
		return nil
	}
	active, err := p.active(ctx, w)
	if err != nil {
		return err
	}
	if active {
		return ErrActive
	}
	for len(p.rec.Old) > 0 {
		if err := remove(p.rec.Old[0]); err != nil {
			return err
		}
		p.rec.Old = p.rec.Old[1:]
		if err := opt.Records.Put(p.rec); err != nil {
			return err
		}
	}
	return nil
}

// active says whether a run of the job has not ended.
func (p *Plan) active(ctx context.Context, w Workspace) (bool, error) {
	var page struct {
		Runs []struct {
			JobID int64 `json:"job_id"`
			State struct {
				LifeCycle string `json:"life_cycle_state"`
			} `json:"state"`
		} `json:"runs"`
	}
	query := url.Values{"job_id": {strconv.FormatInt(p.rec.JobID, 10)}, "active_only": {"true"}}
	if err := w.Get(ctx, "/api/2.2/jobs/runs/list", query, &page); err != nil {
		return false, fmt.Errorf("look for active runs: %w", err)
	}
	for _, r := range page.Runs {
		if r.JobID == p.rec.JobID && !slices.Contains([]string{"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}, r.State.LifeCycle) {
			return true, nil
		}
	}
	return false, nil
}

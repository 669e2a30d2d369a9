package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"flowctl/engine"
	"flowctl/engine/jobrun"
	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/databricks"
	"flowctl/tasks/databricks/rest"
	uploads "flowctl/tasks/databricks/upload"
)

// remoteFlags say which tasks of a run go to which workspace.
type remoteFlags struct {
	tasks   []string
	profile string
	host    string
}

func (f *remoteFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.tasks, "remote", nil, "tasks to run on a workspace; +a and a+ as with --only")
	flags.StringVar(&f.profile, "profile", "", "with --remote: the workspace of this profile in ~/.databrickscfg")
	flags.StringVar(&f.host, "host", "", "with --remote: the workspace at this address")
}

// choose lists the tasks that go to a workspace: what the flag says, else
// what the flowctl.yaml beside the job says. Nil: none.
func (f *remoteFlags) choose(job *jobspec.Job, file string) (*tasks.Remote, error) {
	patterns := f.tasks
	if len(patterns) == 0 {
		dir, err := codeDir(file)
		if err != nil {
			return nil, unable(err)
		}
		s, err := readSettings(dir)
		if err != nil {
			return nil, err
		}
		patterns = s.Remote
	}
	if len(patterns) == 0 {
		if f.profile != "" || f.host != "" {
			return nil, usage("--profile and --host say where tasks of --remote run; name them, or run the whole job there with flowctl submit")
		}
		return nil, nil
	}
	keys, err := jobspec.Select(job.Graph, patterns)
	if err != nil {
		return nil, usage("--remote: %w", err)
	}
	return &tasks.Remote{Tasks: keys, Profile: f.profile, Host: f.host}, nil
}

// startPatience is how long a workspace may be away before a run begins.
const startPatience = 30 * time.Second

// sendCode brings the code of the tasks that run on a workspace there.
func (e *env) sendCode(ctx context.Context, home, file string, job *jobspec.Job, code *tasks.Code) error {
	if code.Remote == nil {
		return nil
	}
	c, err := newWorkspaces(home).client(code.Remote)
	if err != nil {
		return unable(err)
	}
	settings, err := onlyTasks(job.Source, code.Remote)
	if err != nil {
		return unable(err)
	}
	src, err := e.source(file, *code)
	if err != nil {
		return err
	}
	plan, folder, err := e.upload(ctx, c, src, settings, job.Name)
	if err != nil {
		return err
	}
	code.Remote.Host, code.Remote.Base, code.Remote.Folder = c.Host(), plan.Base, folder
	return nil
}

// upload puts the code of a job where the user's workspace keeps it.
func (e *env) upload(ctx context.Context, c *rest.Client, src uploads.Source, settings json.RawMessage, job string) (*uploads.Plan, string, error) {
	plan, err := uploads.Find(ctx, src, settings)
	if err != nil {
		return nil, "", usage("%w", err)
	}
	if plan.Empty() {
		return plan, "", nil
	}
	asking := e.patient(c)
	user, err := asking.User(ctx)
	if err != nil {
		return nil, "", workspaceError(ctx, err)
	}
	folder := plan.Folder(user, job)
	last := time.Now()
	stats, err := plan.Put(ctx, asking, folder, uploads.Options{Progress: func(p uploads.Progress) {
		if p.Done == p.Total || time.Since(last) > time.Second {
			last = time.Now()
			fmt.Fprintf(e.stderr, "Uploaded %d of %d files\n", p.Done, p.Total)
		}
	}})
	if err != nil {
		return nil, "", workspaceError(ctx, err)
	}
	if stats.Unchanged {
		fmt.Fprintln(e.stderr, "The code is on the workspace already")
	}
	return plan, folder, nil
}

// patient is a client that rides out a workspace which is away for a moment,
// and says so: nothing has begun yet that could wait longer.
func (e *env) patient(c *rest.Client) *rest.Client {
	return c.Lasting(startPatience, func(err error, _ time.Duration) {
		if err != nil {
			fmt.Fprintln(e.stderr, "Still trying:", err)
		}
	})
}

// workspaceError is the exit status of a workspace that could not be used.
func workspaceError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &exitError{code: exitInterrupted}
	}
	return unable(err)
}

// onlyTasks are a job's settings with the tasks that run on a workspace alone,
// and the environments that those use.
func onlyTasks(settings json.RawMessage, remote *tasks.Remote) (json.RawMessage, error) {
	var job map[string]json.RawMessage
	if err := json.Unmarshal(settings, &job); err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	if job["tasks"] == nil {
		return settings, nil // the single-task form of API 2.0
	}
	used := ""
	keep := func(list, key string, want func(key string, raw json.RawMessage) bool) error {
		var all, some []json.RawMessage
		if len(job[list]) == 0 {
			return nil
		}
		if err := json.Unmarshal(job[list], &all); err != nil {
			return fmt.Errorf("read job: %s: %w", list, err)
		}
		for _, raw := range all {
			var o map[string]json.RawMessage
			var name string
			if json.Unmarshal(raw, &o) == nil && json.Unmarshal(o[key], &name) == nil && want(name, raw) {
				some = append(some, raw)
			}
		}
		raw, err := json.Marshal(some)
		job[list] = raw
		return err
	}
	err := keep("tasks", "task_key", func(key string, raw json.RawMessage) bool {
		if remote.Has(key) {
			used += string(raw)
		}
		return remote.Has(key)
	})
	err = errors.Join(err, keep("environments", "environment_key", func(key string, _ json.RawMessage) bool {
		return strings.Contains(used, `"`+key+`"`)
	}))
	if err != nil {
		return nil, err
	}
	return json.Marshal(job)
}

// workspaces are the workspaces that this process's runs use, each asked by
// one client.
type workspaces struct {
	home string
	mu   sync.Mutex
	open map[string]*rest.Client
}

func newWorkspaces(home string) *workspaces {
	return &workspaces{home: home, open: map[string]*rest.Client{}}
}

func (w *workspaces) client(r *tasks.Remote) (*rest.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := r.Profile + "\n" + r.Host
	if c := w.open[key]; c != nil {
		return c, nil
	}
	c, err := rest.Open(r.Profile, r.Host)
	if err != nil {
		return nil, err
	}
	c.Names = filepath.Join(w.home, "remote")
	w.open[key] = c
	return c, nil
}

// withRemote sends the tasks that a run has on a workspace there, and all
// others where they went before.
func withRemote(here func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error), w *workspaces) func(*jobrun.Run, jobrun.StartAttempt) (engine.Placement, error) {
	return func(r *jobrun.Run, c jobrun.StartAttempt) (engine.Placement, error) {
		var code tasks.Code
		if len(r.Code) == 0 || json.Unmarshal(r.Code, &code) != nil || !code.Remote.Has(c.TaskKey) {
			return here(r, c)
		}
		client, err := w.client(code.Remote)
		if err != nil {
			return engine.Placement{}, err
		}
		m := uploads.Map{Dir: code.Dir, Roots: code.Roots, Base: code.Remote.Base, Folder: code.Remote.Folder}
		return engine.Placement{Runner: &databricks.Runner{Client: client, Code: m}, Elsewhere: true}, nil
	}
}

// follower follows a run that a workspace carries.
func (w *workspaces) follower(r *jobrun.Run) (tasks.Follower, error) {
	var code tasks.Code
	if err := json.Unmarshal(r.Code, &code); err != nil || code.Remote == nil {
		return nil, fmt.Errorf("run %d does not say which workspace carries it", r.ID)
	}
	client, err := w.client(code.Remote)
	if err != nil {
		return nil, err
	}
	return &databricks.Follower{Client: client}, nil
}

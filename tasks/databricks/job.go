package databricks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"flowctl/jobspec"
	"flowctl/jobspec/ref"
	"flowctl/tasks/databricks/rest"
)

// Whole is a whole job to be run once on a workspace.
type Whole struct {
	Job        *jobspec.Job      // its paths lead to the workspace
	Parameters map[string]string // job parameters
	Only       []string          // task keys, as run-now takes them
	Token      string            // idempotency token, at least 13 characters; the same for the same run
}

// Submitted is what a whole job became.
type Submitted struct {
	RunID int64
	// JobID is the job that had to be made for the run, for the caller to
	// delete when the run has ended; 0: the run needed none.
	JobID int64
}

// Submit runs a whole job once: as a one-time run, or if the job needs what
// that lacks (job parameters, job clusters, a choice of tasks) as a job made
// for it, without what would start it again. Only what the Jobs API knows is
// sent. An answer that is lost makes no second run.
func Submit(ctx context.Context, c *rest.Client, w Whole) (Submitted, error) {
	token := w.Token
	if len(w.Job.Parameters) == 0 && len(w.Job.JobClusters) == 0 && len(w.Only) == 0 {
		return submitOnce(ctx, c, w, token)
	}
	id, err := createFor(ctx, c, w.Job, token)
	if err != nil {
		return Submitted{}, err
	}
	var ans jobs.RunNowResponse
	req := jobs.RunNow{JobId: id, IdempotencyToken: token, JobParameters: w.Parameters, Only: w.Only}
	if err := c.Post(ctx, "/api/2.2/jobs/run-now", req, &ans); err != nil {
		return Submitted{}, errors.Join(fmt.Errorf("run the job: %w", err), Forget(context.WithoutCancel(ctx), c, id))
	}
	return Submitted{RunID: ans.RunId, JobID: id}, nil
}

func submitOnce(ctx context.Context, c *rest.Client, w Whole, token string) (Submitted, error) {
	var req jobs.SubmitRun
	if err := json.Unmarshal(w.Job.Source, &req); err != nil {
		return Submitted{}, fmt.Errorf("read the job: %w", err)
	}
	if len(req.Tasks) == 0 && len(w.Job.Tasks) == 1 { // the single-task form of API 2.0
		var t jobs.SubmitTask
		if err := json.Unmarshal(w.Job.Source, &t); err != nil {
			return Submitted{}, fmt.Errorf("read the job: %w", err)
		}
		t.TaskKey, req.EmailNotifications, req.WebhookNotifications = jobspec.LegacyKey, nil, nil
		req.Tasks = []jobs.SubmitTask{t}
	}
	req.IdempotencyToken = token
	if req.RunName == "" {
		req.RunName = w.Job.Name
	}
	var ans jobs.SubmitRunResponse
	if err := c.Post(ctx, "/api/2.2/jobs/runs/submit", req, &ans); err != nil {
		return Submitted{}, fmt.Errorf("submit the job: %w", err)
	}
	return Submitted{RunID: ans.RunId}, nil
}

// createFor makes a job for one run. jobs/create takes no token, so a lost
// answer is met by looking for the job's name, which nobody else has; so is an engine
// that was killed before it could write down what it had made.
func createFor(ctx context.Context, c *rest.Client, job *jobspec.Job, token string) (int64, error) {
	var req jobs.CreateJob
	if err := json.Unmarshal(job.Source, &req); err != nil {
		return 0, fmt.Errorf("read the job: %w", err)
	}
	req.Schedule, req.Trigger, req.Triggers, req.Continuous = nil, nil, nil, nil
	req.Name = fmt.Sprintf("%s [flowctl submit %s]", job.Name, token[:13])
	if req.MaxConcurrentRuns == 0 {
		req.MaxConcurrentRuns = 1
	}
	once := c.Lasting(time.Nanosecond, nil)
	for try := 0; ; try++ {
		if id, err := named(ctx, c, req.Name); err != nil || id != 0 {
			return id, err
		}
		var ans jobs.CreateResponse
		err := once.Post(ctx, "/api/2.2/jobs/create", req, &ans)
		if err == nil {
			return ans.JobId, nil
		}
		var refused *rest.Error
		if errors.As(err, &refused) && refused.Status/100 == 4 && refused.Status != 429 || ctx.Err() != nil || try == 10 {
			return 0, fmt.Errorf("make the job: %w", err)
		}
	}
}

// named finds the job of a name; 0: there is none. The name is compared here
// too: whatever else a workspace answers is somebody's own job.
func named(ctx context.Context, c *rest.Client, name string) (int64, error) {
	for token := ""; ; {
		query := url.Values{"name": {name}}
		if token != "" {
			query.Set("page_token", token)
		}
		var page jobs.ListJobsResponse
		if err := c.Get(ctx, "/api/2.2/jobs/list", query, &page); err != nil {
			return 0, fmt.Errorf("look for the job: %w", err)
		}
		for _, j := range page.Jobs {
			if j.Settings != nil && j.Settings.Name == name {
				return j.JobId, nil
			}
		}
		if token = page.NextPageToken; token == "" {
			return 0, nil
		}
	}
}

// Forget deletes a job that was made for one run; its run stays.
func Forget(ctx context.Context, c *rest.Client, job int64) error {
	if job == 0 {
		return nil
	}
	if err := c.Post(ctx, "/api/2.2/jobs/delete", jobs.DeleteJob{JobId: job}, nil); err != nil && !rest.Missing(err) {
		return fmt.Errorf("delete job %d, which was made for this run: %w", job, err)
	}
	return nil
}

// Official writes a job's references as a workspace documents them, and says
// what it changed.
func Official(settings json.RawMessage) (out json.RawMessage, changes []string, err error) {
	job, err := jobspec.Parse(settings)
	if err != nil {
		return nil, nil, err
	}
	parameter := func(task, key string) (string, bool) {
		if i := job.Graph.Index(task); i >= 0 {
			var p struct {
				Base  map[string]string `json:"base_parameters"`
				Named map[string]string `json:"named_parameters"`
			}
			if json.Unmarshal(job.Tasks[i].Payload, &p) == nil {
				if v, ok := p.Base[key]; ok {
					return v, true
				}
				v, ok := p.Named[key]
				return v, ok
			}
		}
		return "", false
	}
	set := map[string]bool{}
	var v any
	dec := json.NewDecoder(bytes.NewReader(settings))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, nil, fmt.Errorf("read the job: %w", err)
	}
	v = texts(v, func(s string) string {
		out, said := ref.Official(s, parameter)
		for _, c := range said {
			set[c] = true
		}
		return out
	})
	if len(set) == 0 {
		return settings, nil, nil
	}
	if out, err = json.Marshal(v); err != nil {
		return nil, nil, fmt.Errorf("write the job: %w", err)
	}
	return out, slices.Sorted(maps.Keys(set)), nil
}

// texts puts every text of a JSON value through fn.
func texts(v any, fn func(string) string) any {
	switch v := v.(type) {
	case string:
		return fn(v)
	case []any:
		for i := range v {
			v[i] = texts(v[i], fn)
		}
	case map[string]any:
		for k := range v {
			v[k] = texts(v[k], fn)
		}
	}
	return v
}

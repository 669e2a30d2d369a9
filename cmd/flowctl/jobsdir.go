package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flowctl/engine"
	"flowctl/jobspec"
	"flowctl/tasks"
)

// jobsDir keeps jobs in step with the job files of a folder: jobs as code,
// without a client. The file wins when it changes; what the API changes in
// between stays until then.
type jobsDir struct {
	env    *env
	engine *engine.Engine
	dir    string
	log    *slog.Logger

	jobs    map[string]fileJob  // by the file they come from, see engine.Origin
	files   map[string]fileSeen // by path
	missing map[string]bool     // jobs whose file was not there at the last look
}

// fileJob is a job that comes from a file.
type fileJob struct {
	id  int64
	sum string // of what was last taken from the file; "" when the file is gone
}

// fileSeen is a file as it was last read.
type fileSeen struct {
	size int64
	at   time.Time
	keys []string // the jobs that it holds; of a broken file: that it held
}

// Looking costs half a percent of this machine's time at most, and a change
// is seen within a minute.
const (
	dirSoonest = 2 * time.Second
	dirLatest  = time.Minute
	dirShare   = 200
	// settled is how old a change must be to be read: an editor may be at it.
	settled = 300 * time.Millisecond
)

// keepJobs brings the jobs in step with the files under dir, and keeps them so
// until ctx ends.
func (e *env) keepJobs(ctx context.Context, eng *engine.Engine, dir string, log *slog.Logger) error {
	d, err := e.openJobsDir(ctx, eng, dir, log)
	if err != nil {
		return err
	}
	wait := d.look(ctx, time.Time{})
	go func() {
		for {
			select {
			case <-time.After(wait):
				wait = d.look(ctx, time.Now().Add(-settled))
			case <-ctx.Done():
				return
			case <-eng.Done():
				return
			}
		}
	}()
	return nil
}

// openJobsDir finds the jobs that the folder's files made before.
func (e *env) openJobsDir(ctx context.Context, eng *engine.Engine, dir string, log *slog.Logger) (*jobsDir, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, usage("--jobs %s: %w", dir, err)
	}
	if st, err := os.Stat(abs); err != nil || !st.IsDir() {
		return nil, usage("--jobs %s: that is no folder; give the folder that holds the job files", dir)
	}
	d := &jobsDir{env: e, engine: eng, dir: abs, log: log, jobs: map[string]fileJob{}, files: map[string]fileSeen{}, missing: map[string]bool{}}
	inside := abs + string(filepath.Separator)
	err = eng.Jobs(ctx, engine.JobFilter{Everyone: true}, 0, func(j engine.JobRecord, _ json.RawMessage) bool {
		if j.Origin != nil && strings.HasPrefix(j.Origin.File, inside) {
			d.jobs[j.Origin.File] = fileJob{j.ID, j.Origin.Sum}
		}
		return true
	})
	if err != nil {
		return nil, unable(fmt.Errorf("read the jobs of %s: %w", dir, err))
	}
	return d, nil
}

// look compares the files with what they were, and says when to look again.
// A file that changed after before is left for the next time; zero: none is.
func (d *jobsDir) look(ctx context.Context, before time.Time) time.Duration {
	start := time.Now()
	there := map[string]bool{}
	err := filepath.WalkDir(d.dir, func(path string, f fs.DirEntry, err error) error {
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case err != nil:
			return nil
		case f.IsDir() && path != d.dir && strings.HasPrefix(f.Name(), "."):
			return fs.SkipDir
		case f.IsDir() || !isJobFile(f.Name()):
			return nil
		}
		st, err := os.Stat(path) // a file may be a link, as in a mounted ConfigMap
		if err != nil || !st.Mode().IsRegular() {
			return nil
		}
		there[path] = true
		old, known := d.files[path]
		if known && old.size == st.Size() && old.at.Equal(st.ModTime()) || !before.IsZero() && st.ModTime().After(before) && st.ModTime().Before(start) {
			return nil
		}
		d.files[path] = fileSeen{st.Size(), st.ModTime(), d.read(ctx, path, old.keys)}
		return nil
	})
	if err != nil {
		d.log.Warn("job files cannot be read; the jobs stay as they are", "folder", d.dir, "error", err)
		return dirLatest
	}
	for path := range d.files {
		if !there[path] {
			delete(d.files, path)
		}
	}
	d.pauseGone(ctx, there)
	return min(max(time.Since(start)*dirShare, dirSoonest), dirLatest)
}

func isJobFile(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".yml", ".yaml":
		return !strings.HasPrefix(name, ".") && name != "flowctl.yaml"
	}
	return false
}

// read takes the jobs of a file over and returns their keys. A broken file
// changes nothing: its jobs stay as they last were.
func (d *jobsDir) read(ctx context.Context, path string, old []string) []string {
	var keys []string
	broken := func(err error) []string {
		d.log.Error("a job file is broken; its jobs stay as they were", "file", path, "error", err)
		if old == nil { // jobs of before this process
			for key := range d.jobs {
				if key == path || strings.HasPrefix(key, path+"#") {
					old = append(old, key)
				}
			}
		}
		return append(keys, old...)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return broken(err)
	}
	doc, err := jobspec.Read(path, data)
	if err != nil {
		return broken(err)
	}
	var bad jobspec.Invalid
	for _, p := range doc.Check(jobspec.CheckOptions{}) {
		if p.Severity == jobspec.Error {
			bad = append(bad, p)
		} else {
			d.log.Warn("job file", "problem", p.String())
		}
	}
	if len(bad) > 0 {
		return broken(bad)
	}
	code, err := d.env.code(path, nil)
	if err != nil {
		return broken(err)
	}
	for _, entry := range doc.Jobs {
		key := path
		if entry.Key != "" {
			key += "#" + entry.Key
		}
		if len(entry.Job.Tasks) == 0 {
			return broken(fmt.Errorf("%s: a job has tasks; this one has none", entry.Label()))
		}
		keys = append(keys, key)
		code.Pipelines = entry.Pipelines
		if err := d.keep(ctx, key, entry.Job.Source, code); err != nil {
			return broken(err)
		}
	}
	return keys
}

// keep makes a file's job, or gives it what the file says now.
func (d *jobsDir) keep(ctx context.Context, key string, settings json.RawMessage, code tasks.Code) error {
	where, err := json.Marshal(code)
	if err != nil {
		return fmt.Errorf("keep job: %w", err)
	}
	digest := sha256.Sum256(append(append([]byte(nil), settings...), where...))
	j, origin := d.jobs[key], &engine.Origin{File: key, Sum: hex.EncodeToString(digest[:16])}
	if j.id != 0 && j.sum == origin.Sum {
		return nil
	}
	if j.id != 0 {
		err := d.engine.ResetJob(ctx, j.id, engine.JobChange{Settings: settings, By: userName(), Code: &code, Origin: origin})
		if err == nil {
			d.jobs[key] = fileJob{j.id, origin.Sum}
			d.log.Info("job changed by its file", "job", j.id, "file", key)
			return nil
		}
		if _, _, gone := d.engine.Job(ctx, j.id); gone == nil {
			return err
		}
		// It was deleted meanwhile: the file says that it shall be there.
	}
	id, err := d.engine.CreateJob(ctx, engine.JobRequest{Settings: settings, Creator: userName(), Code: code, Origin: origin})
	if err != nil {
		return err
	}
	d.jobs[key] = fileJob{id, origin.Sum}
	d.log.Info("job made of its file", "job", id, "file", key)
	return nil
}

// fileOf is the file of an origin.
func fileOf(origin string) string {
	if i := strings.LastIndex(origin, "#"); i >= 0 && !isJobFile(filepath.Base(origin)) {
		return origin[:i]
	}
	return origin
}

// pauseGone pauses the jobs whose file, or whose place in it, is gone for
// the second look: a file that is being replaced is away for a moment.
func (d *jobsDir) pauseGone(ctx context.Context, there map[string]bool) {
	held := map[string]bool{}
	for path, f := range d.files {
		for _, key := range f.keys {
			held[key] = there[path]
		}
	}
	for key, j := range d.jobs {
		path := fileOf(key)
		if _, read := d.files[path]; held[key] || j.sum == "" || there[path] && !read {
			delete(d.missing, key)
			continue
		}
		if !d.missing[key] {
			d.missing[key] = true
			continue
		}
		delete(d.missing, key)
		err := d.engine.PauseJob(ctx, j.id, jobspec.Paused, engine.JobChange{By: userName(), Origin: &engine.Origin{File: key}})
		if err != nil {
			if _, _, gone := d.engine.Job(ctx, j.id); gone != nil {
				delete(d.jobs, key)
				continue
			}
			d.log.Error("a job whose file is gone cannot be paused", "job", j.id, "file", key, "error", err)
			continue
		}
		d.jobs[key] = fileJob{id: j.id}
		d.log.Info("job paused: its file is gone", "job", j.id, "file", key)
	}
}

package store

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Job is a job of the Jobs API.
type Job struct {
	ID int64
	// Namespace is the workspace that the job belongs to; "" is the one for all.
	Namespace string `json:",omitempty"`
	Name      string
	Spec      string // names the definition
	Creator   string
	RunAs     string `json:",omitempty"`
	Created   time.Time
	Runs      int64           // how many runs it has had: number_in_job of the last
	Code      json.RawMessage `json:",omitempty"` // where its paths lead, as in jobrun.Run
	Lacks     string          `json:",omitempty"` // what keeps it from running; empty: nothing
	Paused    bool            `json:",omitempty"` // by flowctl, beside the definition's own pause_status
	Extra     json.RawMessage `json:",omitempty"` // what the face that made it keeps with it
	Origin    *Origin         `json:",omitempty"` // the file that it is kept in step with; nil: none
}

// Origin is the file that a job is kept in step with.
type Origin struct {
	File string // absolute path; of a file with several jobs, # and the job's key follow
	Sum  string // of what the file last said, in the words of whoever keeps the job; "" when the file is gone
}

// SaveJob writes a job's record.
func (tx *Tx) SaveJob(j Job) error {
	old, err := tx.Job(j.ID)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case old.Name != j.Name:
		if err := tx.own(bucketNames).Delete(nameKey(old.Namespace, old.Name, old.ID)); err != nil {
			return fmt.Errorf("save job %d: %w", j.ID, err)
		}
	}
	if old.ID == 0 || old.Name != j.Name {
		if err := tx.own(bucketNames).Put(nameKey(j.Namespace, j.Name, j.ID), nil); err != nil {
			return fmt.Errorf("save job %d: %w", j.ID, err)
		}
	}
	if err := putJSON(tx.own(bucketJobs), key(j.ID), j); err != nil {
		return fmt.Errorf("save job %d: %w", j.ID, err)
	}
	return nil
}

// nameKey is where a job is found by its name, whatever its case. Source: the
// SDK's documentation of ListJobsRequest.Name: "exact (case insensitive)".
func nameKey(namespace, name string, id int64) []byte {
	sum := sha256.Sum256([]byte(namespace + "\x00" + strings.ToLower(name)))
	return append(sum[:16], key(id)...)
}

// Job reads a job's record.
func (tx *Tx) Job(id int64) (Job, error) {
	var j Job
	if err := getJSON(tx.own(bucketJobs), key(id), &j); err != nil {
		return j, fmt.Errorf("job %d: %w", id, err)
	}
	return j, nil
}

// DeleteJob removes a job's record. Its runs stay readable.
func (tx *Tx) DeleteJob(j Job) error {
	if err := tx.own(bucketNames).Delete(nameKey(j.Namespace, j.Name, j.ID)); err != nil {
		return fmt.Errorf("delete job %d: %w", j.ID, err)
	}
	return tx.own(bucketJobs).Delete(key(j.ID))
}

// JobFilter chooses jobs for JobsBefore.
type JobFilter struct {
	Namespace string
	Everyone  bool   // jobs of all namespaces
	Name      string // "": any; else exactly this, in any case
}

// JobsBefore calls fn for the jobs with ids below before (0: all), newest
// first, until fn returns false. A page costs the same wherever it is, and a
// name costs no more than the jobs that have it.
func (tx *Tx) JobsBefore(f JobFilter, before int64, fn func(Job) bool) error {
	if before <= 0 {
		before = math.MaxInt64
	}
	var err error
	visit := func(v []byte) bool {
		var j Job
		if err = json.Unmarshal(v, &j); err != nil {
			err = fmt.Errorf("read job: %w", err)
			return false
		}
		if !f.Everyone && j.Namespace != f.Namespace {
			return true
		}
		return fn(j)
	}
	jobs := tx.own(bucketJobs)
	if f.Name == "" {
		jobs.ScanBack(nil, key(before), func(_, v []byte) bool { return visit(v) })
		return err
	}
	at := nameKey(f.Namespace, f.Name, before)
	tx.own(bucketNames).ScanBack(at[:16], at, func(k, _ []byte) bool {
		v := jobs.Get(k[16:])
		return v == nil || visit(v)
	})
	return err
}

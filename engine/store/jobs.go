package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"flowctl/jobspec"
)

// Job is a job of the Jobs API.
type Job struct {
	ID      int64
	Name    string
	Spec    string // names the definition
	Creator string
	RunAs   string `json:",omitempty"`
	Created time.Time
	Runs    int64           // how many runs it has had: number_in_job of the last
	Code    json.RawMessage `json:",omitempty"` // where its paths lead, as in jobrun.Run
	Paused  bool            `json:",omitempty"` // by flowctl, beside the definition's own pause_status
	Extra   json.RawMessage `json:",omitempty"` // what the face that made it keeps with it
}

// PutSpec stores a job definition as received and returns its name. The same
// bytes are stored once.
func (tx *Tx) PutSpec(raw json.RawMessage) (string, error) {
	sum := sha256.Sum256(raw)
	hash := hex.EncodeToString(sum[:16])
	b := tx.own(bucketSpecs)
	if b.Get([]byte(hash)) != nil {
		return hash, nil
	}
	if err := b.Put([]byte(hash), raw); err != nil {
		return "", fmt.Errorf("save job definition: %w", err)
	}
	return hash, nil
}

// SpecSource returns a job definition as it was received.
func (tx *Tx) SpecSource(hash string) (json.RawMessage, error) {
	raw := tx.own(bucketSpecs).Get([]byte(hash))
	if raw == nil {
		return nil, fmt.Errorf("job definition %s: %w", hash, ErrNotFound)
	}
	return append(json.RawMessage(nil), raw...), nil
}

// Spec returns a job definition, parsed. It is shared: nobody may change it.
func (tx *Tx) Spec(hash string) (*jobspec.Job, error) {
	if j, ok := tx.store.specs.Load(hash); ok {
		return j.(*jobspec.Job), nil
	}
	raw, err := tx.SpecSource(hash)
	if err != nil {
		return nil, err
	}
	return tx.store.parse(hash, raw)
}

// SaveJob writes a job's record.
func (tx *Tx) SaveJob(j Job) error {
	if err := putJSON(tx.own(bucketJobs), key(j.ID), j); err != nil {
		return fmt.Errorf("save job %d: %w", j.ID, err)
	}
	return nil
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
func (tx *Tx) DeleteJob(id int64) error { return tx.own(bucketJobs).Delete(key(id)) }

// JobsBefore calls fn for the jobs with ids below before, newest first, until
// fn returns false.
func (tx *Tx) JobsBefore(before int64, fn func(Job) bool) error {
	if before <= 0 {
		before = math.MaxInt64
	}
	var err error
	tx.own(bucketJobs).ScanBack(nil, key(before), func(_, v []byte) bool {
		var j Job
		if err = json.Unmarshal(v, &j); err != nil {
			err = fmt.Errorf("read job: %w", err)
			return false
		}
		return fn(j)
	})
	return err
}

package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Record is what is remembered of a deployed job.
type Record struct {
	Host     string          // of the workspace
	Key      string          // which job of which file it is, wherever that lies
	JobID    int64           // 0: not known to exist
	Seen     json.RawMessage `json:",omitempty"` // as the workspace answered them right after
	Folder   string          // of the code that the job runs; "": none
	Uploaded bool            // the folder is whole
	Old      []string        // folders of earlier code, which this deployment alone has made
	Versions []Version       // oldest first
}

// Version is one state that was deployed.
type Version struct {
	At       time.Time
	By       string
	Commit   string `json:",omitempty"`
	Folder   string `json:",omitempty"` // of its code; "": none, or an older record
	Settings json.RawMessage
}

// token marks the job on the workspace. It follows from the key, so that the
// job is found from any machine, and even if the answer to its creation was lost.
func (r *Record) token() string {
	sum := sha256.Sum256([]byte("deployment\x00" + r.Key))
	return hex.EncodeToString(sum[:12])
}

// keepVersions bounds a record.
const keepVersions = 100

// Records are the deployed jobs of a data directory.
type Records struct{ Dir string }

func (r Records) path(host, key string) string {
	sum := sha256.Sum256([]byte(host + "\x00" + key))
	return filepath.Join(r.Dir, hex.EncodeToString(sum[:10])+".json")
}

// Get reads what is remembered of a job; of one that was never deployed a new
// record.
func (r Records) Get(host, key string) (*Record, error) {
	rec := &Record{Host: host, Key: key}
	raw, err := os.ReadFile(r.path(host, key))
	if errors.Is(err, os.ErrNotExist) {
		return rec, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was deployed: %w", err)
	}
	if err := json.Unmarshal(raw, rec); err != nil {
		return nil, fmt.Errorf("read what was deployed: %s: %w", r.path(host, key), err)
	}
	return rec, nil
}

// OfJob finds the record of a job that was deployed to a workspace; nil: there
// is none.
func (r Records) OfJob(host string, job int64) (*Record, error) {
	paths, err := filepath.Glob(filepath.Join(r.Dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("read what was deployed: %w", err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read what was deployed: %w", err)
		}
		rec := &Record{}
		if err := json.Unmarshal(raw, rec); err != nil {
			return nil, fmt.Errorf("read what was deployed: %s: %w", path, err)
		}
		if rec.Host == host && rec.JobID == job {
			return rec, nil
		}
	}
	return nil, nil
}

// Put writes a record, whole or not at all; it is on disk when Put returns.
func (r Records) Put(rec *Record) (err error) {
	raw, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		return fmt.Errorf("remember what was deployed: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("remember what was deployed: %w", err)
		}
	}()
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(r.Dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), r.path(rec.Host, rec.Key))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is of no use
	}
	return err
}

package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"flowctl/engine/store"
)

// bucketVersions holds what jobs were: job, number → version.
const bucketVersions = "jobversions"

// maxVersions bounds the history of a job.
const maxVersions = 500

// Version is one state of a job's definition.
type Version struct {
	Number   int // 1 is the first
	At       time.Time
	By       string          `json:",omitempty"`
	Note     string          `json:",omitempty"` // the git commit that it came from, if it is known
	Settings json.RawMessage `json:"-"`
}

// version is what is stored of a Version.
type version struct {
	Version
	Spec string
}

func versionKey(job int64, n int) []byte {
	k := binary.BigEndian.AppendUint64(nil, uint64(job))
	return binary.BigEndian.AppendUint64(k, uint64(n))
}

// keepVersion adds a job's new definition to its history, unless it is the
// one that it had.
func (e *Engine) keepVersion(tx *store.Tx, job int64, spec, by, note string) error {
	b, err := tx.Bucket(bucketVersions)
	if err != nil {
		return err
	}
	var last version
	b.ScanBack(versionKey(job, 0)[:8], versionKey(job+1, 0), func(_, v []byte) bool {
		err = json.Unmarshal(v, &last)
		return false
	})
	if err != nil {
		return fmt.Errorf("read history of job %d: %w", job, err)
	}
	if last.Spec == spec {
		return nil
	}
	v := version{Version{Number: last.Number + 1, At: e.now().UTC(), By: by, Note: note}, spec}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write history of job %d: %w", job, err)
	}
	if v.Number > maxVersions {
		if err := b.Delete(versionKey(job, v.Number-maxVersions)); err != nil {
			return fmt.Errorf("write history of job %d: %w", job, err)
		}
	}
	return b.Put(versionKey(job, v.Number), raw)
}

// Versions reads the history of a job's definition, oldest first. A job that
// was deleted still has one.
func (e *Engine) Versions(_ context.Context, job int64) ([]Version, error) {
	var list []Version
	err := e.store.View(func(tx *store.Tx) error {
		b, err := tx.Bucket(bucketVersions)
		if err != nil {
			return err
		}
		b.Scan(versionKey(job, 0)[:8], func(_, raw []byte) bool {
			var v version
			if err = json.Unmarshal(raw, &v); err != nil {
				return false
			}
			if v.Settings, err = tx.SpecSource(v.Spec); err != nil {
				return false
			}
			list = append(list, v.Version)
			return true
		})
		return err
	})
	if err == nil && len(list) == 0 {
		err = noJob(job)
	}
	return list, err
}

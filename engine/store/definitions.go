package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"flowctl/engine/jobrun"
	"flowctl/jobspec"
)

// A job's definition is stored once, named by its content. Those of jobs stay:
// the history of the job names them. Those that only runs have (one-time runs,
// runs of a file) are counted in the bucket held and go with the last of their
// runs: whoever submits a new definition every minute must not fill the disk.

// PutSpec stores the definition of a job as received, for good, and returns
// its name.
func (tx *Tx) PutSpec(raw json.RawMessage) (string, error) {
	hash, _, err := tx.putSpec(raw)
	if err != nil {
		return "", err
	}
	return hash, tx.own(bucketHeld).Delete([]byte(hash))
}

// PutRunSpec stores the definition of a run, which HoldSpecs then has kept
// until the last run of it is deleted.
func (tx *Tx) PutRunSpec(raw json.RawMessage) (string, error) {
	hash, fresh, err := tx.putSpec(raw)
	if err != nil || !fresh {
		return hash, err
	}
	return hash, tx.setHeld(hash, 0)
}

// putSpec tells also whether the definition was not there yet.
func (tx *Tx) putSpec(raw json.RawMessage) (hash string, fresh bool, err error) {
	sum := sha256.Sum256(raw)
	hash = hex.EncodeToString(sum[:16])
	b := tx.own(bucketSpecs)
	if b.Get([]byte(hash)) != nil {
		return hash, false, nil
	}
	if err := b.Put([]byte(hash), raw); err != nil {
		return "", false, fmt.Errorf("save job definition: %w", err)
	}
	return hash, true, nil
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
	if j := tx.store.specs.get(hash); j != nil {
		return j, nil
	}
	raw, err := tx.SpecSource(hash)
	if err != nil {
		return nil, err
	}
	return tx.store.parse(hash, raw)
}

// HoldSpecs has a new run keep its definitions. It belongs into the call that
// makes the run: a deletion of another one may come right after it.
func (tx *Tx) HoldSpecs(r *jobrun.Run) error {
	for _, hash := range specsOf(r) {
		if n, counted := tx.held(hash); counted {
			if err := tx.setHeld(hash, n+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// release takes a run that is deleted from the count. A definition that no run
// has any more goes.
func (tx *Tx) release(r *jobrun.Run) error {
	for _, hash := range specsOf(r) {
		n, counted := tx.held(hash)
		switch {
		case !counted: // a job's
		case n > 1:
			if err := tx.setHeld(hash, n-1); err != nil {
				return err
			}
		default:
			for _, name := range []string{bucketHeld, bucketSpecs} {
				if err := tx.own(name).Delete([]byte(hash)); err != nil {
					return fmt.Errorf("delete job definition: %w", err)
				}
			}
		}
	}
	return nil
}

// specsOf are the definitions that a run needs: its own, and those of the jobs
// of its file.
func specsOf(r *jobrun.Run) []string {
	list := append(slices.Collect(maps.Values(r.Siblings)), r.Spec)
	slices.Sort(list)
	return slices.Compact(list)
}

func (tx *Tx) held(hash string) (runs uint64, counted bool) {
	v := tx.own(bucketHeld).Get([]byte(hash))
	if len(v) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

func (tx *Tx) setHeld(hash string, runs uint64) error {
	if err := tx.own(bucketHeld).Put([]byte(hash), binary.BigEndian.AppendUint64(nil, runs)); err != nil {
		return fmt.Errorf("count the runs of a job definition: %w", err)
	}
	return nil
}

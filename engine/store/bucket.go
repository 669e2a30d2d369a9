package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// The buckets of the engine's own records. Keys are big-endian, so that the
// order of keys is the order of ids.
const (
	bucketMeta     = "meta"
	bucketSpecs    = "specs"    // hash → job settings, as received
	bucketJobs     = "jobs"     // job → Job
	bucketNames    = "jobnames" // hash of namespace and name, job → nothing
	bucketRuns     = "runs"     // run → jobrun.Run, without tasks
	bucketTasks    = "tasks"    // run, task index, 1+item → jobrun.TaskRun
	bucketAttempts = "attempts" // attempt → run, task index, 1+item, attempt number
	bucketOutputs  = "outputs"  // attempt → Output
	bucketFacts    = "facts"    // attempt, n → tasks.Fact
	bucketJournal  = "journal"  // seq → jobrun.Entry
	bucketByJob    = "byjob"    // job, run → nothing
	bucketActive   = "active"   // run → job
	bucketTokens   = "tokens"   // idempotency token → run
	bucketHeld     = "held"     // hash of a definition that only runs have → how many
)

var buckets = []string{
	bucketMeta, bucketSpecs, bucketJobs, bucketNames, bucketRuns, bucketTasks, bucketAttempts, bucketOutputs, bucketFacts,
	bucketJournal, bucketByJob, bucketActive, bucketTokens, bucketHeld,
}

// Bucket is a sorted map of bytes with a name. Other rooms keep their records
// in buckets of their own.
type Bucket struct{ b *bbolt.Bucket }

// Bucket finds a bucket, making it if the transaction writes. In a reading
// transaction a bucket that is not there reads as empty.
func (tx *Tx) Bucket(name string) (Bucket, error) {
	b := tx.bolt.Bucket([]byte(name))
	if b == nil && tx.bolt.Writable() {
		var err error
		if b, err = tx.bolt.CreateBucket([]byte(name)); err != nil {
			return Bucket{}, fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	return Bucket{b}, nil
}

func (tx *Tx) own(name string) Bucket { return Bucket{tx.bolt.Bucket([]byte(name))} }

// Get returns the value under key, nil if there is none. It is good only
// within the transaction.
func (b Bucket) Get(key []byte) []byte {
	if b.b == nil {
		return nil
	}
	return b.b.Get(key)
}

// Put sets the value under key.
func (b Bucket) Put(key, value []byte) error { return b.b.Put(key, value) }

// Delete removes key; a key that is not there is no error.
func (b Bucket) Delete(key []byte) error { return b.b.Delete(key) }

// Scan calls fn for every key with the prefix, in order, until fn returns false.
func (b Bucket) Scan(prefix []byte, fn func(k, v []byte) bool) {
	b.ScanFrom(prefix, prefix, fn)
}

// ScanFrom is Scan from the first key that is not before start.
func (b Bucket) ScanFrom(prefix, start []byte, fn func(k, v []byte) bool) {
	if b.b == nil {
		return
	}
	c := b.b.Cursor()
	for k, v := c.Seek(start); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if !fn(k, v) {
			return
		}
	}
}

// ScanBack calls fn for the keys with the prefix that are before end, last
// first, until fn returns false.
func (b Bucket) ScanBack(prefix, end []byte, fn func(k, v []byte) bool) {
	if b.b == nil {
		return
	}
	c := b.b.Cursor()
	k, v := c.Seek(end)
	if k == nil {
		k, v = c.Last()
	}
	for k != nil && bytes.Compare(k, end) >= 0 {
		k, v = c.Prev()
	}
	for ; k != nil && bytes.HasPrefix(k, prefix); k, v = c.Prev() {
		if !fn(k, v) {
			return
		}
	}
}

// key joins numbers to a key: eight bytes each.
func key(nums ...int64) []byte {
	k := make([]byte, 0, 8*len(nums))
	for _, n := range nums {
		k = binary.BigEndian.AppendUint64(k, uint64(n))
	}
	return k
}

func num(k []byte) int64 { return int64(binary.BigEndian.Uint64(k)) }

func (tx *Tx) number(name string) int64 {
	v := tx.own(bucketMeta).Get([]byte(name))
	if len(v) != 8 {
		return 0
	}
	return num(v)
}

func (tx *Tx) setNumber(name string, n int64) error {
	return tx.own(bucketMeta).Put([]byte(name), key(n))
}

// NextID is the first id that nothing has.
func (tx *Tx) NextID() int64 { return tx.number("next id") }

// SetNextID stores it.
func (tx *Tx) SetNextID(n int64) error { return tx.setNumber("next id", n) }

func putJSON(b Bucket, k []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return b.Put(k, raw)
}

func getJSON(b Bucket, k []byte, v any) error {
	raw := b.Get(k)
	if raw == nil {
		return ErrNotFound
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("read record: %w", err)
	}
	return nil
}

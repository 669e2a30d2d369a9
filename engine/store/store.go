// Package store is the data directory: one bbolt file, and the folders of the
// attempts with their logs. It is the only package that knows either.
//
// It holds records and decides nothing. Runs are written by the engine's loop
// alone; other rooms keep their own buckets. Start reading at Open and at
// runs.go.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"flowctl/jobspec"
)

// ErrInUse says that another process holds the data directory.
var ErrInUse = errors.New("the data directory is in use by another flowctl")

// ErrNotFound says that there is no such record.
var ErrNotFound = errors.New("not found")

// schema is the number of the layout of the records. A store of a later
// layout is refused rather than misread.
const schema = 1

// firstID keeps ids at 15 digits, below 2^53, as clients expect of the Jobs API.
const firstID = 200_000_000_000_001

// Store is an open data directory.
type Store struct {
	home string
	db   *bbolt.DB

	specs specCache
}

// Options are the settings of Open.
type Options struct {
	// NoSync leaves writes to the operating system: for tests, where a power
	// cut is not among the faults.
	NoSync bool
}

// Open opens the data directory, making it if it is not there. ErrInUse means
// that another process has it.
func Open(home string, opt Options) (*Store, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(home, "runs"), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(home, "flowctl.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Nanosecond, // one try: whoever holds the file keeps it for long
		NoSync:          opt.NoSync,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{home: home, db: db}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// prepare makes the buckets of a new store and checks the layout of an old one.
func (s *Store) prepare() error {
	ready := false
	err := s.View(func(tx *Tx) error {
		if tx.bolt.Bucket([]byte(bucketMeta)) == nil {
			return nil
		}
		ready = true
		for _, name := range buckets { // a store of before this one's last bucket
			ready = ready && tx.bolt.Bucket([]byte(name)) != nil
		}
		if n := tx.number("schema"); n != schema {
			return fmt.Errorf("%s was written by another version of flowctl: layout %d, this one reads %d", s.db.Path(), n, schema)
		}
		return nil
	})
	if err != nil || ready {
		return err
	}
	return s.Update(func(tx *Tx) error {
		for _, name := range buckets {
			if _, err := tx.bolt.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("make bucket %s: %w", name, err)
			}
		}
		if tx.number("schema") == schema {
			return nil
		}
		if err := tx.setNumber("next id", firstID); err != nil {
			return err
		}
		return tx.setNumber("schema", schema)
	})
}

// Close lets go of the data directory.
func (s *Store) Close() error { return s.db.Close() }

// Home is the data directory, absolute.
func (s *Store) Home() string { return s.home }

// Tx is a transaction. It is good only within the call that it was given to.
type Tx struct {
	store *Store
	bolt  *bbolt.Tx
}

// View reads. Any number of readers go on beside the writer.
func (s *Store) View(fn func(*Tx) error) error {
	return s.db.View(func(b *bbolt.Tx) error { return fn(&Tx{s, b}) })
}

// Update writes: all of it or, if fn fails, nothing. It returns when the
// writes are on disk.
func (s *Store) Update(fn func(*Tx) error) error {
	return s.db.Update(func(b *bbolt.Tx) error { return fn(&Tx{s, b}) })
}

// Stats are numbers for metrics and benchmarks.
type Stats struct {
	Commits   int64         // write transactions since Open
	WriteTime time.Duration // spent in them, waiting for the disk
	Bytes     int64         // size of the file
}

// Stats returns the numbers of the store since Open.
func (s *Store) Stats() Stats {
	st := s.db.Stats()
	n := st.TxStats.GetWrite()
	var size int64
	if fi, err := os.Stat(s.db.Path()); err == nil {
		size = fi.Size()
	}
	return Stats{Commits: n, WriteTime: st.TxStats.GetWriteTime(), Bytes: size}
}

// parse reads a stored definition.
func (s *Store) parse(hash string, raw []byte) (*jobspec.Job, error) {
	j, err := jobspec.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("read stored job %s: %w", hash, err)
	}
	return s.specs.put(hash, j), nil
}

package store

import (
	"encoding/json"
	"fmt"
	"math"

	"flowctl/engine/jobrun"
)

// LastSeq is the number of the journal's last entry, 0 if it has none.
func (tx *Tx) LastSeq() uint64 {
	var seq uint64
	tx.own(bucketJournal).ScanBack(nil, key(math.MaxInt64), func(k, _ []byte) bool {
		seq = uint64(num(k))
		return false
	})
	return max(seq, uint64(tx.number("pruned seq")))
}

// AppendEntry writes an entry under its Seq.
func (tx *Tx) AppendEntry(e jobrun.Entry) error {
	if err := putJSON(tx.own(bucketJournal), key(int64(e.Seq)), e); err != nil {
		return fmt.Errorf("save journal entry %d: %w", e.Seq, err)
	}
	return nil
}

// EntriesAfter calls fn for the entries after seq, in order, until fn returns false.
func (tx *Tx) EntriesAfter(seq uint64, fn func(jobrun.Entry) bool) error {
	var err error
	tx.own(bucketJournal).ScanFrom(nil, key(int64(seq)+1), func(_, v []byte) bool {
		var e jobrun.Entry
		if err = json.Unmarshal(v, &e); err != nil {
			err = fmt.Errorf("read journal: %w", err)
			return false
		}
		return fn(e)
	})
	return err
}

// PruneJournal drops up to limit entries before seq, and says how many.
func (tx *Tx) PruneJournal(seq uint64, limit int) (int, error) {
	var doomed [][]byte
	b := tx.own(bucketJournal)
	b.Scan(nil, func(k, _ []byte) bool {
		if uint64(num(k)) >= seq || len(doomed) == limit {
			return false
		}
		doomed = append(doomed, append([]byte(nil), k...))
		return true
	})
	if len(doomed) == 0 {
		return 0, nil
	}
	if err := tx.setNumber("pruned seq", num(doomed[len(doomed)-1])); err != nil {
		return 0, err
	}
	for _, k := range doomed {
		if err := b.Delete(k); err != nil {
			return 0, fmt.Errorf("prune journal: %w", err)
		}
	}
	return len(doomed), nil
}

package notify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"flowctl/engine/jobrun"
	"flowctl/engine/store"
)

// bucket holds the rows: queue, order → row.
const bucket = "outbox"

// row is a notice on its way to one recipient.
type row struct {
	Event    string        `json:"event"` // the same at each try
	To       recipient     `json:"to"`
	Notice   jobrun.Notify `json:"notice"`
	Created  time.Time     `json:"created"`
	Failures int           `json:"failures,omitempty"`
	// After is when a row that failed may be tried again.
	After time.Time `json:"after,omitzero"`
}

// recipient is who gets a notice.
type recipient struct {
	Kind      recipientKind `json:"kind"`
	Namespace string        `json:"namespace,omitempty"` // of a destination
	Name      string        `json:"name"`                // an address, or a destination's id
}

type recipientKind string

const (
	byEmail       recipientKind = "email"
	toDestination recipientKind = "destination"
)

// queueKey is the part of a row's key that all rows to a recipient share.
type queueKey [16]byte

func queueOf(to recipient) queueKey {
	sum := sha256.Sum256([]byte(string(to.Kind) + "\x00" + to.Namespace + "\x00" + to.Name))
	return queueKey(sum[:16])
}

func eventID() string { return uuid.NewString() }

// put writes a row behind all others. That there is one writing transaction at
// a time guards o.order.
func (o *Outbox) put(tx *store.Tx, r row) (queueKey, error) {
	q := queueOf(r.To)
	b, err := tx.Bucket(bucket)
	if err != nil {
		return q, err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return q, fmt.Errorf("write notice: %w", err)
	}
	o.order = max(o.order+1, o.opt.Now().UnixNano())
	// The event's id keeps rows apart whose order is the same because the
	// clock was set back between two processes.
	k := binary.BigEndian.AppendUint64(q[:], uint64(o.order))
	k = append(k, r.Event...)
	if err := b.Put(k, raw); err != nil {
		return q, fmt.Errorf("write notice: %w", err)
	}
	return q, nil
}

// waiting lists the queues that hold something, without reading their rows.
func waiting(s *store.Store) (list []queueKey, err error) {
	err = s.View(func(tx *store.Tx) error {
		b, err := tx.Bucket(bucket)
		if err != nil {
			return err
		}
		for start := []byte{}; start != nil; {
			from := start
			start = nil
			b.ScanFrom(nil, from, func(k, _ []byte) bool {
				if len(k) < len(queueKey{}) {
					return true
				}
				q := queueKey(k[:len(queueKey{})])
				list = append(list, q)
				start = append(q[:], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // behind its rows
				return false
			})
		}
		return nil
	})
	return list, err
}

// entry is a row with its place.
type entry struct {
	key []byte
	row
}

// due reads at most limit rows of a queue that may be tried now. If there is
// none, next is when there will be; zero: the queue is empty.
func (o *Outbox) due(q queueKey, limit int) (list []entry, next time.Time, err error) {
	now := o.opt.Now()
	err = o.store.View(func(tx *store.Tx) error {
		b, err := tx.Bucket(bucket)
		if err != nil {
			return err
		}
		var bad error
		b.Scan(q[:], func(k, v []byte) bool {
			e := entry{key: append([]byte(nil), k...)}
			if bad = json.Unmarshal(v, &e.row); bad != nil {
				return false
			}
			if e.After.After(now) {
				if next.IsZero() || e.After.Before(next) {
					next = e.After
				}
				return true
			}
			list = append(list, e)
			return len(list) < limit
		})
		if bad != nil {
			return fmt.Errorf("read notice: %w", bad)
		}
		return nil
	})
	return list, next, err
}

// settle removes the rows that are done with, and puts one that failed behind
// the others.
func (o *Outbox) settle(done []entry, failed *entry) error {
	return o.store.Update(func(tx *store.Tx) error {
		b, err := tx.Bucket(bucket)
		if err != nil {
			return err
		}
		if failed != nil {
			if _, err := o.put(tx, failed.row); err != nil {
				return err
			}
			done = append(done, *failed)
		}
		for _, e := range done {
			if err := b.Delete(e.key); err != nil {
				return fmt.Errorf("delete notice: %w", err)
			}
		}
		return nil
	})
}

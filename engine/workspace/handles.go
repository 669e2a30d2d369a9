package workspace

import (
	"io"
	"time"
)

// Handles are uploads in pieces. The file appears whole when its handle is
// closed; a handle that is not used for ten minutes is gone with its bytes, as
// it is in a workspace. So are all of them when the process ends.
const (
	maxHandles   = 1000
	handleExpiry = 10 * time.Minute
)

type handle struct {
	owner     string // id of who made it
	rel       string
	overwrite bool
	part      *partial
	used      time.Time
	busy      bool // a block is being added, or it is being closed
}

// Create opens a handle to write a file through.
func (d *DBFS) Create(who Identity, name string, overwrite bool) (int64, error) {
	rel, err := d.target(name, overwrite)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for id, h := range d.handles {
		if !h.busy && now.Sub(h.used) >= handleExpiry {
			h.part.discard()
			delete(d.handles, id)
		}
	}
	if len(d.handles) >= maxHandles {
		return 0, refuse(LimitExceeded, "%d files are being written already; close some of them first.", maxHandles)
	}
	part, err := d.disk.newPartial()
	if err != nil {
		return 0, err
	}
	// Numbers are not used again after a restart, so that a late block cannot
	// land in somebody else's file.
	d.last = max(d.last+1, now.UnixMicro()%idRange)
	d.handles[d.last] = &handle{owner: who.ID, rel: rel, overwrite: overwrite, part: part, used: now}
	return d.last, nil
}

// take finds a handle and keeps others from it until it is released.
func (d *DBFS) take(who Identity, id int64) (*handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.handles[id]
	if h == nil || h.owner != who.ID || d.now().Sub(h.used) >= handleExpiry {
		return nil, refuse(DoesNotExist, "No stream handle exists with id %d; it may have been closed, or not used for %.0f minutes.", id, handleExpiry.Minutes())
	}
	if h.busy {
		return nil, refuse(InvalidParameter, "Handle %d is in use by another request: blocks are added one after the other.", id)
	}
	h.busy = true
	return h, nil
}

// AddBlock appends at most 1 MiB to the file of a handle.
func (d *DBFS) AddBlock(who Identity, id int64, block io.Reader) error {
	h, err := d.take(who, id)
	if err != nil {
		return err
	}
	before := h.part.size
	err = h.part.append(block, before+maxBlock)
	if err != nil {
		// Half a block would be a corrupt file.
		if cut := h.part.truncate(before); cut != nil {
			err = cut
		}
	}
	d.mu.Lock()
	h.busy, h.used = false, d.now()
	d.mu.Unlock()
	if refused(err, RequestTooLarge) {
		return refuse(BlockTooLarge, "A block has at most %d bytes.", maxBlock)
	}
	return err
}

// CloseHandle puts the file in its place.
func (d *DBFS) CloseHandle(who Identity, id int64) error {
	h, err := d.take(who, id)
	if err != nil {
		return err
	}
	defer h.part.discard()
	err = d.place(h.part, h.rel, h.overwrite)
	d.mu.Lock()
	delete(d.handles, id)
	d.mu.Unlock()
	return err
}

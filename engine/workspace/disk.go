package workspace

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// disk is a folder of files that no name and no link can lead out of. A file
// appears in it whole or not at all: it is received beside the others and
// renamed into its place.
type disk struct {
	root   *os.Root
	noSync bool

	// mu is held from a look at what is there to the rename that depends on
	// it. Reading needs no lock.
	mu sync.Mutex
}

func openDisk(dir string, noSync bool) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	// What a crash left half received is of no use to anybody.
	if err := os.RemoveAll(filepath.Join(dir, partialDir)); err != nil {
		return nil, fmt.Errorf("clear folder: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, partialDir), 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	return &disk{root: root, noSync: noSync}, nil
}

// at is the name that os.Root wants: "." for the root.
func at(rel string) string {
	if rel == "" {
		return "."
	}
	return filepath.FromSlash(rel)
}

func (d *disk) stat(rel string) (fs.FileInfo, error) { return d.root.Stat(at(rel)) }

// partial is a file that is not in its place yet.
type partial struct {
	disk *disk
	name string
	size int64
}

func (d *disk) newPartial() (*partial, error) {
	p := &partial{disk: d, name: partialDir + "/" + rand.Text()}
	f, err := d.root.OpenFile(at(p.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, diskError(err, "receive file", "/")
	}
	return p, f.Close()
}

// receive stores a body of at most limit bytes. The caller publishes or discards it.
func (d *disk) receive(body io.Reader, limit int64) (*partial, error) {
	p, err := d.newPartial()
	if err != nil {
		return nil, err
	}
	if err := p.append(body, limit); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// append adds a body to the file, which may then have at most limit bytes.
func (p *partial) append(body io.Reader, limit int64) error {
	f, err := p.disk.root.OpenFile(at(p.name), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return diskError(err, "receive file", "/")
	}
	n, err := io.Copy(f, io.LimitReader(body, limit-p.size+1))
	p.size += n
	if err == nil && p.size > limit {
		err = refuse(RequestTooLarge, "The content is larger than the limit of %d bytes.", limit)
	}
	if err == nil && !p.disk.noSync {
		err = f.Sync()
	}
	return diskError(errors.Join(err, f.Close()), "receive file", "/")
}

// truncate cuts the file back to what it was.
func (p *partial) truncate(size int64) error {
	f, err := p.disk.root.OpenFile(at(p.name), os.O_WRONLY, 0o600)
	if err != nil {
		return diskError(err, "receive file", "/")
	}
	p.size = size
	return diskError(errors.Join(f.Truncate(size), f.Close()), "receive file", "/")
}

func (p *partial) open() (*os.File, error) { return p.disk.root.Open(at(p.name)) }

// publish moves the file to its place. The caller holds mu.
func (p *partial) publish(rel string) error {
	err := p.disk.root.Rename(at(p.name), at(rel))
	if err == nil && !p.disk.noSync {
		err = p.disk.syncDir(parentOf(rel))
	}
	return diskError(err, "put file in its place", "/"+rel)
}

// syncDir makes what was renamed into a folder outlast a power cut.
func (d *disk) syncDir(rel string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	f, err := d.root.Open(at(rel))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// discard removes the file, if it was not published.
func (p *partial) discard() { _ = p.disk.root.Remove(at(p.name)) }

// remove takes a file or a folder with all that it holds out of the tree at
// once, and deletes it then. The caller holds no lock.
func (d *disk) remove(rel string) error {
	aside := partialDir + "/" + rand.Text()
	d.mu.Lock()
	err := d.root.Rename(at(rel), at(aside))
	d.mu.Unlock()
	if err != nil {
		return diskError(err, "remove", "/"+rel)
	}
	return diskError(d.root.RemoveAll(at(aside)), "remove", "/"+rel)
}

// empty says whether a folder has nothing in it.
func (d *disk) empty(rel string) (bool, error) {
	f, err := d.root.Open(at(rel))
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return len(names) == 0, err
}

// read lists a folder, sorted by name, without what is not whole yet.
func (d *disk) read(rel string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(d.root.FS(), filepath.ToSlash(at(rel)))
	if err != nil || rel != "" {
		return list, err
	}
	kept := list[:0]
	for _, e := range list {
		if e.Name() != partialDir {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

func (d *disk) close() error { return d.root.Close() }

package workspace

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"
)

// Limits of the DBFS API. Source: its REST API reference.
const (
	maxBlock    = 1 << 20
	defaultRead = 512 << 10
	maxDBFSFile = 2 << 30 // of one upload as a form
)

// DBFS is the file system dbfs:/, which everybody shares.
type DBFS struct {
	disk *disk
	now  func() time.Time

	mu      sync.Mutex
	handles map[int64]*handle
	last    int64
}

// FileInfo describes a file or a folder of dbfs:/ or /Volumes.
type FileInfo struct {
	Path     string
	IsDir    bool
	Size     int64
	Modified time.Time
}

// dbfsPath is a path of dbfs:/; the scheme may be there or not.
func dbfsPath(name string) (string, error) {
	rel, err := cleanPath(strings.TrimPrefix(name, "dbfs:"))
	if err == nil && (rel == "Volumes" || strings.HasPrefix(rel, "Volumes/")) {
		err = refuse(InvalidParameter, "Path (%s) is in a volume; use the Files API (/api/2.0/fs/files) for it.", name)
	}
	return rel, err
}

func noFile(rel string) error {
	return refuse(DoesNotExist, "No file or directory exists on path /%s.", rel)
}

func fileThere(rel string) error {
	return refuse(AlreadyExists, "A file or directory already exists at the input path /%s.", rel)
}

func infoOf(root, rel string, info fs.FileInfo) FileInfo {
	f := FileInfo{Path: root + rel, IsDir: info.IsDir(), Modified: info.ModTime()}
	if !f.IsDir {
		f.Size = info.Size()
	}
	return f
}

// lookup is stat in this API's words.
func (d *DBFS) lookup(rel string) (fs.FileInfo, error) {
	info, err := d.disk.stat(rel)
	if notThere(err) {
		return nil, noFile(rel)
	}
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, noFile(rel)
	}
	return info, diskError(err, "look at file", "/"+rel)
}

// Status describes a file or a folder.
func (d *DBFS) Status(name string) (FileInfo, error) {
	rel, err := dbfsPath(name)
	if err != nil {
		return FileInfo{}, err
	}
	info, err := d.lookup(rel)
	if err != nil {
		return FileInfo{}, err
	}
	return infoOf("/", rel, info), nil
}

// List describes what is in a folder, sorted by name; of a file, that alone.
func (d *DBFS) List(name string) ([]FileInfo, error) {
	rel, err := dbfsPath(name)
	if err != nil {
		return nil, err
	}
	info, err := d.lookup(rel)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []FileInfo{infoOf("/", rel, info)}, nil
	}
	files, err := d.disk.read(rel)
	if err != nil {
		return nil, diskError(err, "list folder", "/"+rel)
	}
	list := make([]FileInfo, 0, len(files))
	for _, f := range files {
		child := path.Join(rel, f.Name())
		if info, err := d.lookup(child); err == nil {
			list = append(list, infoOf("/", child, info))
		}
	}
	return list, nil
}

// Read returns up to length bytes of a file from offset on; 0 means 512 KiB,
// more than 1 MiB is refused. Past the end there is nothing.
func (d *DBFS) Read(name string, offset, length int64) ([]byte, error) {
	rel, err := dbfsPath(name)
	switch {
	case err != nil:
		return nil, err
	case offset < 0 || length < 0:
		return nil, refuse(InvalidParameter, "offset and length must not be negative: %d, %d.", offset, length)
	case length > maxBlock:
		return nil, refuse(ReadTooLarge, "At most %d bytes can be read at once, not %d.", maxBlock, length)
	case length == 0:
		length = defaultRead
	}
	info, err := d.lookup(rel)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, refuse(InvalidParameter, "Path /%s is a directory: it cannot be read.", rel)
	}
	f, err := d.disk.root.Open(at(rel))
	if err != nil {
		return nil, diskError(err, "read file", "/"+rel)
	}
	defer f.Close()
	data := make([]byte, min(length, max(info.Size()-offset, 0)))
	n, err := f.ReadAt(data, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, diskError(err, "read file", "/"+rel)
	}
	return data[:n], nil
}

// Mkdirs makes a folder and those that it is in.
func (d *DBFS) Mkdirs(name string) error {
	rel, err := dbfsPath(name)
	if err != nil {
		return err
	}
	for dir := rel; dir != ""; dir = parentOf(dir) {
		if info, err := d.disk.stat(dir); err == nil && !info.IsDir() {
			return fileThere(dir)
		}
	}
	return diskError(d.disk.root.MkdirAll(at(rel), 0o700), "make folder", "/"+rel)
}

// Put stores a whole file of at most 1 MiB.
func (d *DBFS) Put(name string, overwrite bool, body io.Reader) error {
	err := d.put(name, overwrite, body, maxBlock)
	if refused(err, RequestTooLarge) {
		return refuse(BlockTooLarge, "At most %d bytes can be put at once; use create, add-block and close for more.", maxBlock)
	}
	return err
}

// Upload stores a whole file of at most 2 GiB.
func (d *DBFS) Upload(name string, overwrite bool, body io.Reader) error {
	return d.put(name, overwrite, body, maxDBFSFile)
}

func (d *DBFS) put(name string, overwrite bool, body io.Reader, limit int64) error {
	rel, err := d.target(name, overwrite)
	if err != nil {
		return err
	}
	part, err := d.disk.receive(body, limit)
	if err != nil {
		return err
	}
	defer part.discard()
	return d.place(part, rel, overwrite)
}

// target refuses a path that no file can be put at.
func (d *DBFS) target(name string, overwrite bool) (string, error) {
	rel, err := dbfsPath(name)
	if err != nil {
		return "", err
	}
	if rel == "" {
		return "", fileThere(rel)
	}
	info, err := d.disk.stat(rel)
	if err == nil && (info.IsDir() || !overwrite) {
		return "", fileThere(rel)
	}
	return rel, nil
}

// place puts a received file in its place, making the folders above it.
func (d *DBFS) place(p *partial, rel string, overwrite bool) error {
	if err := d.Mkdirs("/" + parentOf(rel)); err != nil {
		return err
	}
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	if _, err := d.target("/"+rel, overwrite); err != nil {
		return err
	}
	return p.publish(rel)
}

// Move renames a file or a folder. Nothing may be at the destination.
func (d *DBFS) Move(from, to string) error {
	src, err := dbfsPath(from)
	if err != nil {
		return err
	}
	dst, err := d.target(to, false)
	if err != nil {
		return err
	}
	if src == "" || dst == src || strings.HasPrefix(dst, src+"/") {
		return refuse(InvalidParameter, "/%s cannot be moved into itself (/%s).", src, dst)
	}
	if _, err := d.lookup(src); err != nil {
		return err
	}
	if err := d.Mkdirs("/" + parentOf(dst)); err != nil {
		return err
	}
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	if _, err := d.target(to, false); err != nil {
		return err
	}
	err = d.disk.root.Rename(at(src), at(dst))
	if notThere(err) {
		return noFile(src)
	}
	return diskError(err, "move file", "/"+src)
}

// Delete removes a file or a folder. What is not there is deleted already; a
// folder that is not empty goes only with recursive.
//
// Source: the Databricks CLI, which asks for the status first because delete
// succeeds on a path that does not exist.
func (d *DBFS) Delete(name string, recursive bool) error {
	rel, err := dbfsPath(name)
	if err != nil {
		return err
	}
	if rel == "" {
		return refuse(InvalidParameter, "The root of DBFS cannot be deleted.")
	}
	info, err := d.lookup(rel)
	if refused(err, DoesNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() && !recursive {
		if empty, err := d.disk.empty(rel); err == nil && !empty {
			return refuse(IOError, "Directory /%s is not empty; set recursive to delete it with all that is in it.", rel)
		}
	}
	err = d.disk.remove(rel)
	if notThere(err) {
		return nil
	}
	return err
}

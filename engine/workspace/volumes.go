package workspace

import (
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// maxVolumeFile is the largest file that one upload may bring. Source: the
// REST API reference of the Files API.
const maxVolumeFile = 5 << 30

// Volumes are the files under /Volumes/CATALOG/SCHEMA/VOLUME, which everybody
// shares. There is no catalog here: a volume exists as soon as something is
// put into it.
type Volumes struct{ disk *disk }

// volumePath is a path under /Volumes, at least depth names below it.
func volumePath(name string, depth int) (string, error) {
	rel, err := cleanPath(name)
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(rel, "Volumes/")
	if !ok && rel != "Volumes" {
		return "", refuse(InvalidParameter, "Path (%s) must begin with /Volumes/.", name)
	}
	if n := strings.Count(rest, "/") + 1; (!ok && depth > 0) || (ok && n < depth) {
		return "", refuse(InvalidParameter, "Path (%s) must be at least /Volumes/CATALOG/SCHEMA/VOLUME%s.", name, strings.Repeat("/NAME", max(depth-3, 0)))
	}
	if !ok {
		rest = ""
	}
	return rest, nil
}

func noVolumeFile(name string) error {
	return refuse(NotFound, "The file being accessed is not found: %s", name)
}

func noVolumeDir(name string) error {
	return refuse(NotFound, "The directory being accessed is not found: %s", name)
}

// Status describes a file or a folder.
func (v *Volumes) Status(name string) (FileInfo, error) {
	rel, err := volumePath(name, 0)
	if err != nil {
		return FileInfo{}, err
	}
	info, err := v.disk.stat(rel)
	if notThere(err) || (err == nil && !info.IsDir() && !info.Mode().IsRegular()) {
		return FileInfo{}, noVolumeFile(name)
	}
	if err != nil {
		return FileInfo{}, diskError(err, "look at file", name)
	}
	return infoOf("/Volumes/", rel, info), nil
}

// Open opens a file to read it. The caller closes it.
func (v *Volumes) Open(name string) (*os.File, FileInfo, error) {
	info, err := v.Status(name)
	if err == nil && info.IsDir {
		err = noVolumeFile(name)
	}
	if err != nil {
		return nil, info, err
	}
	f, err := v.disk.root.Open(at(strings.TrimPrefix(info.Path, "/Volumes/")))
	if notThere(err) {
		return nil, info, noVolumeFile(name)
	}
	return f, info, diskError(err, "open file", name)
}

// Upload stores a file of at most 5 GiB, making the folders above it.
func (v *Volumes) Upload(name string, overwrite bool, body io.Reader) error {
	rel, err := volumePath(name, 4)
	if err != nil {
		return err
	}
	if err := v.free(name, rel, overwrite); err != nil {
		return err
	}
	part, err := v.disk.receive(body, maxVolumeFile)
	if err != nil {
		return err
	}
	defer part.discard()
	if err := v.mkdirs(name, parentOf(rel)); err != nil {
		return err
	}
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	if err := v.free(name, rel, overwrite); err != nil {
		return err
	}
	return part.publish(rel)
}

// free refuses a path that no file can be put at.
func (v *Volumes) free(name, rel string, overwrite bool) error {
	info, err := v.disk.stat(rel)
	switch {
	case err == nil && info.IsDir():
		return refuse(Conflict, "The path %s is a directory.", name)
	case err == nil && !overwrite:
		return refuse(Conflict, "The file being created already exists: %s", name)
	}
	return nil
}

// Remove deletes a file.
func (v *Volumes) Remove(name string) error {
	rel, err := volumePath(name, 4)
	if err != nil {
		return err
	}
	info, err := v.disk.stat(rel)
	if notThere(err) || (err == nil && info.IsDir()) {
		return noVolumeFile(name)
	}
	if err == nil {
		err = v.disk.remove(rel)
	}
	if notThere(err) {
		return noVolumeFile(name)
	}
	return diskError(err, "delete file", name)
}

// Mkdirs makes a folder and those that it is in. One that is there is no error.
func (v *Volumes) Mkdirs(name string) error {
	rel, err := volumePath(name, 3)
	if err != nil {
		return err
	}
	return v.mkdirs(name, rel)
}

func (v *Volumes) mkdirs(name, rel string) error {
	for dir := rel; dir != ""; dir = parentOf(dir) {
		if info, err := v.disk.stat(dir); err == nil && !info.IsDir() {
			return refuse(Conflict, "The path /Volumes/%s is a file.", dir)
		}
	}
	return diskError(v.disk.root.MkdirAll(at(rel), 0o700), "make folder", name)
}

// Rmdir deletes an empty folder.
func (v *Volumes) Rmdir(name string) error {
	rel, err := volumePath(name, 4)
	if err != nil {
		return err
	}
	info, err := v.disk.stat(rel)
	if notThere(err) || (err == nil && !info.IsDir()) {
		return noVolumeDir(name)
	}
	if err != nil {
		return diskError(err, "delete folder", name)
	}
	empty, err := v.disk.empty(rel)
	if err == nil && !empty {
		return refuse(NotEmpty, "The directory is not empty: %s", name)
	}
	if err == nil {
		err = v.disk.root.Remove(at(rel)) // fails if somebody just filled it
	}
	return diskError(err, "delete folder", name)
}

// List describes what is in a folder, sorted by name, after a name ("" from
// the start) and at most limit of it. more says whether there is more.
func (v *Volumes) List(name, after string, limit int) (list []FileInfo, more bool, err error) {
	rel, err := volumePath(name, 0)
	if err != nil {
		return nil, false, err
	}
	info, err := v.disk.stat(rel)
	if notThere(err) || (err == nil && !info.IsDir()) {
		return nil, false, noVolumeDir(name)
	}
	if err != nil {
		return nil, false, diskError(err, "list folder", name)
	}
	files, err := v.disk.read(rel)
	if err != nil {
		return nil, false, diskError(err, "list folder", name)
	}
	start, found := slices.BinarySearchFunc(files, after, func(e os.DirEntry, name string) int { return strings.Compare(e.Name(), name) })
	if found {
		start++
	}
	for _, f := range files[start:] {
		if len(list) == limit {
			return list, true, nil
		}
		child := path.Join(rel, f.Name())
		info, err := v.disk.stat(child)
		if err != nil || (!info.IsDir() && !info.Mode().IsRegular()) {
			continue
		}
		list = append(list, infoOf("/Volumes/", child, info))
	}
	return list, false, nil
}

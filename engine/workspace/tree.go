package workspace

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"flowctl/tasks/notebook"
)

// Tree is the file tree of a workspace: folders, files, and notebooks, which
// have an extension on disk and none in their path.
//
// Where a workspace could hold a notebook "etl" beside a file "etl.py", this
// tree cannot, for both are etl.py on disk: the one stands in the way of the
// other, as if they had one name.
type Tree struct {
	disk      *disk
	rec       records
	acl       *Permissions
	namespace string
	kinds     kinds
}

// ObjectKind is what an object of the tree is.
type ObjectKind string

// The kinds of objects in the tree. Source: the SDK's ObjectType.
const (
	Directory ObjectKind = "DIRECTORY"
	Notebook  ObjectKind = "NOTEBOOK"
	File      ObjectKind = "FILE"
)

// Entry describes an object of the tree.
type Entry struct {
	Path     string // as the API writes it
	Kind     ObjectKind
	Language Language // of a notebook
	ID       int64
	Size     int64 // in bytes; 0 for a folder
	Created  time.Time
	Modified time.Time
	Jupyter  bool // the notebook is kept as .ipynb

	path treePath
}

// protectedDirs are there always.
var protectedDirs = []string{"Users", "Shared", "Repos"}

// found is an object and where it is on disk.
type found struct {
	disk     string
	kind     ObjectKind
	language Language
	info     fs.FileInfo
}

func noPath(p treePath) error { return refuse(DoesNotExist, "Path (%s) doesn't exist.", p) }

// notThere says whether an error means that nothing is at a path.
func notThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// find looks an object up by its path.
func (t *Tree) find(p treePath) (found, error) {
	info, err := t.disk.stat(p.rel)
	if err == nil {
		f, ok, err := t.classify(p.rel, info)
		if err != nil || (ok && f.kind != Notebook) {
			return f, diskError(err, "look at "+p.String(), p.String())
		}
	} else if !notThere(err) {
		return found{}, diskError(err, "look at "+p.String(), p.String())
	}
	for _, ext := range notebook.Extensions {
		info, err := t.disk.stat(p.rel + ext)
		if err != nil {
			continue
		}
		f, ok, err := t.classify(p.rel+ext, info)
		if err != nil {
			return f, diskError(err, "look at "+p.String(), p.String())
		}
		if ok && f.kind == Notebook {
			return f, nil
		}
	}
	return found{}, noPath(p)
}

// classify says what a place on disk holds. False: nothing that the API shows,
// such as a pipe.
func (t *Tree) classify(rel string, info fs.FileInfo) (found, bool, error) {
	f := found{disk: rel, kind: File, info: info}
	switch {
	case info.IsDir():
		f.kind = Directory
		return f, true, nil
	case !info.Mode().IsRegular():
		return f, false, nil
	}
	k, err := t.notebookAt(rel, info)
	if err != nil || !k.notebook {
		return f, true, err
	}
	var plain bool
	err = t.rec.view(func(tx tx) (err error) {
		plain, err = tx.has(bucketPlain, rel)
		return err
	})
	if err == nil && !plain {
		f.kind, f.language = Notebook, k.language
	}
	return f, true, err
}

// entry describes what was found, under the path that it was asked for by.
func (t *Tree) entry(p treePath, f found) Entry {
	e := Entry{Path: p.String(), path: p, Kind: f.kind, Language: f.language, ID: t.idOf(p.rel), Modified: f.info.ModTime().UTC()}
	if f.kind != Directory {
		e.Size = f.info.Size()
	}
	e.Jupyter = f.kind == Notebook && path.Ext(f.disk) == ".ipynb"
	return e
}

// Status describes the object at a path.
func (t *Tree) Status(who Identity, name string) (Entry, error) {
	p, err := parseTreePath(name)
	if err != nil {
		return Entry{}, err
	}
	if err := t.acl.requireInTree(who, p, CanRead); err != nil {
		return Entry{}, err
	}
	f, err := t.find(p)
	if err != nil {
		return Entry{}, err
	}
	list := []Entry{t.entry(p, f)}
	err = t.remember(list)
	return list[0], err
}

// List describes what is in a folder, sorted by path; of a file or a notebook
// it describes that alone. What the asker may not read is left out.
func (t *Tree) List(who Identity, name string) ([]Entry, error) {
	p, err := parseTreePath(name)
	if err != nil {
		return nil, err
	}
	if err := t.acl.requireInTree(who, p, CanRead); err != nil {
		return nil, err
	}
	f, err := t.find(p)
	if err != nil {
		return nil, err
	}
	list := []Entry{t.entry(p, f)}
	if f.kind == Directory {
		if list, err = t.listFolder(p); err != nil {
			return nil, err
		}
	}
	if p.rel == "" || p.rel == "Users" || p.rel == "Repos" {
		list = slices.DeleteFunc(list, func(e Entry) bool {
			return t.acl.requireInTree(who, e.path, CanRead) != nil
		})
	}
	return list, t.remember(list)
}

func (t *Tree) listFolder(p treePath) ([]Entry, error) {
	files, err := t.disk.read(p.rel)
	if err != nil {
		return nil, diskError(err, "list "+p.String(), p.String())
	}
	list := make([]Entry, 0, len(files))
	for _, file := range files {
		on := p.child(file.Name())
		info, err := t.disk.stat(on.rel) // through links, but never out
		if err != nil {
			continue // gone meanwhile, or a link that leads nowhere
		}
		f, ok, err := t.classify(on.rel, info)
		if err != nil {
			return nil, diskError(err, "list "+p.String(), p.String())
		}
		if !ok {
			continue
		}
		if f.kind == Notebook {
			on.rel = strings.TrimSuffix(on.rel, path.Ext(on.rel))
		}
		list = append(list, t.entry(on, f))
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	// Two files of one name, such as etl.py and etl.sql that a job wrote: the
	// path means the first, as it does in find.
	return slices.CompactFunc(list, func(a, b Entry) bool { return a.Path == b.Path }), nil
}

// Mkdirs makes a folder and those that it is in.
func (t *Tree) Mkdirs(who Identity, name string) error {
	p, err := parseTreePath(name)
	if err != nil {
		return err
	}
	if info, err := t.disk.stat(p.rel); err == nil && info.IsDir() {
		return t.acl.requireInTree(who, p, CanRead)
	}
	if err := t.acl.requireInTree(who, p, CanEdit); err != nil {
		return err
	}
	t.disk.mu.Lock()
	defer t.disk.mu.Unlock()
	for dir := p; dir.rel != ""; dir = dir.parent() {
		f, err := t.find(dir)
		if err == nil && f.kind == Directory {
			break
		}
		if err == nil {
			return refuse(AlreadyExists, "Path (%s) is a %s, not a folder.", dir, strings.ToLower(string(f.kind)))
		}
		if !refused(err, DoesNotExist) {
			return err
		}
	}
	return diskError(t.disk.root.MkdirAll(at(p.rel), 0o700), "make folder "+p.String(), p.String())
}

// makeHome makes the folder of a new user.
func (t *Tree) makeHome(user string) error {
	return diskError(t.disk.root.MkdirAll(at("Users/"+user), 0o700), "make home folder of "+user, "/Users/"+user)
}

// Delete removes an object. A folder that is not empty goes only with
// recursive.
func (t *Tree) Delete(who Identity, name string, recursive bool) error {
	p, err := parseTreePath(name)
	if err != nil {
		return err
	}
	if err := t.acl.requireInTree(who, p, CanManage); err != nil {
		return err
	}
	if _, home := homeOf(p.rel); p.rel == "" || home || slices.Contains(protectedDirs, p.rel) {
		return refuse(Protected, "Folder %s is protected: it cannot be deleted.", p)
	}
	f, err := t.find(p)
	if err != nil {
		return err
	}
	var within []string
	if f.kind == Directory {
		empty, err := t.disk.empty(f.disk)
		if err != nil {
			return diskError(err, "look at "+p.String(), p.String())
		}
		if !empty && !recursive {
			return refuse(NotEmpty, "Folder (%s) is not empty", p)
		}
		within = t.pathsWithin(f.disk)
	}
	t.kinds.drop(f.disk)
	if err := t.disk.remove(f.disk); err != nil {
		if notThere(err) {
			return noPath(p)
		}
		return err
	}
	return t.forget(p.rel, within)
}

// pathsWithin lists the paths of what is in a folder, at any depth. A file that
// may be a notebook is listed under both its names.
func (t *Tree) pathsWithin(dir string) []string {
	var paths []string
	_ = fs.WalkDir(t.disk.root.FS(), dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return nil // what cannot be read has no records either
		}
		paths = append(paths, name)
		if ext := path.Ext(name); slices.Contains(notebook.Extensions, ext) {
			paths = append(paths, strings.TrimSuffix(name, ext))
		}
		return nil
	})
	return paths
}

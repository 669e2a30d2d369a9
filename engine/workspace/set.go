package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"flowctl/engine/store"
)

// Options are the settings of Open.
type Options struct {
	// PerToken gives every token a workspace of its own, for test beds.
	PerToken bool
	// ID is what clients know the workspace by; empty: a random one, kept in
	// the store.
	ID string
	// NoSync leaves uploaded files to the operating system: for tests.
	NoSync bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Set is the workspaces of a data directory. Its methods may be called by any
// goroutine.
type Set struct {
	store *store.Store
	opt   Options
	seal  *sealer

	mu   sync.Mutex
	open map[string]*Workspace
}

// Open opens the workspaces of an open store. Close it before the store.
func Open(s *store.Store, opt Options) (*Set, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	set := &Set{store: s, opt: opt, open: map[string]*Workspace{}}
	set.seal = newSealer(filepath.Join(s.Home(), "secrets.key"))
	if _, err := set.Workspace(""); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

// Workspace is one workspace: a namespace of its own for everything in it.
type Workspace struct {
	Namespace string // "" for the one that all share
	// ID is what clients know as the workspace's or the organisation's id:
	// digits. Namespaces share it, for clients ask before they send a token.
	ID  string
	Dir string // where its trees are: workspace, dbfs and volumes

	Tree        *Tree
	DBFS        *DBFS
	Volumes     *Volumes
	Secrets     *Secrets
	People      *People
	Permissions *Permissions
	Settings    *Settings
	Catalog     *Catalog
	Compute     *Compute
	Pipelines   *Pipelines

	Destinations *Destinations
}

var namespaceName = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

// Workspace returns the workspace of a namespace, making it if it is new. The
// empty namespace is the one for all.
func (s *Set) Workspace(namespace string) (*Workspace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.open[namespace]; w != nil {
		return w, nil
	}
	if !namespaceName.MatchString(namespace) {
		return nil, refuse(InvalidParameter, "Namespace %q must have at most 64 letters, digits, '-' and '_'.", namespace)
	}
	w, err := s.openWorkspace(namespace)
	if err != nil {
		return nil, fmt.Errorf("open workspace %q: %w", namespace, err)
	}
	s.open[namespace] = w
	return w, nil
}

func (s *Set) openWorkspace(namespace string) (*Workspace, error) {
	rec := newRecords(s.store, namespace)
	w := &Workspace{Namespace: namespace, Dir: filepath.Join(s.store.Home(), "fs")}
	if namespace != "" {
		w.Dir = filepath.Join(s.store.Home(), "namespaces", namespace, "fs")
	}
	id := s.opt.ID
	if namespace != "" {
		id = s.open[""].ID
	}
	if err := w.prepare(rec, id); err != nil {
		return nil, err
	}
	disks := map[string]*disk{}
	for _, name := range []string{"workspace", "dbfs", "volumes"} {
		d, err := openDisk(filepath.Join(w.Dir, name), s.opt.NoSync)
		if err != nil {
			for _, d := range disks {
				_ = d.close()
			}
			return nil, err
		}
		disks[name] = d
	}
	w.People = &People{rec: rec, namespace: namespace, home: func(user string) error { return w.Tree.makeHome(user) }}
	w.Permissions = &Permissions{rec: rec, people: w.People}
	w.Tree = &Tree{disk: disks["workspace"], rec: rec, acl: w.Permissions, namespace: namespace}
	w.Permissions.tree = w.Tree
	w.DBFS = &DBFS{disk: disks["dbfs"], now: s.opt.Now, handles: map[int64]*handle{}}
	w.Settings = &Settings{rec: rec}
	w.Volumes = &Volumes{disk: disks["volumes"]}
	w.Catalog = &Catalog{rec: rec, volumes: w.Volumes, tables: filepath.Join(s.store.Home(), "spark", "warehouse"), now: s.opt.Now}
	w.Compute = &Compute{rec: rec}
	w.Pipelines = &Pipelines{rec: rec, now: s.opt.Now}
	w.Secrets = &Secrets{rec: rec, seal: s.seal, namespace: namespace, now: s.opt.Now}
	w.Destinations = &Destinations{rec: rec, seal: s.seal, namespace: namespace}
	return w, w.makeFolders()
}

// TempDir is a folder for files that are on their way into the workspace. What
// a crash leaves in it is gone at the next start.
func (w *Workspace) TempDir() string { return filepath.Join(w.Dir, "workspace", partialDir) }

// makeFolders makes the folders that programs expect a workspace to have.
func (w *Workspace) makeFolders() error {
	for _, dir := range protectedDirs {
		if err := w.Tree.disk.root.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder %s: %w", dir, err)
		}
	}
	for _, dir := range []string{"FileStore", "tmp"} {
		if err := w.DBFS.disk.root.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder dbfs:/%s: %w", dir, err)
		}
	}
	return nil
}

// prepare gives a new workspace its id, a new one if id is empty, and its two
// groups.
func (w *Workspace) prepare(rec records, id string) error {
	err := rec.view(func(t tx) error {
		id, err := t.get(bucketMeta, "id")
		w.ID = string(id)
		return err
	})
	if err != nil || w.ID != "" {
		w.ID = cmp.Or(id, w.ID)
		return err
	}
	return rec.update(func(t tx) error {
		var err error
		if id == "" {
			id, err = randomID()
		}
		if err != nil {
			return err
		}
		w.ID = id
		for _, name := range []string{adminsGroup, usersGroup} {
			if _, err := t.addPerson(Person{Kind: Group, Name: name, Active: true}); err != nil {
				return err
			}
		}
		return t.put(bucketMeta, "id", []byte(id))
	})
}

// Close lets go of the folders. Requests under way fail.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, w := range s.open {
		errs = append(errs, w.Tree.disk.close(), w.DBFS.disk.close(), w.Volumes.disk.close())
	}
	clear(s.open)
	return errors.Join(errs...)
}

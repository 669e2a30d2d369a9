package workspace

import (
	"bufio"
	"io"
	"path"
	"strings"
)

// Limits of a workspace. Source: the REST API reference of workspace/import
// and the documentation of workspace files.
const (
	maxNotebook      = 10 << 20
	maxWorkspaceFile = 500 << 20
)

// Import is a request to put something into the tree.
type Import struct {
	Path      string
	Format    string   // SOURCE when empty; AUTO, JUPYTER, RAW
	Language  Language // of a SOURCE
	Overwrite bool
	Body      io.Reader
}

// Import stores a notebook or a file. SOURCE and JUPYTER make notebooks at
// exactly the path given; AUTO looks at the extension and the first line, and
// a notebook loses its extension; RAW makes a file whatever is in it.
func (t *Tree) Import(who Identity, q Import) error {
	return t.put(who, q, AlreadyExists)
}

// Upload stores a file, or a notebook if it looks like one, as AUTO does. A
// file in the way is a conflict (Conflict), which is what locks of
// clients are made of.
func (t *Tree) Upload(who Identity, name string, overwrite bool, body io.Reader) error {
	return t.put(who, Import{Path: name, Format: "AUTO", Overwrite: overwrite, Body: body}, Conflict)
}

// arrival is a body that was received, and what it is to become.
type arrival struct {
	partial *partial
	path    treePath // of the object
	disk    string   // where it goes on disk
	kind    ObjectKind
	plain   bool // it looks like a notebook, but is to be a file
}

func (t *Tree) put(who Identity, q Import, conflict string) error {
	p, err := parseTreePath(q.Path)
	if err != nil {
		return err
	}
	if p.rel == "" {
		return refuse(InvalidParameter, "Path (%s) is a folder.", p)
	}
	if err := t.acl.requireInTree(who, p, CanEdit); err != nil {
		return err
	}
	// Whatever can be refused is refused before the body is read.
	if err := t.requireParent(p); err != nil {
		return err
	}
	a, err := t.receive(p, q)
	if err != nil {
		return err
	}
	defer a.partial.discard()
	return t.place(a, q.Overwrite, conflict)
}

func (t *Tree) requireParent(p treePath) error {
	f, err := t.find(p.parent())
	switch {
	case refused(err, DoesNotExist):
		return refuse(DoesNotExist, "The parent folder (%s) does not exist.", p.parent())
	case err == nil && f.kind != Directory:
		return refuse(InvalidParameter, "The parent (%s) is a %s, not a folder.", p.parent(), strings.ToLower(string(f.kind)))
	}
	return err
}

// receive reads the body and decides what it is.
func (t *Tree) receive(p treePath, q Import) (*arrival, error) {
	switch q.Format {
	case "", "SOURCE":
		return t.receiveSource(p, q)
	case "JUPYTER":
		return t.receiveJupyter(p, q)
	case "AUTO", "RAW":
		return t.receiveFile(p, q)
	}
	return nil, refuse(InvalidParameter, "format %q cannot be imported here; it must be one of SOURCE, JUPYTER, AUTO, RAW.", q.Format)
}

func (t *Tree) receiveSource(p treePath, q Import) (*arrival, error) {
	body := bufio.NewReaderSize(q.Body, 512)
	head, err := body.Peek(128)
	if err != nil && err != io.EOF {
		return nil, err
	}
	d, err := sourceDialect(p, q.Language, head)
	if err != nil {
		return nil, err
	}
	var content io.Reader = body
	if !d.headed(head) {
		content = io.MultiReader(strings.NewReader(d.header()+"\n"), body)
	}
	part, err := t.disk.receive(content, maxNotebook)
	if err != nil {
		return nil, tooLarge(err)
	}
	return &arrival{partial: part, path: p, disk: p.rel + d.ext, kind: Notebook}, nil
}

// sourceDialect settles the language of a notebook: as given, else by the
// path's extension, else by the first line.
func sourceDialect(p treePath, l Language, head []byte) (dialect, error) {
	if l != "" {
		if d, ok := dialectOf(l); ok {
			return d, nil
		}
		return dialect{}, refuse(InvalidParameter, "language %q is not known; it must be one of PYTHON, SQL, SCALA, R.", l)
	}
	if d, ok := dialectOfExt(path.Ext(p.rel)); ok {
		return d, nil
	}
	for _, d := range dialects {
		if d.headed(head) {
			return d, nil
		}
	}
	return dialect{}, refuse(InvalidParameter,
		"Path (%s): a language is required to import a notebook in format SOURCE: PYTHON, SQL, SCALA or R. To import a file, use format AUTO.", p)
}

func tooLarge(err error) error {
	if refused(err, RequestTooLarge) {
		return refuse(NotebookTooLarge, "The notebook is larger than the limit of %d bytes.", maxNotebook)
	}
	return err
}

func (t *Tree) receiveJupyter(p treePath, q Import) (*arrival, error) {
	part, err := t.disk.receive(q.Body, maxNotebook)
	if err != nil {
		return nil, tooLarge(err)
	}
	ok, err := part.isNotebook(p.rel + ".ipynb")
	if err == nil && !ok {
		err = refuse(InvalidParameter, "The content of (%s) is no Jupyter notebook: it must be JSON with cells and an nbformat of 4 or more.", p)
	}
	if err != nil {
		part.discard()
		return nil, err
	}
	return &arrival{partial: part, path: p, disk: p.rel + ".ipynb", kind: Notebook}, nil
}

// receiveFile stores the body as it is and looks at it then.
func (t *Tree) receiveFile(p treePath, q Import) (*arrival, error) {
	part, err := t.disk.receive(q.Body, maxWorkspaceFile)
	if err != nil {
		return nil, err
	}
	a := &arrival{partial: part, path: p, disk: p.rel, kind: File}
	looks, err := part.isNotebook(p.rel)
	switch {
	case err != nil:
		part.discard()
		return nil, err
	case looks && q.Format == "RAW":
		a.plain = true
	case looks:
		a.kind = Notebook
		a.path.rel = strings.TrimSuffix(p.rel, path.Ext(p.rel))
	}
	return a, nil
}

// isNotebook says whether a file of this name and what was received is one.
func (p *partial) isNotebook(name string) (bool, error) {
	if !mayBeNotebook(name) {
		return false, nil
	}
	f, err := p.open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	kind, err := detect(name, f, p.size)
	return kind.notebook, err
}

// place puts what arrived where it belongs, in place of what was there.
func (t *Tree) place(a *arrival, overwrite bool, conflict string) error {
	t.disk.mu.Lock()
	defer t.disk.mu.Unlock()
	if err := t.requireParent(a.path); err != nil {
		return err
	}
	var old []found
	there, err := t.find(a.path)
	switch {
	case err == nil:
		old = append(old, there)
	case !refused(err, DoesNotExist):
		return err
	}
	if info, err := t.disk.stat(a.disk); err == nil && (len(old) == 0 || old[0].disk != a.disk) {
		f, _, err := t.classify(a.disk, info)
		if err != nil {
			return diskError(err, "look at "+a.path.String(), a.path.String())
		}
		old = append(old, f)
	}
	for _, f := range old {
		switch {
		case f.kind == Directory:
			return refuse(InvalidParameter, "Path (%s) is a folder: it cannot be overwritten by a %s.", a.path, strings.ToLower(string(a.kind)))
		case overwrite:
		case f.kind == File && a.kind == File:
			return refuse(conflict, "Path (%s) already exists.", a.path)
		default:
			return refuse(AlreadyExists, "Path (%s) already exists.", a.path)
		}
	}
	if err := a.partial.publish(a.disk); err != nil {
		return err
	}
	t.kinds.drop(a.disk)
	for _, f := range old {
		if f.disk == a.disk {
			continue
		}
		if err := t.disk.root.Remove(at(f.disk)); err != nil {
			return diskError(err, "remove the old version", a.path.String())
		}
		if err := t.markPlain(f.disk, false); err != nil {
			return err
		}
	}
	return t.markPlain(a.disk, a.plain)
}

// markPlain remembers that a file on disk is to be a file though it looks like
// a notebook, or forgets it.
func (t *Tree) markPlain(rel string, plain bool) error {
	var marked bool
	err := t.rec.view(func(tx tx) (err error) {
		marked, err = tx.has(bucketPlain, rel)
		return err
	})
	if err != nil || marked == plain {
		return err
	}
	return t.rec.update(func(tx tx) error {
		if plain {
			return tx.put(bucketPlain, rel, []byte{1})
		}
		return tx.delete(bucketPlain, rel)
	})
}

package workspace

import (
	"bytes"
	"io"
	"path"
	"strings"
	"time"
)

// Exported is an object's content. The caller closes it.
type Exported struct {
	io.ReadSeeker
	io.Closer
	Name     string // of the file it would be, with its extension
	FileType string // the extension without its dot
	Size     int64
	Modified time.Time
}

// Export opens the content of a notebook or a file. SOURCE, which an empty
// format means too, and JUPYTER convert a notebook that is kept in the other
// form; AUTO gives it as it is kept. Files come as they are.
func (t *Tree) Export(who Identity, name, format string) (*Exported, error) {
	p, f, err := t.readable(who, name)
	if err != nil {
		return nil, err
	}
	switch format {
	case "", "SOURCE", "JUPYTER", "AUTO":
	case "RAW":
		format = "AUTO"
	default:
		return nil, refuse(InvalidParameter, "format %q cannot be exported here; it must be one of SOURCE, JUPYTER, AUTO.", format)
	}
	if f.kind == Directory {
		return nil, refuse(InvalidParameter, "Path (%s) is a folder: only notebooks and files can be exported; list it and export what is in it.", p)
	}
	out, err := t.openDisk(p, f)
	if err != nil || f.kind == File || format == "AUTO" {
		return out, err
	}
	isJupyter := out.FileType == "ipynb"
	if isJupyter == (format == "JUPYTER") {
		return out, nil
	}
	defer out.Close()
	content, err := io.ReadAll(out)
	if err != nil {
		return nil, diskError(err, "read "+p.String(), p.String())
	}
	d, ok := dialectOf(f.language)
	if !ok { // a language that only Jupyter knows
		d = dialects[0]
	}
	ext := d.ext
	if isJupyter {
		content, err = jupyterToSource(content, d)
	} else {
		ext = ".ipynb"
		content, err = sourceToJupyter(content, d)
	}
	if err != nil {
		return nil, err
	}
	return &Exported{
		ReadSeeker: bytes.NewReader(content), Closer: io.NopCloser(nil), Name: baseOf(p.rel) + ext, FileType: ext[1:],
		Size: int64(len(content)), Modified: out.Modified,
	}, nil
}

// Open opens a file as it is. A notebook is no file, by whatever name.
func (t *Tree) Open(who Identity, name string) (*Exported, error) {
	p, f, err := t.readable(who, name)
	if err != nil {
		return nil, err
	}
	if f.kind == Directory {
		return nil, refuse(InvalidParameter, "Path (%s) is a folder.", p)
	}
	return t.openDisk(p, f)
}

func (t *Tree) readable(who Identity, name string) (treePath, found, error) {
	p, err := parseTreePath(name)
	if err != nil {
		return p, found{}, err
	}
	if err := t.acl.requireInTree(who, p, CanRead); err != nil {
		return p, found{}, err
	}
	f, err := t.find(p)
	return p, f, err
}

func (t *Tree) openDisk(p treePath, f found) (*Exported, error) {
	file, err := t.disk.root.Open(at(f.disk))
	if notThere(err) {
		return nil, noPath(p)
	}
	if err != nil {
		return nil, diskError(err, "open "+p.String(), p.String())
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, diskError(err, "open "+p.String(), p.String())
	}
	return &Exported{
		ReadSeeker: file, Closer: file, Name: baseOf(f.disk), FileType: strings.TrimPrefix(path.Ext(f.disk), "."),
		Size: info.Size(), Modified: info.ModTime(),
	}, nil
}

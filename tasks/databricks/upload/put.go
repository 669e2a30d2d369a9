package upload

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/databricks/databricks-sdk-go/service/workspace"

	"flowctl/tasks/databricks/rest"
)

// Progress is how far an upload is.
type Progress struct {
	Done, Total int // files
	Bytes       int64
}

// Stats is what an upload cost.
type Stats struct {
	Unchanged bool // the folder was complete already
	Files     int  // sent
	Kept      int  // there from an upload that was cut off
	Bytes     int64
}

// Options are how files are sent.
type Options struct {
	Parallel int            // files at once; 0: 16
	Progress func(Progress) // after each file, by one goroutine at a time; may be nil
}

// ManifestName is the file that says that a folder is complete, and what is
// in it: name → SHA-256.
const ManifestName = ".flowctl-manifest.json"

// manifest is what ManifestName holds.
type manifest struct {
	Format int               `json:"format"`
	Files  map[string]string `json:"files"`
}

// Put sees to it that a folder of the workspace holds the plan's files. A
// folder that is complete costs one request, whatever it holds; one that an
// earlier upload left unfinished gets what it lacks.
func (p *Plan) Put(ctx context.Context, c *rest.Client, folder string, opt Options) (Stats, error) {
	if p.Empty() {
		return Stats{Unchanged: true}, nil
	}
	done, err := exists(ctx, c, path.Join(folder, ManifestName))
	if err != nil || done {
		return Stats{Unchanged: done}, err
	}
	there, err := list(ctx, c, folder)
	if err != nil {
		return Stats{}, err
	}
	s := &sender{client: c, folder: folder, opt: opt, total: len(p.Files)}
	if err := s.folders(ctx, p.Files, there); err != nil {
		return s.stats(), err
	}
	if err := s.files(ctx, p.Files, there); err != nil {
		return s.stats(), err
	}
	m := manifest{Format: 1, Files: make(map[string]string, len(p.Files))}
	for _, f := range p.Files {
		m.Files[f.Name] = f.Sum
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return s.stats(), fmt.Errorf("write manifest: %w", err)
	}
	return s.stats(), send(ctx, c, path.Join(folder, ManifestName), "AUTO", "", raw)
}

func exists(ctx context.Context, c *rest.Client, name string) (bool, error) {
	err := c.Get(ctx, "/api/2.0/workspace/get-status", url.Values{"path": {name}}, &workspace.ObjectInfo{})
	if rest.Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	return true, nil
}

// list finds what an unfinished upload left: names of files and notebooks.
func list(ctx context.Context, c *rest.Client, folder string) (map[string]bool, error) {
	there := map[string]bool{}
	for todo := []string{""}; len(todo) > 0; {
		dir := todo[0]
		todo = todo[1:]
		var ans workspace.ListResponse
		err := c.Get(ctx, "/api/2.0/workspace/list", url.Values{"path": {path.Join(folder, dir)}}, &ans)
		if rest.Missing(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look into %s: %w", path.Join(folder, dir), err)
		}
		there[dir+"/"] = true
		for _, o := range ans.Objects {
			name := path.Join(dir, path.Base(o.Path))
			if o.ObjectType == workspace.ObjectTypeDirectory {
				todo = append(todo, name)
				continue
			}
			there[name] = true
		}
	}
	return there, nil
}

// sender sends files, several at once.
type sender struct {
	client *rest.Client
	folder string
	opt    Options
	total  int

	kept        int
	sent, bytes atomic.Int64
	mu          sync.Mutex // of opt.Progress
}

func (s *sender) stats() Stats {
	return Stats{Files: int(s.sent.Load()), Kept: s.kept, Bytes: s.bytes.Load()}
}

// folders makes the folders that the files need: only the deepest have to be
// asked for.
func (s *sender) folders(ctx context.Context, files []File, there map[string]bool) error {
	inner, all := map[string]bool{}, map[string]bool{"": true}
	for _, f := range files {
		for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
			all[dir] = true
			if up := path.Dir(dir); up != "." {
				inner[up] = true
			} else {
				inner[""] = true
			}
		}
	}
	var leaves []string
	for dir := range all {
		if !inner[dir] && !there[dir+"/"] {
			leaves = append(leaves, dir)
		}
	}
	slices.Sort(leaves)
	return each(ctx, leaves, s.parallel(), func(ctx context.Context, dir string) error {
		name := path.Join(s.folder, dir)
		if err := s.client.Post(ctx, "/api/2.0/workspace/mkdirs", workspace.Mkdirs{Path: name}, nil); err != nil {
			return fmt.Errorf("make folder %s: %w", name, err)
		}
		return nil
	})
}

func (s *sender) parallel() int {
	if s.opt.Parallel > 0 {
		return s.opt.Parallel
	}
	return 16
}

func (s *sender) files(ctx context.Context, files []File, there map[string]bool) error {
	var todo []File
	for _, f := range files {
		if !there[f.Name] {
			todo = append(todo, f)
		}
	}
	s.kept = len(files) - len(todo)
	return each(ctx, todo, s.parallel(), func(ctx context.Context, f File) error {
		if err := s.file(ctx, f); err != nil {
			return fmt.Errorf("upload %s: %w", f.Path, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		done := int(s.sent.Add(1))
		if s.opt.Progress != nil {
			s.opt.Progress(Progress{Done: s.kept + done, Total: s.total, Bytes: s.bytes.Add(f.Size)})
		} else {
			s.bytes.Add(f.Size)
		}
		return nil
	})
}

// maxJSON is the largest file that is sent within JSON; a workspace takes
// 10 MB there, and base64 adds a third.
const maxJSON = 7 << 20

func (s *sender) file(ctx context.Context, f File) error {
	name := path.Join(s.folder, f.Name)
	if f.Size > maxJSON {
		return sendLarge(ctx, s.client, name+f.Ext, f)
	}
	if f.Format == "AUTO" {
		name += f.Ext
	}
	raw, err := os.ReadFile(f.Path)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != f.Sum {
		return errChanged
	}
	return send(ctx, s.client, name, f.Format, f.Language, raw)
}

var errChanged = errors.New("the file changed while the code was being uploaded; start again")

// send puts one object in its place. An object of the same name is replaced:
// it can only be the same content, of a try whose answer was lost.
func send(ctx context.Context, c *rest.Client, name, format, language string, content []byte) error {
	return c.Post(ctx, "/api/2.0/workspace/import", workspace.Import{
		Path: name, Format: workspace.ImportFormat(format), Language: workspace.Language(language), Overwrite: true,
		Content: base64.StdEncoding.EncodeToString(content), ForceSendFields: []string{"Content"}, // an empty file has one too
	}, nil)
}

// sendLarge sends a large file as it is, straight from the disk: the way that
// the Databricks CLI sends all files. What looks like a notebook becomes one.
func sendLarge(ctx context.Context, c *rest.Client, name string, f File) error {
	open := func() (io.ReadCloser, error) { return os.Open(f.Path) }
	to := "/api/2.0/workspace-files/import-file/" + url.PathEscape(strings.TrimPrefix(name, "/"))
	return c.Do(ctx, http.MethodPost, to, url.Values{"overwrite": {"true"}}, &rest.Body{Type: "application/octet-stream", Open: open, Size: f.Size}, nil)
}

// each calls fn for every element, n at once, and returns the first error.
func each[T any](ctx context.Context, list []T, n int, fn func(ctx context.Context, v T) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work := make(chan T)
	var wg sync.WaitGroup
	for range min(n, len(list)) {
		wg.Go(func() {
			for v := range work {
				if err := fn(ctx, v); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	for _, v := range list {
		select {
		case work <- v:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

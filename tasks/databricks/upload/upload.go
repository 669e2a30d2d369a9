// Package upload brings a job's code to a workspace: it finds what of the job
// lies on this machine, puts it into a folder named for its content, and
// writes the job so that its paths lead there. A folder that is complete is
// never written again, so code that did not change costs one request.
//
// It starts no run and makes no job. Start reading at Find, then Put.
package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/tasks/notebook"
)

// Source is where a job's code is on this machine.
type Source struct {
	// Dir is the folder of the job file; relative paths start here.
	Dir string
	// Roots maps prefixes of workspace paths ("/Repos/ML") to local folders;
	// the longest prefix wins.
	Roots map[string]string
	// Without are files that are no code though they lie beside it: the job
	// file, whose every change would make other code of it. A file that the
	// job names goes along all the same.
	Without []string
	// Artifacts are the wheels that the job's file says how to build. One is
	// built when a path of the job names a wheel below its folder.
	Artifacts []Artifact
	// Log takes what builds have to say; nil: nobody listens.
	Log io.Writer
}

// Plan is the code of one job, ready to be uploaded.
type Plan struct {
	// Base is the local folder that the workspace's folder mirrors. Empty:
	// the job needs no code from here.
	Base string
	// Files are what the folder holds, sorted by Name.
	Files []File
	// Hash names the content of all files: 20 hexadecimal digits.
	Hash string
	// Bytes is how much they are.
	Bytes int64

	src      Source
	settings map[string]any
}

// File is one file of the code.
type File struct {
	Name     string // path below the folder on the workspace; a notebook's has no extension
	Ext      string // the extension that a notebook loses; AUTO drops it there
	Path     string // on this machine
	Size     int64
	Sum      string // SHA-256 of the content
	Format   string // of workspace/import: SOURCE or AUTO
	Language string // of a SOURCE
}

// Problem is a path of the job that leads nowhere, or to what a workspace
// would not take.
type Problem struct {
	Path    string // in the job: tasks[0].notebook_task.notebook_path
	Message string
}

func (p *Problem) Error() string { return p.Path + ": " + p.Message }

// Find collects the code that a job needs from this machine: if any of its
// paths is local, the folder of the job file with all that git would keep,
// and whatever else the job names. Settings are the job's as written, or a
// submit body's; a joined error holds every Problem.
func Find(ctx context.Context, src Source, settings json.RawMessage) (*Plan, error) {
	p := &Plan{src: src}
	var err error
	if p.settings, err = decode(settings); err != nil {
		return nil, err
	}
	if err := src.build(ctx, p.settings); err != nil {
		return nil, err
	}
	named, err := src.named(p.settings)
	if err != nil || len(named) == 0 {
		return p, err
	}
	p.Base = common(append([]string{src.Dir}, named...))
	paths, err := collect(ctx, p.Base, named)
	if err != nil {
		return nil, err
	}
	paths = slices.DeleteFunc(paths, func(f string) bool { return slices.Contains(src.Without, f) && !slices.Contains(named, f) })
	if err := p.read(paths); err != nil {
		return nil, err
	}
	return p, nil
}

// Empty tells whether nothing needs to be uploaded.
func (p *Plan) Empty() bool { return len(p.Files) == 0 }

// Folder is where the plan's files belong on the workspace of a user. Job
// names are cut to what a path may hold.
func (p *Plan) Folder(user, job string) string {
	return path.Join("/Workspace/Users", user, ".flowctl", pathName(job), p.Hash)
}

// pathName makes a job's name fit to name a folder.
func pathName(job string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|%#&{}`, r) {
			return '_'
		}
		return r
	}, strings.TrimSpace(job))
	if runes := []rune(clean); len(runes) > 100 {
		clean = string(runes[:100])
	}
	if clean = strings.Trim(clean, ". "); clean == "" {
		return "job"
	}
	return clean
}

// common is the deepest folder that holds all paths.
func common(paths []string) string {
	base := paths[0]
	for _, p := range paths[1:] {
		for !within(base, p) {
			base = filepath.Dir(base)
		}
	}
	return base
}

// within tells whether a path is a folder or lies in it.
func within(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Limits of a workspace. Source: the REST API reference of workspace/import
// and the documentation of workspace files.
const (
	maxNotebook = 10 << 20
	maxFile     = 500 << 20
)

// Limits of our own: beyond them the job file probably lies in a folder that
// holds more than the job's code.
const (
	maxFiles = 20_000
	maxBytes = 4 << 30
)

// read makes the plan's files of paths on this machine, and hashes them.
func (p *Plan) read(paths []string) error {
	sum := sha256.New()
	taken := map[string]string{} // name on the workspace → path here
	for _, file := range paths {
		f, err := p.file(file)
		if err != nil {
			return err
		}
		if other, double := taken[f.Name]; double {
			return fmt.Errorf("%s and %s would both be %s on a workspace, where notebooks have no extension; rename one", other, file, f.Name)
		}
		taken[f.Name] = file
		p.Files = append(p.Files, f)
		p.Bytes += f.Size
	}
	if p.Bytes > maxBytes {
		return fmt.Errorf("%s holds %d MB of files; a job's code has at most %d MB: keep the job in a folder of its own, or list what it does not need in .gitignore",
			p.Base, p.Bytes>>20, int64(maxBytes)>>20)
	}
	for name, file := range taken {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if other, double := taken[dir]; double {
				return fmt.Errorf("%s is a notebook and would be %s on a workspace, where %s needs a folder of that name; rename one", other, dir, file)
			}
		}
	}
	slices.SortFunc(p.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range p.Files {
		fmt.Fprintf(sum, "%s\x00%s\x00%s\n", f.Name+f.Ext, f.Format, f.Sum)
	}
	p.Hash = hex.EncodeToString(sum.Sum(nil))[:20]
	return nil
}

// file looks at one file: what it becomes on a workspace, and its content.
func (p *Plan) file(name string) (File, error) {
	rel, err := filepath.Rel(p.Base, name)
	if err != nil {
		return File{}, fmt.Errorf("read code: %w", err)
	}
	f := File{Name: filepath.ToSlash(rel), Path: name, Format: "AUTO"}
	r, err := os.Open(name)
	if err != nil {
		return f, fmt.Errorf("read code: %w", err)
	}
	defer r.Close() //nolint:errcheck // only read
	h := sha256.New()
	head, err := io.ReadAll(io.TeeReader(io.LimitReader(r, maxNotebook+1), h))
	if err != nil {
		return f, fmt.Errorf("read code: %w", err)
	}
	more, err := io.Copy(h, r)
	if err != nil {
		return f, fmt.Errorf("read code: %w", err)
	}
	f.Size, f.Sum = int64(len(head))+more, hex.EncodeToString(h.Sum(nil))
	language, isNotebook := notebook.Detect(name, head)
	switch {
	case isNotebook && f.Size > maxNotebook:
		return f, fmt.Errorf("%s has %d MB; a notebook has at most %d", name, f.Size>>20, maxNotebook>>20)
	case f.Size > maxFile:
		return f, fmt.Errorf("%s has %d MB; a workspace's files have at most %d: put it on a volume, or list it in .gitignore", name, f.Size>>20, maxFile>>20)
	case isNotebook && strings.EqualFold(filepath.Ext(name), ".ipynb"):
		f.Ext = filepath.Ext(f.Name)
	case isNotebook:
		f.Ext, f.Format, f.Language = filepath.Ext(f.Name), "SOURCE", language
	}
	f.Name = strings.TrimSuffix(f.Name, f.Ext)
	return f, nil
}

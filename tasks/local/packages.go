package local

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"flowctl/tasks"
)

// packageLists remembers what lies in folders of packages, as long as they do
// not change.
type packageLists struct {
	mu    sync.Mutex
	known map[string]packageList // by folder
}

type packageList struct {
	at    time.Time // when the folder changed last
	lines []string  // name==version
}

// in lists the packages that an interpreter finds in folders, the first of
// each name. Nothing is started: the names of their metadata say it.
func (p *packageLists) in(sites []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, site := range sites {
		for _, line := range p.of(site) {
			name, _, _ := strings.Cut(line, "==")
			if name = strings.ToLower(name); !seen[name] {
				seen[name] = true
				all = append(all, line)
			}
		}
	}
	slices.Sort(all)
	return all
}

func (p *packageLists) of(site string) []string {
	st, err := os.Stat(site)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.known[site]; ok && l.at.Equal(st.ModTime()) {
		return l.lines
	}
	entries, err := os.ReadDir(site)
	if err != nil {
		return nil
	}
	l := packageList{at: st.ModTime()}
	for _, d := range entries {
		if line, ok := packageOf(d.Name()); ok {
			l.lines = append(l.lines, line)
		}
	}
	if p.known == nil {
		p.known = map[string]packageList{}
	}
	p.known[site] = l
	return l.lines
}

// packageOf reads the name of a package's metadata.
//
// Source: the packaging specification of installed projects
// (NAME-VERSION.dist-info); setuptools' NAME-VERSION[-pyX.Y].egg-info.
func packageOf(entry string) (string, bool) {
	stem, dist := strings.CutSuffix(entry, ".dist-info")
	if !dist {
		var egg bool
		if stem, egg = strings.CutSuffix(entry, ".egg-info"); !egg {
			return "", false
		}
		stem, _, _ = strings.Cut(stem, "-py3")
	}
	i := strings.LastIndexByte(stem, '-')
	if i <= 0 {
		return "", false
	}
	return strings.ReplaceAll(stem[:i], "_", "-") + "==" + stem[i+1:], true
}

// runtimeFact is what the runtime says at its start of where it runs.
type runtimeFact struct {
	Python     string
	Executable string
	Sites      []string
}

// plainEnvironment tells what an attempt could import that runs in an
// interpreter as it is; that of an environment of ours was told when it was
// made. The list itself is a blob: it is long, and the same for most attempts.
func (o *Options) plainEnvironment(a tasks.Attempt, out tasks.Sink, r runtimeFact) error {
	envs := filepath.Join(a.Home, "envs") + string(filepath.Separator)
	if r.Python == "" || slices.ContainsFunc(r.Sites, func(s string) bool { return strings.HasPrefix(s, envs) }) {
		return nil
	}
	lines := o.packages.in(r.Sites)
	sum, text := sumLines(lines)
	kept := ""
	if _, err := keepBlob(a.Home, text); err == nil {
		kept = "blob:" + sum
	}
	data, err := json.Marshal(struct {
		Key         string `json:"key"`
		Python      string `json:"python"`
		Interpreter string `json:"interpreter"`
		MadeBy      string `json:"made_by"`
		Sum         string `json:"packages_sha256"`
		Packages    string `json:"packages,omitempty"`
		Count       int    `json:"count"`
	}{"python-" + r.Python + "-" + sum[:16], r.Python, r.Executable, "interpreter", sum, kept, len(lines)})
	if err != nil {
		return err
	}
	return out.Report(tasks.Fact{Kind: "environment", Data: data})
}

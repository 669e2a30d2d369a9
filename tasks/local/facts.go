package local

import (
	"encoding/json"
	"fmt"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/python"
	"flowctl/tasks/python/venv"
)

// maxFacts bounds what an attempt's own process may report, in bytes: facts
// are numbers and names, never data.
const maxFacts = 256 << 10

// factFilter passes on what an attempt's process reports, each fact once and
// no more than there is room for. It takes note of what the end needs.
type factFilter struct {
	seen    map[string]bool
	size    int
	dropped int
	runtime runtimeFact
}

func (f *factFilter) pass(ev python.Event, out tasks.Sink) error {
	if ev.Fact == "" || !json.Valid(ev.Data) {
		return nil // of a program that knows the protocol badly; it is no value, so nothing fails
	}
	if ev.Fact == "runtime" && f.runtime.Python == "" {
		_ = json.Unmarshal(ev.Data, &f.runtime) // without it there is no list of packages
	}
	key := ev.Fact + " " + string(ev.Data)
	if f.seen[key] {
		return nil
	}
	if f.size += len(key); f.size > maxFacts {
		f.dropped++
		return nil
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[key] = true
	return out.Report(tasks.Fact{Kind: ev.Fact, Data: ev.Data})
}

// reportGap tells that something is known not to be known.
func reportGap(out tasks.Sink, what, format string, args ...any) error {
	data, err := json.Marshal(map[string]string{"what": what, "detail": fmt.Sprintf(format, args...)})
	if err != nil {
		return err
	}
	return out.Report(tasks.Fact{Kind: "gap", Data: data})
}

// reportLibraries tells which wheels and jars of its own the job has an
// attempt use.
func reportLibraries(a tasks.Attempt, out tasks.Sink, wheels []venv.Requirement, jars []jarLibrary) error {
	var files []sourceFile
	add := func(path, via string) {
		if s, err := hashFile(a.Home, path, via); err == nil {
			files = append(files, s)
		} // else whoever installs or loads it will say what is wrong
	}
	for _, r := range wheels {
		if strings.HasSuffix(r.Path, ".whl") {
			add(r.Path, "wheel")
		}
	}
	for _, j := range jars {
		if j.Path != "" {
			add(j.Path, "jar")
		}
	}
	if len(files) == 0 {
		return nil
	}
	data, err := json.Marshal(map[string][]sourceFile{"files": files})
	if err != nil {
		return fmt.Errorf("report libraries: %w", err)
	}
	return out.Report(tasks.Fact{Kind: "source", Data: data})
}

// conclude tells, when all has been heard that the attempt's process had to
// say, what is learnt from elsewhere.
func (o *Options) conclude(f *follower) error {
	if err := o.plainEnvironment(f.a, f.out, f.facts.runtime); err != nil {
		return fmt.Errorf("report environment: %w", err)
	}
	if err := reportWrites(f.a, f.out); err != nil {
		return fmt.Errorf("report writes: %w", err)
	}
	if f.facts.dropped > 0 {
		return reportGap(f.out, "facts", "%d facts of the task's process are left out: together they were more than %d KiB", f.facts.dropped, maxFacts>>10)
	}
	return nil
}

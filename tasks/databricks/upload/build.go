package upload

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Artifact is a wheel that the job's file says how to build: an element of a
// bundle's artifacts.
type Artifact struct {
	Name  string
	Type  string // "whl" is built; others are left alone
	Path  string // folder of the project, absolute
	Build string // command for a shell, run in Path; empty: a wheel in dist, as "uv build" or "python3 -m build" makes it
}

// build makes the wheels that the job names and that an artifact makes. It
// builds each artifact at most once, and always: only its build tool knows
// whether something changed.
func (s *Source) build(ctx context.Context, job map[string]any) error {
	var wheels []string
	_ = visitJob(job, func(_ string, k kind, value string) (string, error) { // it has no error of its own
		if _, p := split(k, value); strings.HasSuffix(p, ".whl") {
			if file := s.local(p); file != "" {
				wheels = append(wheels, file)
			}
		}
		return value, nil
	})
	for _, a := range s.Artifacts {
		for _, w := range wheels {
			if a.Type == "whl" && within(a.Path, w) {
				if err := a.run(ctx, s.Log); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

func (a Artifact) run(ctx context.Context, log io.Writer) error {
	build := a.Build
	if build == "" {
		build = "if command -v uv >/dev/null; then uv build --wheel --out-dir dist; else python3 -m build --wheel; fi"
	}
	if log == nil {
		log = io.Discard
	}
	if st, err := os.Stat(a.Path); err != nil || !st.IsDir() {
		return &Problem{"artifacts." + a.Name, "there is no folder " + a.Path}
	}
	fmt.Fprintf(log, "Building %s in %s\n", a.Name, filepath.Base(a.Path))
	cmd := exec.CommandContext(ctx, "sh", "-c", build)
	var said strings.Builder
	// The same project must come out as the same wheel, or it would be other code
	// each time: build tools take file times from here.
	if os.Getenv(epoch) == "" {
		cmd.Env = append(os.Environ(), epoch+"=315532800") // 1980, the first year of a zip file
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = a.Path, &said, &said
	if err := cmd.Run(); err != nil {
		return &Problem{"artifacts." + a.Name, fmt.Sprintf("%s: %v\n%s", build, err, tail(said.String(), 2000))}
	}
	return nil
}

// epoch names the variable by which build tools make builds reproducible.
const epoch = "SOURCE_DATE_EPOCH"

func tail(s string, n int) string {
	if len(s) > n {
		s = "…" + s[len(s)-n:]
	}
	return strings.TrimRight(s, "\n")
}

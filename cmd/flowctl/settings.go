package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// settings is flowctl.yaml beside a job file: what only flowctl knows of the
// job, and what therefore has no place in it.
type settings struct {
	// WorkspaceRoots says where workspace paths lead: prefix to folder,
	// relative to the file's own.
	WorkspaceRoots map[string]string `yaml:"workspace_roots"`
	// Remote are tasks that run on a workspace, as run --remote names them.
	Remote []string `yaml:"remote"`
	// Misfire and MisfireWindow say what a daemon does about fires that were
	// missed; they are read from the data directory's flowctl.yaml.
	Misfire string `yaml:"misfire"`
	// MailRelay is the mail server that a daemon sends e-mail through.
	MailRelay     string   `yaml:"mail_relay"`
	MisfireWindow duration `yaml:"misfire_window"`
}

// duration is a time as a person writes it: 24h, 90m.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration; write 24h or 90m", text)
	}
	*d = duration(v)
	return nil
}

// readSettings reads the flowctl.yaml of a folder; without one all is as the
// flags say.
func readSettings(dir string) (settings, error) {
	s := settings{WorkspaceRoots: map[string]string{}}
	path := filepath.Join(dir, "flowctl.yaml")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, unable(fmt.Errorf("read settings: %w", err))
	}
	if err := yaml.UnmarshalWithOptions(data, &s, yaml.Strict()); err != nil {
		return s, usage("%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	for prefix, to := range s.WorkspaceRoots {
		if !strings.HasPrefix(prefix, "/") {
			return s, usage("%s: workspace_roots: %q is no workspace path; it begins with /", path, prefix)
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		if st, err := os.Stat(to); err != nil || !st.IsDir() {
			return s, usage("%s: workspace_roots: %s: there is no folder %s", path, prefix, to)
		}
		s.WorkspaceRoots[prefix] = to
	}
	if s.WorkspaceRoots == nil {
		s.WorkspaceRoots = map[string]string{}
	}
	return s, nil
}

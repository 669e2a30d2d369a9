package venv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// install lets uv, if it is there, or pip install the requirements, and
// returns who did it.
func (b *build) install(ctx context.Context, base python) (who string, err error) {
	list := filepath.Join(b.dir, "requirements.txt")
	var text strings.Builder
	for _, r := range b.spec.Requirements {
		fmt.Fprintln(&text, r.listed())
	}
	if err := os.WriteFile(list, []byte(text.String()), 0o600); err != nil {
		return "", fmt.Errorf("build environment: %w", err)
	}
	defer os.Remove(list) //nolint:errcheck // it may hold an index's password; what fails is removed whole
	if uv, err := exec.LookPath("uv"); err == nil {
		return b.uv(ctx, uv, list, base)
	}
	return b.pip(ctx, list, base)
}

// listed is the requirement as it stands in the installer's list: a path with
// a blank or the like in it is written as an address there.
func (r Requirement) listed() string {
	if r.Path == "" || !strings.HasPrefix(r.Line, r.Path) && !r.editable() || !strings.ContainsAny(r.Path, " #%[]?;\\\"'") {
		return r.Line
	}
	return strings.Replace(r.Line, r.Path, (&url.URL{Scheme: "file", Path: r.Path}).String(), 1)
}

// uv installs by uv. It does not see the interpreter's own packages, so it is
// first asked to keep to their versions, as pip would, and only if that
// cannot be to take any.
func (b *build) uv(ctx context.Context, uv, list string, base python) (string, error) {
	args := []string{
		"pip", "install", "--python", filepath.Join(b.dir, "bin", "python"), "--no-progress", "--color", "never",
		"--index-strategy", "unsafe-best-match", "-r", list,
	}
	for _, r := range b.spec.Requirements { // what uv takes on its command line only
		option, value, _ := strings.Cut(strings.TrimSpace(r.Line), " ")
		switch option {
		case "--pre":
			args = append(args, "--prerelease", "allow")
		case "--trusted-host":
			args = append(args, "--allow-insecure-host", strings.TrimSpace(value))
		}
	}
	args = append(args, b.pipSettings(ctx, base)...)
	keep := filepath.Join(b.dir, "base.txt")
	var versions strings.Builder
	for _, p := range base.Packages {
		if p.From == "" && p.Version != "" {
			fmt.Fprintln(&versions, p.Name+"=="+p.Version)
		}
	}
	if err := os.WriteFile(keep, []byte(versions.String()), 0o600); err != nil {
		return "", fmt.Errorf("build environment: %w", err)
	}
	stop := b.report("building environment with uv")
	defer stop()
	_, err := b.installer(ctx, uv, append(slices.Clone(args), "-c", keep)...)
	refused := new(Error)
	if errors.As(err, &refused) && versions.Len() > 0 && strings.Contains(refused.Output, "No solution found") {
		_, err = b.installer(ctx, uv, args...)
	}
	if errors.As(err, &refused) && refused.Offline { // its cache may have all that it takes
		if _, again := b.installer(ctx, uv, append(slices.Clone(args), "--offline")...); again == nil {
			err = nil
		}
	}
	if err != nil {
		return "", err
	}
	out, err := b.command(ctx, uv, "--version").Output()
	if err != nil {
		return "uv", nil //nolint:nilerr // it has done its work; its version is for people
	}
	words := strings.Fields(string(out))
	return strings.Join(words[:min(2, len(words))], " "), nil
}

// pipSettings are the indexes of pip's own configuration: people who need them
// have them there, and uv does not read it.
func (b *build) pipSettings(ctx context.Context, base python) []string {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); slices.Contains([]string{"UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE"}, name) {
			return nil // uv has its own
		}
	}
	if !base.Pip {
		return nil
	}
	out, err := b.command(ctx, filepath.Join(b.dir, "bin", "python"), "-m", "pip", "config", "list").Output()
	if err != nil {
		return nil // without a configuration it is as pip would do without
	}
	values := map[string]string{} // a later line of the list beats an earlier one
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		_, name, _ = strings.Cut(name, ".")
		values[name] = strings.Trim(strings.ReplaceAll(value, `\n`, " "), `'"`)
	}
	var args []string
	for _, name := range []string{"index-url", "extra-index-url", "find-links", "trusted-host"} {
		for _, value := range strings.Fields(values[name]) {
			option := "--" + name
			if name == "trusted-host" {
				option = "--allow-insecure-host"
			}
			if (name != "find-links" || exists(value)) && !b.asksFor(option) {
				args = append(args, option, value)
			}
		}
	}
	if v := values["no-index"]; v == "1" || v == "true" || v == "True" {
		args = append(args, "--no-index")
	}
	return args
}

// exists tells whether a folder of wheels is there; an address is taken as it is.
func exists(place string) bool {
	if strings.Contains(place, "://") {
		return true
	}
	_, err := os.Stat(place)
	return err == nil
}

// asksFor tells whether the requirements set an option themselves.
func (b *build) asksFor(option string) bool {
	return slices.ContainsFunc(b.spec.Requirements, func(r Requirement) bool { return option == "--index-url" && r.option("-i", option) })
}

// pip installs by the interpreter's own pip, else by the one that comes with
// Python. It sees the interpreter's packages and installs beside them what
// they do not satisfy.
func (b *build) pip(ctx context.Context, list string, base python) (string, error) {
	python := filepath.Join(b.dir, "bin", "python")
	if !base.Pip {
		b.say("building environment: getting pip")
		if out, err := b.command(ctx, python, "-m", "ensurepip", "--default-pip").CombinedOutput(); err != nil {
			if err := canceled(ctx); err != nil {
				return "", err
			}
			if full(string(out)) {
				return "", fmt.Errorf("build environment: %w", syscall.ENOSPC)
			}
			return "", &Error{Blamed: asked(b.spec.Requirements), Reason: fmt.Sprintf("there is no installer: uv is not on PATH, and %s has neither pip nor ensurepip; install uv, or the packages python3-pip and python3-venv", b.spec.Interpreter)}
		}
	}
	stop := b.report("building environment with pip")
	defer stop()
	args := []string{"-m", "pip", "install", "--no-color", "-r", list}
	if os.Getenv("PYTHONDONTWRITEBYTECODE") == "" {
		// The first import compiles what it needs, as with uv: compiling all
		// of Spark's, MLflow's and pandas' modules took as long as the rest.
		args = append(args, "--no-compile")
	}
	if _, err := b.installer(ctx, python, args...); err != nil {
		return "", err
	}
	out, err := b.command(ctx, python, "-m", "pip", "--version").Output()
	if err != nil {
		return "pip", nil //nolint:nilerr // it has done its work; its version is for people
	}
	words := strings.Fields(string(out))
	return strings.Join(words[:min(2, len(words))], " "), nil
}

// installer runs a program that writes to the build's log. The error is an
// *Error with all that it said if it refuses.
func (b *build) installer(ctx context.Context, program string, args ...string) (said string, err error) {
	path := filepath.Join(b.dir, logName)
	log, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("build environment: %w", err)
	}
	defer log.Close() //nolint:errcheck // the installer has its own descriptor
	cmd := b.command(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Run()
	text, rerr := os.ReadFile(path)
	if rerr != nil {
		return "", fmt.Errorf("build environment: %w", rerr)
	}
	said = hidden(string(text))
	switch {
	case err == nil:
		return said, nil
	case ctx.Err() != nil:
		return said, context.Cause(ctx)
	case full(said):
		return said, fmt.Errorf("build environment in %s, with temporary files in %s: %w", b.dir, os.TempDir(), syscall.ENOSPC)
	}
	return said, refusal(said, err, b.spec.Requirements)
}

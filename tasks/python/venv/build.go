package venv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// logName is the file of an environment in which its installer speaks.
const logName = "build.log"

// build makes one environment. Its lock is held, also by the programs that it
// starts: one that outlives a killed flowctl keeps others out until it ends.
type build struct {
	dir  string
	spec Spec
	lock *os.File
	say  func(string)
}

func (b *build) run(ctx context.Context) error {
	begin := time.Now()
	if err := os.RemoveAll(b.dir); err != nil { // of a build that was killed
		return fmt.Errorf("build environment: %w", err)
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("build environment: %w", err)
	}
	base, err := ask(ctx, b.spec.Interpreter, b.dir)
	if err != nil {
		return err
	}
	site, err := b.empty(ctx, base)
	if err != nil {
		return err
	}
	m := Manifest{Created: begin.UTC(), Interpreter: b.spec.Interpreter, Python: base.Version, MadeBy: "flowctl", Site: site}
	unpacked, err := b.unpackWheels(base, filepath.Join(b.dir, site))
	if err != nil {
		return err
	}
	for _, r := range b.spec.Requirements {
		m.Requirements = append(m.Requirements, hidden(r.Line))
	}
	if !unpacked {
		b.say("building environment: " + short(strings.Join(m.Requirements, ", "), 200))
		if m.MadeBy, err = b.install(ctx, base); err != nil {
			return err
		}
	}
	made, err := ask(ctx, filepath.Join(b.dir, "bin", "python"), b.dir)
	if err != nil {
		return err
	}
	for _, p := range made.Packages {
		if same(p.Site, filepath.Join(b.dir, site)) {
			m.Packages = append(m.Packages, p.String())
		} else {
			m.Base = append(m.Base, p.String())
		}
	}
	lock := strings.Join(append(append([]string{}, m.Packages...), m.Base...), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(b.dir, "lock.txt"), []byte(lock), 0o600); err != nil {
		return fmt.Errorf("write lock of environment: %w", err)
	}
	if m.Installed, err = installed(filepath.Join(b.dir, site)); err != nil {
		return fmt.Errorf("list packages of environment: %w", err)
	}
	m.Took = time.Since(begin).Milliseconds()
	stamp(b.dir)
	if err := publish(b.dir, m); err != nil {
		return fmt.Errorf("publish environment: %w", err)
	}
	if !unpacked {
		b.say(fmt.Sprintf("environment built in %.1f s by %s, %s", time.Since(begin).Seconds(), m.MadeBy, count(len(m.Packages))))
	}
	return nil
}

func same(a, b string) bool {
	if a == b {
		return true
	}
	x, err := filepath.EvalSymlinks(a)
	if err != nil {
		return false
	}
	y, err := filepath.EvalSymlinks(b)
	return err == nil && x == y
}

// empty makes an environment without packages of its own, in which the
// interpreter's can be imported, and returns the folder for its packages.
func (b *build) empty(ctx context.Context, base python) (site string, err error) {
	cmd := b.command(ctx, b.spec.Interpreter, "-m", "venv", "--without-pip", "--symlinks", b.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		if full(string(out)) {
			return "", fmt.Errorf("build environment: %w", syscall.ENOSPC)
		}
		return "", fmt.Errorf("build environment: %s -m venv: %w: %s", b.spec.Interpreter, err, short(strings.Join(strings.Fields(string(out)), " "), 300))
	}
	site = filepath.Join("lib", fmt.Sprintf("python3.%d", base.Minor), "site-packages")
	if _, err := os.Stat(filepath.Join(b.dir, site)); err != nil {
		return "", fmt.Errorf("build environment: %w", err)
	}
	calls := "import site"
	for _, s := range base.Sites {
		calls += "; site.addsitedir(" + strconv.QuoteToASCII(s) + ")"
	}
	if err := os.WriteFile(filepath.Join(b.dir, site, "_flowctl_base.pth"), []byte(calls+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("build environment: %w", err)
	}
	return site, nil
}

// command is a program that the build starts. It holds the lock, ends with
// ctx together with its children, and gets the time to clean up.
func (b *build) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = b.dir
	cmd.Env = cleanEnv()
	cmd.ExtraFiles = []*os.File{b.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// cleanEnv is the environment without what would lead an interpreter or an
// installer to other folders than those of the environment that is built.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__",
			"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_PYTHON", "PIP_QUIET", "PIP_VERBOSE",
			"UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_TARGET", "UV_PREFIX":
		default:
			env = append(env, v)
		}
	}
	return append(env, "PIP_USER=0", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_PROGRESS_BAR=off", "NO_COLOR=1", "LC_ALL=C.UTF-8")
}

// full tells whether a program's words say that the disk is full.
func full(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "no space left on device") || strings.Contains(said, "os error 28") || strings.Contains(said, "disk quota exceeded")
}

// report says every now and then what an installer is at, until stop is
// called: less often as long as that is the same.
func (b *build) report(what string) (stop func()) {
	const often, same = 5 * time.Second, 30 * time.Second
	begin, quit, done := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(often)
		defer tick.Stop()
		last, said := "", begin
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				line := lastLine(filepath.Join(b.dir, logName))
				if line == last && time.Since(said) < same {
					continue
				}
				last, said = line, time.Now()
				if line == "" {
					line = "it has not said yet what it does"
				}
				b.say(fmt.Sprintf("%s (%d s): %s", what, int(time.Since(begin).Seconds()), line))
			}
		}
	}()
	return func() { close(quit); <-done }
}

// canceled is the end of ctx, if that is why a program failed.
func canceled(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx))
	}
	return nil
}

func count(packages int) string {
	if packages == 1 {
		return "1 package"
	}
	return fmt.Sprintf("%d packages", packages)
}

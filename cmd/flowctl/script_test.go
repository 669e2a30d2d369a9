package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"flowctl": func() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts types command lines as a user does; see testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("FLOWCTL_HOME", e.WorkDir+"/.data")
			e.Setenv("HOME", e.WorkDir+"/.home")
			for _, name := range []string{"PYENV_ROOT", "FLOWCTL_PYTHON", "GOCOVERDIR"} {
				if v := os.Getenv(name); v != "" {
					e.Setenv(name, v)
				}
			}
			return os.Mkdir(e.WorkDir+"/.home", 0o700)
		},
	})
}

package taskstest

import (
	"os"
	"path/filepath"
	"testing"
)

// KeepEnvs has the virtual environments of a data directory in a cache of the
// user's: one that takes minutes to build is built for all tests once. The
// folder is an ordinary one of the store, so several tests may use it.
func KeepEnvs(t *testing.T, home string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "flowctl-test", "envs")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cache, filepath.Join(home, "envs")); err != nil {
		t.Fatal(err)
	}
}

package venv

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll brings all that was written under a folder to the disk.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	return unix.Syncfs(int(f.Fd()))
}

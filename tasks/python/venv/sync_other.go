//go:build !linux

package venv

import "golang.org/x/sys/unix"

// syncAll asks for all that was written to be brought to the disk.
func syncAll(string) error { return unix.Sync() }

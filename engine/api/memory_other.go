//go:build !linux && !darwin

package api

// memoryMB is how much memory this machine has, in MiB; 0: unknown.
func memoryMB() int64 { return 0 }

package api

import "golang.org/x/sys/unix"

// memoryMB is how much memory this machine has, in MiB.
func memoryMB() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n >> 20)
}

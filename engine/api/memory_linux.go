package api

import "golang.org/x/sys/unix"

// memoryMB is how much memory this machine has, in MiB.
func memoryMB() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit) >> 20)
}

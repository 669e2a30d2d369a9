package local

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// startOf reads when a process began, in ticks since the boot, and what state
// it is in ('Z' is a zombie). Empty: there is no such process.
func startOf(pid int) (start string, state byte) {
	words := statOf(strconv.Itoa(pid))
	if len(words) < 20 {
		return "", 0
	}
	return words[19], words[0][0]
}

// statOf reads /proc/PID/stat from the state on: what comes before it, the
// program's name, may hold anything.
func statOf(pid string) []string {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}

// bootID names this boot of the machine.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// groupLives tells whether a process group has a member that is no zombie.
func groupLives(group int) bool {
	want := strconv.Itoa(group)
	for _, pid := range pids() {
		if s := statOf(pid); len(s) > 2 && s[2] == want && s[0] != "Z" && s[0] != "X" {
			return true
		}
	}
	return false
}

// carriers lists the processes that descend from an attempt, wherever they
// went: they carry its directory in their environment.
func carriers(dir string) []int {
	sign := "\x00FLOWCTL_TASK_DIR=" + dir
	var list []int
	for _, pid := range pids() {
		env, err := os.ReadFile("/proc/" + pid + "/environ")
		if err != nil {
			continue // gone, or somebody else's
		}
		env = append([]byte{0}, env...)
		if !bytes.Contains(env, []byte(sign+"\x00")) && !bytes.Contains(env, []byte(sign+"/")) {
			continue
		}
		if n, err := strconv.Atoi(pid); err == nil && n != os.Getpid() {
			list = append(list, n)
		}
	}
	return list
}

func pids() []string {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close() //nolint:errcheck // only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	list := names[:0]
	for _, n := range names {
		if n[0] >= '1' && n[0] <= '9' {
			list = append(list, n)
		}
	}
	return list
}

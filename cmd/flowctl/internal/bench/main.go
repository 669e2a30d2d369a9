// Command bench measures a flowctl binary against what nature asks for: the
// same Python processes started by hand. It alternates the two in one run and
// prints medians and ratios; the times are this machine's, the ratios travel.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 || len(os.Args) == 3 && os.Args[2] != "spark" {
		fmt.Fprintln(os.Stderr, "usage: bench FLOWCTL [spark]\n\nWith the word spark only what Spark tasks cost; FLOWCTL_PYTHON names an interpreter that has it.")
		os.Exit(2)
	}
	bin, err := filepath.Abs(os.Args[1])
	if err == nil {
		err = run(bin, len(os.Args) == 3)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one measurement's surroundings.
type bench struct {
	bin, dir, home, python string
}

func run(bin string, spark bool) (err error) {
	dir, err := os.MkdirTemp("", "flowctl-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // of no further use
	b := &bench{bin: bin, dir: dir, home: filepath.Join(dir, "home")}
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return fmt.Errorf("find the interpreter: %w", err)
	}
	b.python = strings.TrimSpace(string(out))
	if err := os.WriteFile(filepath.Join(dir, "pass.py"), []byte("pass\n"), 0o600); err != nil {
		return err
	}
	if _, err := b.flowctl(job("warm", "pass")); err != nil { // unpacks the runtime, compiles it
		return err
	}
	fmt.Printf("interpreter %s\n\n%-34s %12s %12s %8s\n", b.python, "", "by hand", "flowctl", "ratio")
	measures := []func() error{b.chain, b.fan, b.first, b.firstLine, b.each, b.many}
	if spark {
		measures = []func() error{b.firstLine, b.spark}
	}
	for _, m := range measures {
		if err := m(); err != nil {
			return err
		}
	}
	return nil
}

// used is what one run of flowctl took.
type used struct {
	time   time.Duration
	maxRSS int64 // KiB
}

// flowctl runs a job file and returns what that took.
func (b *bench) flowctl(j any, args ...string) (used, error) {
	raw, err := json.Marshal(j)
	if err != nil {
		return used{}, err
	}
	file := filepath.Join(b.dir, "job.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return used{}, err
	}
	cmd := exec.Command(b.bin, append([]string{"--home", b.home, "run", file, "-q"}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return used{}, fmt.Errorf("flowctl: %w\n%s", err, said.String())
	}
	u := used{time: time.Since(start)}
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.maxRSS = ru.Maxrss
	}
	return u, nil
}

// byHand starts n bare processes, some at once.
func (b *bench) byHand(n, atOnce int) (time.Duration, error) {
	start := time.Now()
	left := make(chan struct{}, n)
	for range n {
		left <- struct{}{}
	}
	close(left)
	var wg sync.WaitGroup
	errs := make([]error, atOnce)
	for i := range atOnce {
		wg.Go(func() {
			for range left {
				if err := exec.Command(b.python, filepath.Join(b.dir, "pass.py")).Run(); err != nil {
					errs[i] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// run1 runs one process to its end.
func run1(program string, args ...string) error {
	return exec.Command(program, args...).Run()
}

// compare alternates bare processes and a job of as many tasks.
func (b *bench) compare(label string, rounds, n, atOnce int, j any) error {
	var hand, ours []time.Duration
	for range rounds {
		h, err := b.byHand(n, atOnce)
		if err != nil {
			return err
		}
		u, err := b.flowctl(j, "--max-parallel-tasks", fmt.Sprint(atOnce))
		if err != nil {
			return err
		}
		hand, ours = append(hand, h), append(ours, u.time)
	}
	h, o := median(hand), median(ours)
	fmt.Printf("%-34s %12s %12s %8.3f\n", label, round(h), round(o), float64(o)/float64(h))
	return nil
}

func (b *bench) chain() error {
	var tasks []any
	for i := range 100 {
		tasks = append(tasks, task(fmt.Sprintf("t%d", i), i > 0, fmt.Sprintf("t%d", i-1)))
	}
	return b.compare("chain of 100 processes", 5, 100, 1, map[string]any{"name": "chain", "tasks": tasks})
}

func (b *bench) fan() error {
	tasks := []any{task("root", false, "")}
	for i := range 998 {
		tasks = append(tasks, task(fmt.Sprintf("t%d", i), true, "root"))
	}
	return b.compare("fan-out of 998, two at once", 3, 999, 2, map[string]any{"name": "fan", "tasks": tasks})
}

// first measures from the command to the first task's exec: the time at which
// the task's log file is made is the time of its start.
func (b *bench) first() error {
	var times []time.Duration
	for range 15 {
		marker := filepath.Join(b.dir, "started")
		_ = os.Remove(marker) // of the last round
		j := job("first", "stamp")
		code := "import os; open(" + fmt.Sprintf("%q", marker) + ", 'w').write(open('/proc/self/stat').read())"
		if err := os.WriteFile(filepath.Join(b.dir, "stamp.py"), []byte(code), 0o600); err != nil {
			return err
		}
		start := time.Now()
		if _, err := b.flowctl(j); err != nil {
			return err
		}
		logs, err := filepath.Glob(filepath.Join(b.home, "runs", "*", "stamp", "0", "output.log"))
		if err != nil || len(logs) == 0 {
			return fmt.Errorf("no log of the first task: %w", err)
		}
		slices.Sort(logs)
		st, err := os.Stat(filepath.Dir(logs[len(logs)-1]) + "/lock")
		if err != nil {
			return err
		}
		times = append(times, st.ModTime().Sub(start))
	}
	fmt.Printf("%-34s %12s %12s\n", "command to first exec", "", round(median(times)))
	return nil
}

func (b *bench) each() error {
	list := make([]int, 5000)
	for i := range list {
		list[i] = i
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	j := map[string]any{
		"name": "each", "parameters": []any{map[string]string{"name": "xs", "default": string(raw)}},
		"tasks": []any{map[string]any{"task_key": "f", "for_each_task": map[string]any{
			"inputs": "{{job.parameters.xs}}", "concurrency": 20,
			"task": map[string]any{"task_key": "c", "condition_task": map[string]string{"op": "GREATER_THAN", "left": "{{input}}", "right": "10"}},
		}}},
	}
	var times []time.Duration
	for range 5 {
		u, err := b.flowctl(j)
		if err != nil {
			return err
		}
		times = append(times, u.time)
	}
	fmt.Printf("%-34s %12s %12s\n", "for_each of 5,000 conditions", "", round(median(times)))
	return nil
}

// many has ten jobs of 1,000 tasks at once in one engine: a job that runs nine
// others, each of whose tasks are conditions, beside its own.
func (b *bench) many() error {
	jobs := map[string]any{}
	var calls []any
	for n := range 10 {
		var tasks []any
		for i := range 1000 {
			t := map[string]any{"task_key": fmt.Sprintf("t%d", i), "condition_task": map[string]string{"op": "EQUAL_TO", "left": "{{job.run_id}}", "right": "x"}}
			if i > 0 {
				t["depends_on"] = []any{map[string]string{"task_key": fmt.Sprintf("t%d", i-1)}}
			}
			tasks = append(tasks, t)
		}
		key := fmt.Sprintf("j%d", n)
		jobs[key] = map[string]any{"name": key, "tasks": tasks}
		calls = append(calls, map[string]any{"task_key": key, "run_job_task": map[string]string{"job_id": "${resources.jobs." + key + ".id}"}})
	}
	jobs["all"] = map[string]any{"name": "all", "tasks": calls}
	u, err := b.flowctl(map[string]any{"resources": map[string]any{"jobs": jobs}}, "--job", "all")
	if err != nil {
		return err
	}
	fmt.Printf("%-34s %12s %12s  %d MiB at most\n", "10,000 task runs, ten runs at once", "", round(u.time), u.maxRSS/1024)
	return nil
}

func job(name, script string) any {
	return map[string]any{"name": name, "tasks": []any{map[string]any{"task_key": script, "spark_python_task": map[string]string{"python_file": script + ".py"}}}}
}

func task(key string, waits bool, after string) any {
	t := map[string]any{"task_key": key, "spark_python_task": map[string]string{"python_file": "pass.py"}}
	if waits {
		t["depends_on"] = []any{map[string]string{"task_key": after}}
	}
	return t
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond / 10) }

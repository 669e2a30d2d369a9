package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// firstLine measures from the command to the user's first line, where the
// task's environment is built: against a bare start of that environment's own
// Python. The file that the code writes says when it was there.
func (b *bench) firstLine() error {
	wheel := filepath.Join(b.dir, "package")
	if err := os.MkdirAll(wheel, 0o700); err != nil {
		return err
	}
	project := "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"benched\"\nversion = \"1\"\n[tool.setuptools]\npy-modules = []\n"
	if err := os.WriteFile(filepath.Join(wheel, "pyproject.toml"), []byte(project), 0o600); err != nil {
		return err
	}
	stamp := "import sys, time\nopen(" + strconv.Quote(filepath.Join(b.dir, "at")) + ", 'w').write('%r %s' % (time.time(), sys.executable))\n"
	for name, text := range map[string]string{"line.py": stamp, "linebook.py": "# Databricks notebook source\n" + stamp} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	tasks := map[string]any{
		"script":   map[string]any{"task_key": "t", "spark_python_task": map[string]string{"python_file": "line.py"}},
		"notebook": map[string]any{"task_key": "t", "notebook_task": map[string]string{"notebook_path": "linebook"}},
	}
	const rounds = 9
	for _, kind := range []string{"script", "notebook"} {
		t := tasks[kind].(map[string]any)
		t["environment_key"] = "e"
		j := map[string]any{"name": "line", "tasks": []any{t}, "environments": []any{
			map[string]any{"environment_key": "e", "spec": map[string]any{"environment_version": "4", "dependencies": []string{"./package"}}},
		}}
		var hand, ours []time.Duration
		_, python, err := b.until(func() error { _, err := b.flowctl(j); return err }) // builds the environment
		if err != nil {
			return err
		}
		for range rounds {
			h, _, err := b.until(func() error { return run1(python, filepath.Join(b.dir, "line.py")) })
			if err != nil {
				return err
			}
			o, _, err := b.until(func() error { _, err := b.flowctl(j); return err })
			if err != nil {
				return err
			}
			hand, ours = append(hand, h), append(ours, o)
		}
		h, o := median(hand), median(ours)
		fmt.Printf("%-34s %12s %12s %8.3f  %s more\n", "to the first line of a "+kind, round(h), round(o), float64(o)/float64(h), round(o-h))
	}
	return nil
}

// until is the time from now to the moment that the code of a process wrote
// down, and the interpreter that it ran in.
func (b *bench) until(process func() error) (time.Duration, string, error) {
	start := time.Now()
	if err := process(); err != nil {
		return 0, "", err
	}
	data, err := os.ReadFile(filepath.Join(b.dir, "at"))
	if err != nil {
		return 0, "", err
	}
	at, python, _ := strings.Cut(string(data), " ")
	seconds, err := strconv.ParseFloat(at, 64)
	if err != nil {
		return 0, "", err
	}
	return time.Duration(seconds*1e9) - time.Duration(start.UnixNano()), python, nil
}

// spark has five Spark tasks on one job cluster against one alone, side by
// side and one after the other.
func (b *bench) spark() error {
	const code = "# Databricks notebook source\nprint(spark.range(1000).selectExpr('sum(id)').first()[0])\n"
	if err := os.WriteFile(filepath.Join(b.dir, "sparkbook.py"), []byte(code), 0o600); err != nil {
		return err
	}
	jobs := []any{sparkJob(1, false), sparkJob(5, false), sparkJob(5, true)}
	times := make([][]time.Duration, len(jobs))
	if _, err := b.flowctl(jobs[0]); err != nil { // fetches jars
		return err
	}
	for range 5 {
		for i, j := range jobs {
			u, err := b.flowctl(j)
			if err != nil {
				return err
			}
			times[i] = append(times[i], u.time)
		}
	}
	one := median(times[0])
	for i, label := range []string{"one Spark task, by itself", "five at once on one job cluster", "five after another"} {
		m := median(times[i])
		fmt.Printf("%-34s %12s %12s %8.3f\n", label, "", round(m), float64(m)/float64(one))
	}
	return nil
}

// sparkJob is a job of n Spark tasks on one job cluster, one after the other if chained.
func sparkJob(n int, chained bool) any {
	var tasks []any
	for i := range n {
		t := map[string]any{"task_key": fmt.Sprint("t", i), "job_cluster_key": "c", "notebook_task": map[string]string{"notebook_path": "sparkbook"}}
		if chained && i > 0 {
			t["depends_on"] = []any{map[string]string{"task_key": fmt.Sprint("t", i-1)}}
		}
		tasks = append(tasks, t)
	}
	cluster := map[string]any{"job_cluster_key": "c", "new_cluster": map[string]any{"spark_version": "18.0.x-scala2.13", "num_workers": 1}}
	return map[string]any{"name": "spark", "tasks": tasks, "job_clusters": []any{cluster}}
}

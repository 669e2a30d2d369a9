package main

import (
	"context"
	"strconv"
	"strings"
)

// attemptOf is the latest attempt of a run's task, or of a for_each task's
// iteration, "each[2]"; id may be an attempt's itself.
func (d *door) attemptOf(ctx context.Context, id int64, task string) (int64, error) {
	r, err := d.getRun(ctx, id)
	if err != nil {
		return 0, err
	}
	if task == "" && len(r.Tasks) == 1 {
		return r.Tasks[0].RunID, nil
	}
	key, item := iterationName(task)
	var keys []string
	for _, t := range r.Tasks {
		if t.TaskKey == task {
			return t.RunID, nil
		}
		if t.TaskKey == key && item >= 0 {
			return d.iterationOf(ctx, t, item)
		}
		keys = append(keys, t.TaskKey)
	}
	if task == "" {
		return 0, usage("run %d has several tasks; say which with --task: %v", id, keys)
	}
	return 0, usage("run %d has no task %q; its tasks are %v", id, task, keys)
}

// iterationName takes "each[2]" apart; -1: it names no iteration.
func iterationName(task string) (key string, item int) {
	key, rest, ok := strings.Cut(task, "[")
	n, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if !ok || err != nil || n < 0 || !strings.HasSuffix(rest, "]") {
		return task, -1
	}
	return key, n
}

// iterationOf is the latest attempt of an iteration, which the printed name
// "each[2]" counts from 0.
func (d *door) iterationOf(ctx context.Context, t shownTask, item int) (int64, error) {
	r, err := d.getRun(ctx, t.RunID)
	if err != nil {
		return 0, err
	}
	for i, it := range r.Iterations {
		if place(it.TaskKey, i) == item {
			return it.RunID, nil
		}
	}
	return 0, usage("task %s has %d iterations, of which the first is %s[0]", t.TaskKey, len(r.Iterations), t.TaskKey)
}

// place is which of its task's iterations one is: its key ends in that.
func place(key string, at int) int {
	if n, err := strconv.Atoi(key[strings.LastIndex(key, "_")+1:]); err == nil && n >= 0 {
		return n
	}
	return at
}

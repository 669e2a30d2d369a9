package jobspec

import (
	"fmt"
	"slices"
	"strings"
)

// siblings checks run_job tasks against the jobs of the same file: names that
// name nothing, and jobs that start each other in a circle.
func (c *checker) siblings() {
	names := []string{}
	for i := range c.doc.Jobs {
		names = append(names, c.doc.Jobs[i].Label())
	}
	starts := func(e *Entry) []*Entry {
		var list []*Entry
		for i := range e.Job.Tasks {
			if rj := runJobOf(&e.Job.Tasks[i]); rj != nil {
				if t := c.doc.target(*rj); t != nil {
					list = append(list, t)
				}
			}
		}
		return list
	}
	for i := range c.entry.Job.Tasks {
		rj := runJobOf(&c.entry.Job.Tasks[i])
		if rj == nil {
			continue
		}
		at := fmt.Sprintf("tasks[%d].run_job_task.job_id", i)
		task := c.taskNode(i)
		n := task.get("run_job_task").get("job_id")
		if n == nil {
			at = fmt.Sprintf("tasks[%d].for_each_task.task.run_job_task.job_id", i)
			n = task.get("for_each_task").get("task").get("run_job_task").get("job_id")
		}
		target := c.doc.target(*rj)
		if target == nil {
			if key, ok := strings.CutPrefix(rj.JobRef, "${resources.jobs."); ok && c.entry.Key != "" {
				key = strings.TrimSuffix(strings.TrimSuffix(key, "}"), ".id")
				c.err(n, at, "no job %q in this file%s", key, didYouMean(key, names))
			}
			continue
		}
		if path := circle(target, c.entry, starts, nil); path != nil {
			c.err(n, at, "the job starts itself: %s -> %s", c.entry.Label(), strings.Join(path, " -> "))
		}
	}
}

// taskNode is where a task stands: in the list, or the whole of a job of API 2.0.
func (c *checker) taskNode(i int) *node {
	if list := c.entry.root.list("tasks"); i < len(list) {
		return list[i]
	}
	return c.entry.root
}

func runJobOf(t *Task) *RunJob {
	if t.ForEach != nil && t.ForEach.Task != nil {
		return t.ForEach.Task.RunJob
	}
	return t.RunJob
}

// target is the job of this file that a run_job task means.
func (d *Document) target(rj RunJob) *Entry {
	name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(rj.JobRef, "${resources.jobs."), "}"), ".id")
	for i := range d.Jobs {
		e := &d.Jobs[i]
		if rj.JobID != 0 && e.ID == rj.JobID || name != "" && (e.Key == name || e.Job.Name == name) {
			return e
		}
	}
	return nil
}

// circle finds a way from one job to another through run_job tasks.
func circle(from, to *Entry, starts func(*Entry) []*Entry, seen []*Entry) []string {
	if from == to {
		return []string{to.Label()}
	}
	if slices.Contains(seen, from) {
		return nil
	}
	for _, next := range starts(from) {
		if path := circle(next, to, starts, append(seen, from)); path != nil {
			return append([]string{from.Label()}, path...)
		}
	}
	return nil
}

// jobRef tells whether a text stands for a job's id.
func jobRef(s string) bool { return s != "" && !strings.Contains(s, "{{") }

package jobspec

import (
	"fmt"
	"strings"

	"flowctl/jobspec/quartz"
)

// when checks what makes the job start by itself.
func (c *checker) when(root *node) {
	var given []string
	for _, key := range []string{"schedule", "trigger", "continuous", "triggers"} {
		if v := root.get(key); v != nil && v.kind != nodeNull {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		c.err(root.get(given[1]), given[1], "a job starts by one thing; given: %s", strings.Join(given, ", "))
	}
	c.schedule(root.get("schedule"), "schedule")
	if t := root.get("trigger"); t != nil && t.kind == nodeObject {
		c.trigger(t, "trigger", "periodic", "file_arrival", "table_update", "table", "model")
	}
	for i, t := range root.list("triggers") {
		if t.kind == nodeObject {
			at := fmt.Sprintf("triggers[%d]", i)
			c.trigger(t, at, "schedule", "continuous", "periodic", "file_arrival", "table_update", "model")
			c.schedule(t.get("schedule"), at+".schedule")
		}
	}
	if ct := root.get("continuous"); ct != nil && ct.kind == nodeObject {
		if m := root.get("max_concurrent_runs"); m != nil && m.text != "1" {
			c.err(m, "max_concurrent_runs", "a continuous job has one run at a time; this is %s", m.brief())
		}
	}
}

// trigger checks that a trigger is of one kind.
func (c *checker) trigger(t *node, path string, kinds ...string) {
	var given []string
	for _, k := range kinds {
		if v := t.get(k); v != nil && v.kind != nodeNull {
			given = append(given, k)
		}
	}
	if len(given) != 1 && t.get("sql_condition") == nil {
		c.err(t, path, "exactly one of %s is needed", strings.Join(kinds, ", "))
	}
	if p := t.get("periodic"); p != nil && p.kind == nodeObject {
		c.needs(p, path+".periodic.", "unit")
		if p.get("interval") == nil {
			c.err(p, path+".periodic.interval", "interval is missing")
		}
		c.between(p, path+".periodic.", "interval", 1, 1<<31-1)
	}
	if f := t.get("file_arrival"); f != nil && f.kind == nodeObject {
		c.needs(f, path+".file_arrival.", "url")
		c.atLeastAMinute(f, path+".file_arrival.")
	}
	if u := t.get("table_update"); u != nil && u.kind == nodeObject {
		if len(u.list("table_names")) == 0 {
			c.err(u, path+".table_update.table_names", "table_names is missing")
		}
		c.atLeastAMinute(u, path+".table_update.")
	}
	for _, k := range []string{"model", "sql_condition"} {
		if v := t.get(k); v != nil && v.kind != nodeNull {
			c.warn(v, path+"."+k, "this trigger is kept, but it fires only on a workspace")
		}
	}
}

// atLeastAMinute checks the two timers of a data trigger.
//
// Source: the SDK's documentation of FileArrivalTriggerConfiguration.
func (c *checker) atLeastAMinute(o *node, path string) {
	for _, key := range []string{"min_time_between_triggers_seconds", "wait_after_last_change_seconds"} {
		if v := o.get(key); v != nil && v.text != "0" {
			c.between(o, path, key, 60, 1<<31-1)
		}
	}
}

// schedule checks a Quartz expression and its zone.
func (c *checker) schedule(s *node, path string) {
	if s == nil || s.kind != nodeObject {
		return
	}
	if v := s.get("sql_condition"); v != nil && v.kind != nodeNull {
		c.warn(v, path+".sql_condition", "a schedule with a condition is kept, but it fires only on a workspace")
	}
	expr, zone := s.get("quartz_cron_expression"), s.get("timezone_id")
	if expr == nil {
		c.err(s, path+".quartz_cron_expression", "quartz_cron_expression is missing")
	}
	if zone == nil {
		c.err(s, path+".timezone_id", "timezone_id is missing; for example \"UTC\" or \"Europe/Berlin\"")
	}
	if zone != nil && zone.kind == nodeString {
		if _, err := quartz.LoadZone(zone.text); err != nil {
			c.err(zone, path+".timezone_id", "%v", err)
			zone = nil
		}
	}
	if expr == nil || expr.kind != nodeString {
		return
	}
	id := "UTC"
	if zone != nil && zone.kind == nodeString {
		id = zone.text
	}
	sched, err := quartz.Parse(expr.text, id)
	if err != nil {
		c.err(expr, path+".quartz_cron_expression", "%q: %v", expr.text, err)
		return
	}
	for _, w := range sched.Warnings() {
		c.warn(expr, path+".quartz_cron_expression", "%q: %s", expr.text, w)
	}
}

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"flowctl/jobspec/quartz"
)

func newScheduleCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "schedule", Short: "Look at schedules"}
	var zone, from string
	var count int
	next := &cobra.Command{
		Use:   "next FILE|EXPR",
		Short: "Print the next fire times, one RFC 3339 UTC time a line",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at := time.Now()
			if from != "" {
				t, err := time.Parse(time.RFC3339Nano, from)
				if err != nil {
					return usage("--from %s: write a time as 2026-01-31T12:00:00Z", from)
				}
				at = t
			}
			if count < 1 {
				return usage("-n %d: at least 1", count)
			}
			return e.scheduleNext(args[0], zone, c.Flags().Changed("tz"), at, count)
		},
	}
	next.Flags().StringVar(&zone, "tz", "UTC", "time zone of the expression; a file has its own")
	next.Flags().StringVar(&from, "from", "", "print times after this one (default now)")
	next.Flags().IntVarP(&count, "count", "n", 5, "how many")
	cmd.AddCommand(next)
	return cmd
}

func (e *env) scheduleNext(arg, zone string, zoneGiven bool, at time.Time, count int) error {
	type named struct{ name, expr, zone string }
	list := []named{{"", arg, zone}}
	if _, err := os.Stat(arg); err == nil || arg == "-" {
		doc, err := e.readJobFile(arg)
		if err != nil {
			return err
		}
		list = nil
		for _, j := range doc.Jobs {
			if s := j.Job.Schedule; s != nil {
				n := named{j.Label(), s.Expression, s.TimezoneID}
				if zoneGiven {
					n.zone = zone
				}
				list = append(list, n)
			}
		}
		if len(list) == 0 {
			return usage("%s: no job of this file has a schedule", arg)
		}
	}
	for _, n := range list {
		if len(list) > 1 {
			fmt.Fprintf(e.stdout, "# %s\n", n.name)
		}
		s, err := quartz.Parse(n.expr, n.zone)
		if err != nil {
			return usage("%q: %w", n.expr, err)
		}
		t := at
		for i := range count {
			if t = s.Next(t); t.IsZero() {
				if i == 0 {
					fmt.Fprintf(e.stderr, "%q never fires after %s\n", n.expr, at.UTC().Format(time.RFC3339))
				}
				break
			}
			fmt.Fprintln(e.stdout, t.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

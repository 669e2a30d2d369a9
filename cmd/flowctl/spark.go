package main

import (
	"log/slog"

	"flowctl/tasks/local"
)

// endSpark ends the Spark drivers of runs that are over.
func endSpark(home string, log *slog.Logger) func(run int64) {
	return func(run int64) {
		if err := local.EndRun(home, run); err != nil {
			log.Warn("end Spark drivers", "run", run, "error", err)
		}
	}
}

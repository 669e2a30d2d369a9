// Package jobrun is what happened: runs of a job, their tasks, attempts and
// repairs. Apply makes an event part of a run and says what the world must do
// about it. Everything that Databricks says about order is here and nowhere
// else: run_if, retries, timeouts, conditions, for_each, run_job, cancel,
// repair, and how a run ends.
//
// The package has no clock, lock, disk, goroutine or network, and never will:
// time comes in events, ids from a function, and commands go out as values.
// "What can happen?" is event.go, "what follows?" is command.go, "how?" begins
// at Apply. Each rule has a script in testdata.
//
// The life of a task's attempt; a run lives the same way without WAITING:
//
//	BLOCKED ──all upstreams ended──▶ PENDING ──code begins──▶ RUNNING ──▶ TERMINATED
//	   │                               │  ▲                     │            ▲
//	   │ run_if not met, cancel        │  │ its time comes      │ cancel,    │
//	   └───────────▶ TERMINATED        │ WAITING ◀─ retry later │ timeout    │
//	                                   └────────▶ TERMINATING ◀─┘────────────┘
//
// An attempt never leaves TERMINATED; a retry or a repair makes the next one.
package jobrun

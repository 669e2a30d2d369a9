// Package python finds an interpreter, holds the embedded runtime and speaks
// its protocol. It starts no task itself (tasks/local does), builds no environment
// (venv does) and knows nothing of jobs, runs or the engine.
//
// # Protocol
//
// An attempt is a directory (mode 0700). The engine's side writes, then
// starts the interpreter; the task's side never needs the engine to be alive.
//
//	context.json  engine to task, written once before the start
//	output.log    stdout and stderr of the process, in order of arrival
//	events.jsonl  task to engine: one JSON object a line, O_APPEND, one write each
//	result.json   written last by the task (temporary file, then rename): its
//	              presence is a clean end, whatever becomes of the process
//	cells.jsonl   notebook tasks: one finished cell a line, with the part of
//	              output.log that it wrote
//	secrets.json  scope → key → value, until the attempt has ended
//	child-N/      an attempt directory of each dbutils.notebook.run
//	tables.jsonl  tables and folders that the code named, for the engine to look
//	              for this attempt's commits in their logs
//	overlays      folders of packages that %pip installed, one a line
//	lock          held (flock) through an inherited descriptor as long as the
//	              process lives; that, not a pid, says whether it is alive
//	resume.json   only between dbutils.library.restartPython and the re-exec
//
// Each event is {"t":KIND, ...}: "started"{pid} (always the first), "value"{key,value},
// "fact"{kind,data}, "warning"{text}. A last line
// that is torn or is not JSON is dropped. result.json is tasks.Result in JSON:
// {"outcome","code","message","trace","output"}.
//
// Values of other tasks are read from <values_dir>/<task key>.json (an object
// of all values of that task), which the engine writes before a task that
// depends on them starts.
//
// Any program may set a task value by appending a "value" line to the file
// that $FLOWCTL_EVENTS names; `flowctl value set` does just that.
package python

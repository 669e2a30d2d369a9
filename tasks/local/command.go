package local

import (
	"path/filepath"
	"slices"

	"flowctl/tasks"
)

// wrapper runs a command that knows nothing of attempts in the place of our
// Python runtime: it says when the command has begun and keeps its exit status
// as the attempt's result, so that both outlive the engine. The signals that
// end the command leave the wrapper alive until it has written that down.
// The command does not inherit the lock (descriptor 3): that is the wrapper's.
const wrapper = `d=$1; shift
trap : TERM INT HUP
printf '{"t":"started","pid":%d}\n' $$ >>"$d/events.jsonl"
"$@" 3>&-
s=$?
if [ $s -eq 0 ]; then
	r='{"outcome":"SUCCESS"}'
elif [ $s -gt 128 ]; then
	r='{"outcome":"FAILED","message":"The command ended with exit status '$s' (signal '$((s - 128))')"}'
else
	r='{"outcome":"FAILED","message":"The command ended with exit status '$s'"}'
fi
printf '%s\n' "$r" >"$d/result.json.new" && mv "$d/result.json.new" "$d/result.json"
exit $s
`

// command makes the launch of a program that is no Python of ours.
func command(a tasks.Attempt, workdir string, argv, env []string) launch {
	return launch{
		workdir: workdir,
		argv:    append([]string{"/bin/sh", "-c", wrapper, "flowctl", a.Dir}, argv...),
		env: append(slices.Clone(env),
			"FLOWCTL_TASK_DIR="+a.Dir,
			"FLOWCTL_EVENTS="+filepath.Join(a.Dir, "events.jsonl"),
			"FLOWCTL_VALUES="+a.ValuesDir),
	}
}

package ref

import (
	"fmt"
	"strings"
)

// Official writes the references of a text that a workspace does not know,
// or knows only for old jobs, as it documents them today. parameter gives the
// text of a task's own parameter, which the articles' {{tasks.T.parameters.K}}
// stands for; ok is false if the task has none of that name. changes say what
// was replaced by what.
func Official(text string, parameter func(task, key string) (value string, ok bool)) (out string, changes []string) {
	var b strings.Builder
	last := 0
	scan(text, func(r Ref) {
		n, err := Parse(r)
		if err != nil || n.Instead == "" || n.Kind == TaskExecutionCount { // which counts from one
			return
		}
		instead := n.Instead
		if n.Kind == UpstreamParameter {
			if v, ok := parameter(n.Task, n.Key); ok {
				instead = v
			}
		}
		b.WriteString(text[last:r.Pos])
		b.WriteString(instead)
		last = r.Pos + len(r.Raw)
		changes = append(changes, fmt.Sprintf("%s is written as %s", r.Raw, instead))
	})
	b.WriteString(text[last:])
	return b.String(), changes
}

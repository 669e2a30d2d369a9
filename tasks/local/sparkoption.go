package local

import (
	"os"
	"slices"
	"strings"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// Variables that say how tasks get their Spark session. Set to anything but 0,
// for a daemon or for a run, they hold.
const (
	IsolateSpark = "FLOWCTL_ISOLATE_SPARK" // each task has a driver of its own
	SparkConnect = "FLOWCTL_SPARK_CONNECT" // sessions are Spark Connect's, as those of serverless and standard compute
)

// isolated tells whether an attempt has a driver to itself. A pipeline has
// compute of its own.
func (o *Options) isolated(a tasks.Attempt) bool {
	return a.Task.Type == jobspec.PipelineTask || o.isSet(a, IsolateSpark)
}

// connects tells whether an attempt's session is one of Spark Connect. That is
// for Python code: SQL, dbt and jars do not meet the classes of a session, and
// a pipeline has Spark Connect anyway.
func (o *Options) connects(a tasks.Attempt) bool {
	code := []jobspec.Type{jobspec.NotebookTask, jobspec.SparkPythonTask, jobspec.PythonWheelTask}
	return slices.Contains(code, a.Task.Type) && o.isSet(a, SparkConnect)
}

// isSet looks for a variable of this process, of all tasks, and of a run; the
// last one counts.
func (o *Options) isSet(a tasks.Attempt, name string) bool {
	set := false
	for _, list := range [][]string{os.Environ(), o.Env, a.Code.Env} {
		for _, v := range list {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				set = value != "" && value != "0"
			}
		}
	}
	return set
}

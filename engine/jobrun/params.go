package jobrun

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flowctl/jobspec"
	"flowctl/jobspec/ref"
)

// resolveParameters fixes the run's job parameters: what the caller gave, else
// the default, with references in either expanded once.
//
// Source: the Databricks page on job parameters. That a default may refer to
// another job parameter is our reading of it; a circle is an error.
func (r *Run) resolveParameters() error {
	if len(r.Job.Parameters) == 0 {
		return nil
	}
	written := make(map[string]string, len(r.Job.Parameters))
	for _, p := range r.Job.Parameters {
		written[p.Name] = p.Default
		if v, ok := r.Overridden[p.Name]; ok {
			written[p.Name] = v
		}
	}
	s := &parameterScope{scope: scope{run: r}, written: written, done: map[string]string{}, open: map[string]bool{}}
	for _, p := range r.Job.Parameters {
		if _, err := s.value(p.Name); err != nil {
			return fmt.Errorf("job parameter %s: %w", p.Name, err)
		}
	}
	r.Parameters = s.done
	return nil
}

// parametersOf are the job parameters that an attempt sees: a repair may give
// its own to the tasks that it reruns.
func (r *Run) parametersOf(a *Attempt) map[string]string {
	if a.Repair == 0 || len(r.Repairs[a.Repair].Parameters) == 0 {
		return r.Parameters
	}
	m := maps.Clone(r.Parameters)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, r.Repairs[a.Repair].Parameters)
	return m
}

// overridesOf are the older parameter maps that an attempt sees.
func (r *Run) overridesOf(a *Attempt) *Overrides {
	if a.Repair > 0 && r.Repairs[a.Repair].Overrides != nil {
		return r.Repairs[a.Repair].Overrides
	}
	return r.Overrides
}

// expand is the task as its runner gets it: parameters of the run laid over
// its own, then references expanded, then job parameters on top, which beat
// the task's parameters of the same name and are not expanded twice.
func (r *Run) expand(t *TaskRun, def *jobspec.Task) (jobspec.Task, error) {
	task, a := *def, t.Last()
	payload, err := override(def.Type, def.Payload, r.overridesOf(a))
	if err != nil {
		return task, fmt.Errorf("%s: %w", def.Type, err)
	}
	if payload, err = ref.ExpandJSON(payload, &scope{run: r, task: t}); err != nil {
		return task, fmt.Errorf("%s: %w", def.Type, err)
	}
	if payload, err = pushDown(def.Type, payload, r.parametersOf(a)); err != nil {
		return task, fmt.Errorf("%s: %w", def.Type, err)
	}
	task.Payload = payload
	if string(payload) != string(def.Payload) {
		a.Resolved = payload
		r.touch(t)
	}
	if def.RunJob != nil {
		rj := *def.RunJob
		rj.Payload = payload
		if rj.JobParameters, err = stringMap(payload, "job_parameters"); err != nil {
			return task, fmt.Errorf("%s: %w", def.Type, err)
		}
		task.RunJob = &rj
	}
	return task, nil
}

// expandText expands the references in one string of a task.
func (r *Run) expandText(t *TaskRun, s string) (string, error) {
	return ref.Expand(s, &scope{run: r, task: t})
}

// keyed is where a kind takes key-value parameters.
//
// Source: the Databricks page on job parameters: they are pushed down to the
// tasks that take key-values. run_job is not here: which of them the child
// takes depends on the child.
var keyed = map[jobspec.Type]string{
	jobspec.NotebookTask:    "base_parameters",
	jobspec.PythonWheelTask: "named_parameters",
	jobspec.SQLTask:         "parameters",
}

func pushDown(kind jobspec.Type, payload json.RawMessage, params map[string]string) (json.RawMessage, error) {
	key := keyed[kind]
	if key == "" || len(params) == 0 {
		return payload, nil
	}
	o, err := parseObject(payload)
	if err != nil {
		return nil, err
	}
	if _, has := o.get(key); kind == jobspec.PythonWheelTask && !has {
		return payload, nil // positional parameters get nothing by themselves
	}
	if o, err = o.merge(key, slices.Sorted(maps.Keys(params)), params); err != nil {
		return nil, err
	}
	return o.raw(), nil
}

// override lays the parameters of run-now's older maps over a task's own:
// maps merge, lists replace.
//
// Source: the SDK's documentation of RunNow.
func override(kind jobspec.Type, payload json.RawMessage, ov *Overrides) (json.RawMessage, error) {
	if ov == nil {
		return payload, nil
	}
	named := map[jobspec.Type]map[string]string{
		jobspec.NotebookTask:    ov.NotebookParams,
		jobspec.PythonWheelTask: ov.PythonNamedParams,
		jobspec.SQLTask:         ov.SQLParams,
	}[kind]
	key, list := listOverride(kind, ov)
	if len(named) == 0 && list == nil && (kind != jobspec.PipelineTask || ov.PipelineParams == nil) {
		return payload, nil
	}
	o, err := parseObject(payload)
	if err != nil {
		return nil, err
	}
	if o, err = o.merge(keyed[kind], slices.Sorted(maps.Keys(named)), named); err != nil {
		return nil, err
	}
	if list != nil {
		raw, err := json.Marshal(list)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", key, err)
		}
		o = o.with(key, raw)
	}
	if kind == jobspec.PipelineTask && ov.PipelineParams != nil {
		p, err := parseObject(ov.PipelineParams)
		if err != nil {
			return nil, fmt.Errorf("pipeline_params: %w", err)
		}
		for _, m := range p {
			o = o.with(m.key, m.value)
		}
	}
	return o.raw(), nil
}

// listOverride is the list that replaces a kind's positional parameters.
func listOverride(kind jobspec.Type, ov *Overrides) (key string, list []string) {
	switch kind {
	case jobspec.SparkPythonTask, jobspec.PythonWheelTask:
		return "parameters", ov.PythonParams
	case jobspec.SparkJarTask:
		return "parameters", ov.JarParams
	case jobspec.SparkSubmitTask:
		return "parameters", ov.SparkSubmitParams
	case jobspec.DbtTask:
		return "commands", ov.DbtCommands
	}
	return "", nil
}

func stringMap(payload json.RawMessage, key string) (map[string]string, error) {
	o, err := parseObject(payload)
	if err != nil {
		return nil, err
	}
	raw, ok := o.get(key)
	if !ok {
		return nil, nil
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s: not a map of strings: %s", key, shorten(string(raw)))
	}
	return m, nil
}

// ParseOverrides reads the older parameter maps out of a run_job_task's or a
// run-now's object; nil if it holds none.
func ParseOverrides(raw json.RawMessage) (*Overrides, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var ov Overrides
	if err := json.Unmarshal(raw, &ov); err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	if same, err := json.Marshal(ov); err == nil && string(same) == "{}" {
		return nil, nil
	}
	return &ov, nil
}

// maxParams is how large one of the older parameter maps may be, in bytes as JSON.
//
// Source: the SDK's documentation of RunNow.
const maxParams = 10_000

// Check holds the parameters against the limits of the Jobs API.
func (ov *Overrides) Check() error {
	if len(ov.NotebookParams) > 0 && len(ov.JarParams) > 0 {
		return fmt.Errorf("notebook_params and jar_params cannot be given together")
	}
	for name, v := range map[string]any{
		"notebook_params": ov.NotebookParams, "python_params": ov.PythonParams, "jar_params": ov.JarParams,
		"spark_submit_params": ov.SparkSubmitParams, "python_named_params": ov.PythonNamedParams, "sql_params": ov.SQLParams,
	} {
		if raw, err := json.Marshal(v); err == nil && len(raw) > maxParams {
			return fmt.Errorf("%s is %d bytes as JSON; at most %d are allowed", name, len(raw), maxParams)
		}
	}
	for name, list := range map[string][]string{"python_params": ov.PythonParams, "spark_submit_params": ov.SparkSubmitParams} {
		for _, s := range list {
			if strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) {
				return fmt.Errorf("%s takes only ASCII characters: %q", name, s)
			}
		}
	}
	return nil
}

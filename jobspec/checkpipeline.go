package jobspec

import (
	"maps"
	"slices"
	"strings"
)

// PipelineKey is the key of the pipeline that a pipeline_id names as a resource
// of the same bundle: ${resources.pipelines.KEY.id}. False: it is another id.
func PipelineKey(id string) (string, bool) {
	key, ok := strings.CutPrefix(id, "${resources.pipelines.")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(key, ".id}")
}

// pipeline checks a pipeline_task: which pipeline it means, if it is to run here.
func (c *checker) pipeline(t, p *node, at string) {
	c.needs(p, at, "pipeline_id")
	id := p.get("pipeline_id")
	if id == nil || c.opt.LocalKinds == nil || slices.Contains(c.opt.Remote, t.str("task_key")) {
		return
	}
	key, ok := PipelineKey(id.text)
	if _, known := c.entry.Pipelines[key]; !ok || known {
		return
	}
	hint := didYouMean(key, slices.Sorted(maps.Keys(c.entry.Pipelines)))
	if hint == "" {
		hint = "; write it under resources.pipelines of this file"
	}
	c.lack(id, at+"pipeline_id", "no pipeline %q in this file%s", key, hint)
}

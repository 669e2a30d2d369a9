package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/pipelines"

	"flowctl/jobspec"
	"flowctl/tasks"
	"flowctl/tasks/python"
)

// kindPipeline is what the runtime calls a pipeline task.
const kindPipeline = "pipeline"

// pipelineRunner runs pipeline_task, by Spark's own declarative pipelines.
type pipelineRunner struct{ o *Options }

func (r *pipelineRunner) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return r.o.supervise(ctx, a, out, func() (launch, error) {
		t, err := r.o.pipelinePayload(ctx, a)
		if err != nil {
			return launch{}, err
		}
		spec, id, err := r.o.definition(ctx, a, t.PipelineId)
		if err != nil {
			return launch{}, err
		}
		tr := translator{spec: spec, place: "pipeline " + label(spec, t.PipelineId), note: func(text string) { note(a, out, text) }}
		tr.locate = func(field, path string) (place, error) { return r.o.locate(ctx, a, out, field, path, "WORKSPACE") }
		p, err := tr.translate()
		if err != nil {
			return launch{}, err
		}
		p.ID, p.Storage = id, filepath.Join(a.Home, "spark", "pipelines", id)
		p.FullRefresh, p.FullSelection, p.Selection = t.FullRefresh, t.FullRefreshSelection, t.RefreshSelection
		return r.o.python(ctx, a, out, python.Context{Kind: kindPipeline, CodeDir: a.Code.Dir, Pipeline: p})
	})
}

// pipelinePayload reads the payload, and refuses what Spark's pipelines have not got.
func (o *Options) pipelinePayload(ctx context.Context, a tasks.Attempt) (jobs.PipelineTask, error) {
	t, err := payload[jobs.PipelineTask](a)
	switch {
	case err != nil:
		return t, err
	case len(t.RefreshFlowSelection) > 0:
		return t, unsupported("refresh_flow_selection", "choose tables with refresh_selection")
	case len(t.ResetCheckpointSelection) > 0:
		return t, unsupported("reset_checkpoint_selection", "full_refresh_selection begins anew, data and checkpoint")
	case len(t.Parameters) > 0:
		return t, unsupported("parameters", "use the pipeline's configuration")
	}
	compute, err := o.cluster(ctx, a)
	if profile := sparkProfile(compute.SparkVersion); err == nil && profile != "" && profile < "4.1" {
		return t, invalid("pipeline_task: declarative pipelines are of Spark 4.1 and newer, and spark_version %s has Spark %s; leave it out, or name one from 18 on", compute.SparkVersion, profile)
	}
	return t, err
}

func unsupported(field, instead string) error {
	return invalid("pipeline_task.%s: Spark's own pipelines, which run here, have no such thing; %s, or run the task on a workspace with --remote", field, instead)
}

// definition finds a pipeline: of the job's own file by its resource key, else
// one that was made through the API. id is its own on this machine, and the
// same the next time.
func (o *Options) definition(ctx context.Context, a tasks.Attempt, ref string) (spec pipelines.CreatePipeline, id string, err error) {
	var raw json.RawMessage
	if key, ok := jobspec.PipelineKey(ref); ok {
		raw = a.Code.Pipelines[key]
		sum := sha256.Sum256([]byte(a.Code.Dir + "\x00" + key))
		id = key + "-" + hex.EncodeToString(sum[:6])
	} else if o.Pipeline != nil {
		if raw, err = o.Pipeline(ctx, a, ref); err != nil {
			return spec, "", err
		}
		id = ref
	}
	if raw == nil {
		return spec, "", notFound("pipeline_task.pipeline_id: there is no pipeline %q on this machine: write it under resources.pipelines.KEY of the job's file and name it ${resources.pipelines.KEY.id}, "+
			"make it through the Pipelines API of flowctl daemon, or run the task on a workspace with --remote", ref)
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return spec, "", invalid("pipeline %s: %v", ref, err)
	}
	if strings.ContainsAny(id, `/\`) {
		return spec, "", invalid("pipeline_task.pipeline_id: %q is no key of a pipeline", ref)
	}
	return spec, id, nil
}

// label is what people call a pipeline.
func label(spec pipelines.CreatePipeline, ref string) string {
	if spec.Name != "" {
		return spec.Name
	}
	return ref
}

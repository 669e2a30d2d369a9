"""What a task's code does with MLflow's runs and models, told as facts.

Parameters and metrics stay where they are: a run is named, not copied. Nothing
here changes what a call does or fails it.
"""
import json
import os

from flowctl_rt import facts
from flowctl_rt.wrapping import wrap

_HASHED = 256 << 20  # bytes of the largest model that is hashed
_inputs = {}  # run → what was declared as its inputs
_experiments = {}  # id → name


def install(client):
    """MLflow's modules are loaded; client is the class of its clients."""
    from mlflow.models import Model
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
    from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

    _after(client, "create_run", _run_started)
    _after(client, "set_terminated", _run_ended)
    _after(client, "log_inputs", _input)
    _after(client, "_create_model_version" if hasattr(client, "_create_model_version") else "create_model_version", _version)
    _after(client, "set_registered_model_alias", _alias)
    _after(client, "delete_registered_model_alias", _alias_gone)
    _after(client, "transition_model_version_stage", _stage)
    _after(Model, "log", _logged)
    _after(ModelsArtifactRepository, "download_artifacts", _loaded)
    _after(RunsArtifactRepository, "download_artifacts", _loaded_of_run)


def _after(cls, name, tell):
    """Let tell(answer, self, *args, **kwargs) know of each call that went well."""
    def told(real, *args, **kwargs):
        answer = real(*args, **kwargs)
        try:
            tell(answer, *args, **kwargs)
        except Exception as e:
            facts.gap("mlflow", "%s: %s" % (name, str(e).split("\n")[0]))
        return answer

    wrap(cls, name, told)


def _emit(what, **data):
    facts.emit(what, json.dumps({k: v for k, v in data.items() if v not in (None, "", [])}, default=str))


def _run_started(run, client, experiment_id, *args, **kwargs):
    _emit("mlflow_run", op="started", run_id=run.info.run_id, experiment_id=str(experiment_id), experiment=_experiment(client, experiment_id))


def _experiment(client, experiment_id):
    if experiment_id not in _experiments:
        found = client.get_experiment(str(experiment_id))
        _experiments[experiment_id] = found.name if found else None
    return _experiments[experiment_id]


def _input(answer, client, run_id, datasets=None, *args, **kwargs):
    for d in datasets or ():
        context = [t.value for t in d.tags or () if t.key == "mlflow.data.context"]
        said = {"name": d.dataset.name, "digest": d.dataset.digest, "source_type": d.dataset.source_type}
        if context:
            said["context"] = context[0]
        kept = _inputs.setdefault(run_id, [])
        if said not in kept and len(kept) < 50:
            kept.append(said)


def _run_ended(answer, client, run_id, status=None, *args, **kwargs):
    _emit("mlflow_run", op="ended", run_id=run_id, status=status or "FINISHED", inputs=_inputs.pop(run_id, None))


def end():
    """Tell the inputs of runs that the code has left open."""
    for run_id in list(_inputs):
        _emit("mlflow_run", op="open", run_id=run_id, inputs=_inputs.pop(run_id))


def _version(made, client, name, source=None, *args, **kwargs):
    where = client.get_model_version_download_uri(made.name, made.version)
    _emit(
        "model", op="created", name=made.name, version=str(made.version), source_run=made.run_id, source=made.source,
        model_id=getattr(made, "model_id", None), digest=_digest(client, where),
    )


def _alias(answer, client, name, alias, version, *args, **kwargs):
    _emit("model", op="alias", name=name, alias=alias, version=str(version))


def _alias_gone(answer, client, name, alias, *args, **kwargs):
    _emit("model", op="alias_removed", name=name, alias=alias)


def _stage(answer, client, name, version, stage, *args, **kwargs):
    _emit("model", op="stage", name=name, version=str(version), stage=stage)


def _logged(info, cls, *args, **kwargs):
    if info is not None:
        _emit("model", op="logged", uri=info.model_uri, source_run=info.run_id, model_id=getattr(info, "model_id", None))


def _loaded(answer, repo, *args, **kwargs):
    uri = str(getattr(repo, "artifact_uri", ""))
    version = str(repo.model_version) if repo.model_version else None
    _emit(
        "read", kind="model", name=repo.model_name, version=version, uri=uri, model_id=None if version else uri.partition(":/")[2].split("/")[0],
        how="hook", sure=True,
    )


def _loaded_of_run(answer, repo, *args, **kwargs):
    _emit("read", kind="model", uri=str(getattr(repo, "artifact_uri", "")), how="hook", sure=True)


def _digest(client, uri):
    """The SHA-256 of a model's folder, as of a folder of files that is read; None where it is not on this machine."""
    if uri.startswith("models:/"):
        uri = client.get_logged_model(uri[len("models:/"):].split("/")[0]).artifact_location
    path = "/" + uri[5:].lstrip("/") if uri.startswith("file:") else uri
    if not path.startswith("/") or not os.path.isdir(path):
        return None
    from flowctl_rt import file_facts

    files = [os.path.join(f, n) for f, _, names in sorted(os.walk(path)) for n in sorted(names)]
    if sum(os.path.getsize(f) for f in files) > _HASHED:
        facts.gap("mlflow", "%s is larger than %d MiB and was not hashed" % (path, _HASHED >> 20))
        return None
    return "sha256:" + file_facts.digest(path, files)

"""What a workspace's own API says of models and experiments, over MLflow's one store.

The SDK's RegisteredModelsAPI and ModelVersionsAPI (/api/2.1/unity-catalog/models,
which bundles make registered_models with), the legacy registry's paths that
MLflow itself has not (/api/2.0/mlflow/databricks/…), and for the daemon alone
where a version's files are (/flowctl/model).
"""
import hashlib
import json

from flowctl_rt.mlflow_answers import answer, asked, missing, refuse, route, user
from flowctl_rt.mlflow_uc import make_model, owner, three_levels


def model_info(model):
    """A registered model as the SDK's RegisteredModelInfo."""
    catalog, schema, name = three_levels(model.name)
    by = owner(model, user())
    info = {
        "catalog_name": catalog, "schema_name": schema, "name": name, "full_name": model.name, "owner": by, "created_by": by, "updated_by": by,
        "comment": model.description or "", "created_at": model.creation_timestamp, "updated_at": model.last_updated_timestamp,
        "metastore_id": "local", "storage_location": "/Models/" + model.name.replace(".", "/"),
        "aliases": [{"alias_name": a, "version_num": int(v)} for a, v in sorted((model.aliases or {}).items())],
    }
    return {k: v for k, v in info.items() if v not in (None, "", [])}


def version_info(v):
    """A model version as the SDK's ModelVersionInfo."""
    catalog, schema, name = three_levels(v.name)
    info = {
        "catalog_name": catalog, "schema_name": schema, "model_name": name, "version": int(v.version), "source": v.source, "run_id": v.run_id,
        "status": v.status, "comment": v.description or "", "created_at": v.creation_timestamp, "updated_at": v.last_updated_timestamp,
        "created_by": v.user_id, "storage_location": "/Models/%s/%s" % (v.name.replace(".", "/"), v.version),
        "aliases": [{"alias_name": a, "version_num": int(v.version)} for a in v.aliases or ()],
    }
    return {k: v for k, v in info.items() if v not in (None, "", [])}


def model_id(name):
    """The id by which permissions know a model of the workspace's registry."""
    return hashlib.md5(name.encode()).hexdigest()


def _models(store):
    registry = store.registry

    def collection():
        from flask import request

        q = asked()
        if request.method == "POST":
            refused = missing(q, "catalog_name", "schema_name", "name")
            if refused:
                return refused
            full = "%s.%s.%s" % (q["catalog_name"], q["schema_name"], q["name"])
            if not three_levels(full):
                return refuse("INVALID_PARAMETER_VALUE", "%r is not a name: a catalog, a schema and a model have no dots in theirs." % full)
            return answer(model_info(make_model(store, full, q.get("comment"), None)))
        prefix = ".".join(q[k] for k in ("catalog_name", "schema_name") if q.get(k))
        found, token = [], None
        while True:
            page = registry.search_registered_models(max_results=1000, page_token=token)
            found += [m for m in page if three_levels(m.name) and (not prefix or m.name.startswith(prefix + "."))]
            token = page.token
            if not token:
                return answer({"registered_models": [model_info(m) for m in found]})

    def one(full):
        from flask import request

        model = registry.get_registered_model(full)
        if not three_levels(full):
            return refuse("INVALID_PARAMETER_VALUE", "%r is not the name of a model in Unity Catalog: specify all three levels." % full)
        if request.method == "DELETE":
            registry.delete_registered_model(full)
            return answer()
        if request.method == "PATCH":
            q = asked()
            if q.get("new_name"):
                full = ".".join(full.split(".")[:2] + [q["new_name"]])
                registry.rename_registered_model(model.name, full)
            if "comment" in q:
                registry.update_registered_model(full, q["comment"])
            model = registry.get_registered_model(full)
        return answer(model_info(model))

    def alias(full, name):
        from flask import request

        if request.method == "GET":
            return answer(version_info(registry.get_model_version_by_alias(full, name)))
        if request.method == "DELETE":
            registry.delete_registered_model_alias(full, name)
            return answer()
        q = asked()
        refused = missing(q, "version_num")
        if refused:
            return refused
        registry.set_registered_model_alias(full, name, str(q["version_num"]))
        return answer({"alias_name": name, "version_num": int(q["version_num"])})

    def versions(full):
        registry.get_registered_model(full)
        found = registry.search_model_versions("name = '%s'" % full.replace("'", ""), max_results=1000)
        return answer({"model_versions": [version_info(v) for v in found]})

    def one_version(full, number):
        from flask import request

        if request.method == "DELETE":
            registry.delete_model_version(full, number)
            return answer()
        if request.method == "PATCH":
            registry.update_model_version(full, number, asked().get("comment"))
        return answer(version_info(registry.get_model_version(full, number)))

    return collection, one, alias, versions, one_version


def _legacy(store):
    """The workspace registry's and tracking's own paths."""
    registry = store.registry

    def get():
        model = registry.get_registered_model(asked().get("name"))
        return answer({"registered_model_databricks": {
            "id": model_id(model.name), "name": model.name, "description": model.description or "", "creation_timestamp": model.creation_timestamp,
            "last_updated_timestamp": model.last_updated_timestamp, "user_id": owner(model, user()), "permission_level": "CAN_MANAGE",
            "tags": [{"key": k, "value": v} for k, v in sorted((model.tags or {}).items()) if not k.startswith("flowctl.")],
        }})

    def transition():
        q = asked()
        refused = missing(q, "name", "version", "stage")
        if refused:
            return refused
        archive = str(q.get("archive_existing_versions", "")).lower() == "true"
        v = registry.transition_model_version_stage(q["name"], str(q["version"]), q["stage"], archive)
        return answer({"model_version_databricks": {
            "name": v.name, "version": str(v.version), "current_stage": v.current_stage, "creation_timestamp": v.creation_timestamp,
            "last_updated_timestamp": v.last_updated_timestamp, "run_id": v.run_id or "", "source": v.source, "status": v.status,
        }})

    return get, transition


def _exists(store):
    """Whether there is an experiment or a model, by the id of permissions; and its owner."""

    def found():
        q = asked()
        if q.get("kind") == "experiments":
            kept = store.runs.get_experiment(q.get("id")).tags
            return answer({"owner": kept.get("mlflow.ownerEmail", "")})
        token = None
        while True:
            page = store.registry.search_registered_models(max_results=1000, page_token=token)
            for m in page:
                if q.get("id") in (model_id(m.name), m.name):
                    return answer({"owner": owner(m, "")})
            token = page.token
            if not token:
                return refuse("RESOURCE_DOES_NOT_EXIST", "Registered model %s does not exist." % q.get("id"), 404)

    return found


def _experiments(app, store):
    """An experiment made through the API has a maker, and a name without /Workspace, as on a workspace. One that
    was deleted does not keep its name from it: a bundle that was destroyed can be deployed again."""

    @app.before_request
    def made():
        from flask import request

        if request.path != "/api/2.0/mlflow/experiments/create" or not user():
            return
        body = request.get_json(silent=True, force=True)
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            return
        if body["name"].startswith("/Workspace/"):
            body["name"] = body["name"][len("/Workspace"):]
        store.sql("UPDATE experiments SET name = name || ' (deleted ' || experiment_id || ')' WHERE lifecycle_stage = 'deleted' AND name = ?", body["name"])
        more = {"mlflow.ownerEmail": user(), "mlflow.experimentType": "MLFLOW_EXPERIMENT", "mlflow.experiment.sourceName": body["name"]}
        have = [t.get("key") for t in body.get("tags") or ()]
        body["tags"] = list(body.get("tags") or ()) + [{"key": k, "value": v} for k, v in more.items() if k not in have]
        request._cached_data = json.dumps(body).encode()
        request._cached_json = (body, body)


def _deletions(app):
    """The SDK names what is to be deleted in the address, MLflow's server reads it from the body.

    Source: ModelRegistryAPI.DeleteModel and DeleteModelVersion of the SDK."""

    @app.before_request
    def named():
        from flask import request

        if request.method == "DELETE" and request.path.startswith("/api/2.0/mlflow/") and request.args and not request.get_data():
            body = request.args.to_dict()
            request._cached_data, request._cached_json = json.dumps(body).encode(), (body, body)


def _listed(store):
    """All experiments and all models, by the paths that MLflow itself has given up and a workspace has not."""

    def page(field, found):
        from mlflow.utils.proto_json_utils import message_to_json

        return answer({field: [json.loads(message_to_json(e.to_proto())) for e in found], "next_page_token": found.token or ""})

    def experiments():
        from mlflow.entities import ViewType

        q = asked()
        view = ViewType.from_string(q["view_type"]) if q.get("view_type") else ViewType.ACTIVE_ONLY
        return page("experiments", store.runs.search_experiments(view, max_results=_count(q, 1000), page_token=q.get("page_token") or None))

    def models():
        q = asked()
        return page("registered_models", store.registry.search_registered_models(max_results=_count(q, 100), page_token=q.get("page_token") or None))

    return experiments, models


def _count(q, default):
    from mlflow.exceptions import MlflowException

    try:
        return int(q.get("max_results") or default)
    except ValueError:
        raise MlflowException.invalid_parameter_value("max_results: %r is no number" % q["max_results"]) from None


def _unknown(app):
    """Paths that nobody answers are refused as a workspace does: in JSON."""

    @app.errorhandler(404)
    def unknown(error):
        from flask import request

        return refuse("ENDPOINT_NOT_FOUND", "No API found for '%s %s'" % (request.method, request.path), 404)


def add(app, store):
    """Add these paths to MLflow's server."""

    def files():
        q = asked()
        v = store.registry.get_model_version(q.get("name"), q.get("version"))
        return answer({"name": v.name, "version": str(v.version), "status": v.status,
                       "path": store.registry.get_model_version_download_uri(v.name, v.version), "run_id": v.run_id or ""})

    collection, one, alias, versions, one_version = _models(store)
    get, transition = _legacy(store)
    experiments, models = _listed(store)
    base = "/api/2.1/unity-catalog/models"
    for path, fn, methods in (
        (base, collection, ("GET", "POST")),
        (base + "/<full>", one, ("GET", "PATCH", "DELETE")),
        (base + "/<full>/aliases/<name>", alias, ("GET", "PUT", "DELETE")),
        (base + "/<full>/versions", versions, ("GET",)),
        (base + "/<full>/versions/<int:number>", one_version, ("GET", "PATCH", "DELETE")),
        ("/api/2.0/mlflow/databricks/registered-models/get", get, ("GET",)),
        ("/api/2.0/mlflow/databricks/model-versions/transition-stage", transition, ("POST",)),
        ("/api/2.0/mlflow/experiments/list", experiments, ("GET",)),
        ("/api/2.0/mlflow/registered-models/list", models, ("GET",)),
        ("/flowctl/model", files, ("GET",)),
        ("/flowctl/object", _exists(store), ("GET",)),
    ):
        route(app, path, fn, *methods)
    _experiments(app, store)
    _deletions(app)
    _unknown(app)

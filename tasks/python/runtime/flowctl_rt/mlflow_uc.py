"""Models in Unity Catalog, as MLflow's databricks-uc client asks a workspace for them.

They are those of the one registry that tasks use too. The client uploads a new
version's files itself (mlflow_files), between create and finalize. Paths and
fields: mlflow.ucmodelregistry.UcModelRegistryService of MLflow's protocol.
"""
import os
import uuid

from flowctl_rt.mlflow_answers import answer, asked, missing, refuse, route, tags, user

_OWNER = "flowctl.owner"  # tag of a registered model: who made it from outside


def three_levels(name):
    parts = (name or "").split(".")
    return parts if len(parts) == 3 and all(parts) else None


def registered(model):
    """A registered model on the wire."""
    return _without_none({
        "name": model.name, "creation_timestamp": model.creation_timestamp, "last_updated_timestamp": model.last_updated_timestamp,
        "description": model.description, "user_id": (model.tags or {}).get(_OWNER),
        "aliases": [{"alias": a, "version": str(v)} for a, v in sorted((model.aliases or {}).items())], "tags": tags(model.tags, (_OWNER,)),
    })


def version(v):
    """A model version on the wire."""
    return _without_none({
        "name": v.name, "version": str(v.version), "creation_timestamp": v.creation_timestamp, "last_updated_timestamp": v.last_updated_timestamp,
        "user_id": v.user_id, "description": v.description, "source": v.source, "run_id": v.run_id or None, "status": v.status,
        "status_message": v.status_message, "storage_location": "/Models/%s/%s" % (v.name.replace(".", "/"), v.version),
        "aliases": [{"alias": a, "version": str(v.version)} for a in v.aliases or ()], "tags": tags(v.tags),
        "model_id": getattr(v, "model_id", None),
    })


def _without_none(fields):
    return {k: v for k, v in fields.items() if v is not None}


def owner(model, default):
    """Who made a registered model, as far as that was said."""
    return (model.tags or {}).get(_OWNER) or default


def make_model(store, name, description, kept):
    """A new registered model of the asker's."""
    from mlflow.entities.model_registry import RegisteredModelTag

    all_tags = [RegisteredModelTag(t["key"], t.get("value", "")) for t in kept or ()]
    if user():
        all_tags.append(RegisteredModelTag(_OWNER, user()))
    return store.registry.create_registered_model(name, tags=all_tags, description=description)


def add(app, store):
    """Add the paths of the registry to MLflow's server."""
    from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag

    registry = store.registry

    def create():
        q = asked()
        if not three_levels(q.get("name")):
            return refuse("INVALID_PARAMETER_VALUE", "%r is not the name of a model in Unity Catalog: specify all three levels, catalog.schema.model." % q.get("name"))
        return answer({"registered_model": registered(make_model(store, q["name"], q.get("description"), q.get("tags")))})

    def update():
        q = asked()
        model = registry.get_registered_model(q.get("name"))
        if q.get("new_name") and q["new_name"] != model.name:
            model = registry.rename_registered_model(model.name, q["new_name"])
        if "description" in q:
            registry.update_registered_model(model.name, q["description"])
        return answer({"registered_model": registered(registry.get_registered_model(model.name))})

    def search():
        q = asked()
        found = registry.search_registered_models(max_results=int(q.get("max_results") or 100), page_token=q.get("page_token") or None)
        return answer({"registered_models": [registered(m) for m in found if three_levels(m.name)], "next_page_token": found.token or ""})

    def create_version():
        q = asked()
        refused = missing(q, "name", "source")
        if refused:
            return refused
        place = os.path.join(store.models, *(q["name"].split(".") + [uuid.uuid4().hex]))
        more = {"model_id": q["model_id"]} if q.get("model_id") else {}
        made = registry.create_model_version(
            q["name"], place, q.get("run_id"), tags=[ModelVersionTag(t["key"], t.get("value", "")) for t in q.get("tags") or ()],
            description=q.get("description"), **more
        )
        os.makedirs(place, mode=0o700)
        # The version is what the client goes on to upload; its source is what it says that this comes from.
        store.sql("UPDATE model_versions SET source=?, storage_location=?, status='PENDING_REGISTRATION', user_id=? WHERE name=? AND version=?",
                  q["source"], place, user() or None, made.name, int(made.version))
        return answer({"model_version": version(registry.get_model_version(made.name, made.version))})

    def finalize():
        q = asked()
        found = registry.get_model_version(q.get("name"), q.get("version"))
        if found.status == "PENDING_REGISTRATION":
            where = registry.get_model_version_download_uri(found.name, found.version)
            if not os.path.exists(os.path.join(where, "MLmodel")):
                return refuse("INVALID_PARAMETER_VALUE", "Version %s of %s has no MLmodel file: its files have not been uploaded." % (found.version, found.name))
            store.sql("UPDATE model_versions SET status='READY' WHERE name=? AND version=?", found.name, int(found.version))
        return answer({"model_version": version(registry.get_model_version(found.name, found.version))})

    def credentials():
        q = asked()
        registry.get_model_version(q.get("name"), q.get("version"))
        return answer({"credentials": {"storage_mode": "DEFAULT_STORAGE"}})  # the client asks mlflow_files for addresses

    def of_model(fn):
        """An answer about the model that a request names; what fn returns is the answer."""
        return lambda: answer(fn(asked()) or {})

    def versions(q):
        found = registry.search_model_versions(q.get("filter"), max_results=int(q.get("max_results") or 100), page_token=q.get("page_token") or None)
        return {"model_versions": [version(v) for v in found], "next_page_token": found.token or ""}

    models, base = "/api/2.0/mlflow/unity-catalog/registered-models", "/api/2.0/mlflow/unity-catalog/model-versions"
    for path, method, fn in (
        (models + "/create", "POST", create),
        (models + "/update", "PATCH", update),
        (models + "/search", "GET", search),
        (models + "/get", "GET", of_model(lambda q: {"registered_model": registered(registry.get_registered_model(q.get("name")))})),
        (models + "/delete", "DELETE", of_model(lambda q: registry.delete_registered_model(q.get("name")))),
        (models + "/alias", "POST", of_model(lambda q: registry.set_registered_model_alias(q.get("name"), q.get("alias"), q.get("version")))),
        (models + "/alias", "DELETE", of_model(lambda q: registry.delete_registered_model_alias(q.get("name"), q.get("alias")))),
        (models + "/alias", "GET", of_model(lambda q: {"model_version": version(registry.get_model_version_by_alias(q.get("name"), q.get("alias")))})),
        (models + "/set-tag", "POST", of_model(lambda q: registry.set_registered_model_tag(q.get("name"), RegisteredModelTag(q.get("key"), q.get("value"))))),
        (models + "/delete-tag", "DELETE", of_model(lambda q: registry.delete_registered_model_tag(q.get("name"), q.get("key")))),
        (models + ":is-databricks-sdk-models-artifact-repository-enabled", "GET", lambda: answer({"is_databricks_sdk_models_artifact_repository_enabled": False})),
        (base + "/create", "POST", create_version),
        (base + "/finalize", "POST", finalize),
        (base + "/get", "GET", of_model(lambda q: {"model_version": version(registry.get_model_version(q.get("name"), q.get("version")))})),
        (base + "/search", "GET", of_model(versions)),
        (base + "/update", "PATCH", of_model(lambda q: {"model_version": version(registry.update_model_version(q.get("name"), q.get("version"), q.get("description")))})),
        (base + "/delete", "DELETE", of_model(lambda q: registry.delete_model_version(q.get("name"), q.get("version")))),
        (base + "/set-tag", "POST", of_model(lambda q: registry.set_model_version_tag(q.get("name"), q.get("version"), ModelVersionTag(q.get("key"), q.get("value"))))),
        (base + "/delete-tag", "DELETE", of_model(lambda q: registry.delete_model_version_tag(q.get("name"), q.get("version"), q.get("key")))),
        (base + "/get-download-uri", "GET", of_model(lambda q: {"artifact_uri": version(registry.get_model_version(q.get("name"), q.get("version")))["storage_location"]})),
        (base + "/generate-temporary-credentials", "POST", credentials),
        (base + "/emit-lineage", "POST", lambda: answer()),
    ):
        route(app, path, fn, method)

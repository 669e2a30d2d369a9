"""MLflow logs to the store in the data directory.

Code that asks for a workspace's tracking server or registry (databricks,
databricks-uc) gets that store too, and still reads the name that it gave. Runs
carry the tags of a job's run on Databricks, and by default belong to the
experiment of the job. An interpreter with mlflow-skinny, or with an MLflow of
another version than the one that the store is of, cannot open the store: it
speaks to it through flowctl's API, as to a workspace.
"""
import os
import sys

from flowctl_rt import mlflow_facts

_WORKSPACE = ("databricks", "databricks-uc", "uc")


def home():
    """The folder of the store."""
    from flowctl_rt.dbutils import context

    return context().get("mlflow") or os.path.join(os.getcwd(), "mlflow")


def uri():
    return "sqlite:///" + os.path.join(home(), "mlflow.db")


def whole():
    """Whether this interpreter has what the store itself takes; mlflow-skinny has not."""
    import importlib.util

    return importlib.util.find_spec("sqlalchemy") is not None


_opens = None  # whether this interpreter's MLflow can open the store; it does not change while Python runs


def remote():
    """Whether the store is reached through flowctl's API, as a workspace's is."""
    global _opens
    from flowctl_rt.dbutils import context

    if not context().get("api"):
        return False
    if _opens is None:
        _opens = whole() and _fits(context().get("mlflow_maker"))
    return not _opens


def _fits(usual):
    """Whether the store's tables are those of this MLflow, which opens no others; usual is the version that makes a new store."""
    from importlib import metadata

    made = _revision()
    if made:
        return made == _newest_revision()
    try:
        return not usual or metadata.version("mlflow") == usual
    except metadata.PackageNotFoundError:
        return True


def _revision():
    """The revision of the store's tables; None if there is no store yet."""
    import sqlite3

    path = os.path.join(home(), "mlflow.db")
    if not os.path.exists(path):
        return None
    db = sqlite3.connect(path, timeout=30)
    try:
        row = db.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None
    except sqlite3.Error:
        return None  # another process is making it
    finally:
        db.close()


def _newest_revision():
    """The revision of the tables that this MLflow makes: the one that no other comes after. Its migrations are only read:
    to load what runs them takes a second."""
    import importlib.util
    import re

    folder = os.path.join(os.path.dirname(importlib.util.find_spec("mlflow").origin), "store", "db_migrations", "versions")
    known, followed = set(), set()
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if name.endswith(".py"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                said = dict(re.findall(r"""^(revision|down_revision)\b[^=\n]*=\s*["'](\w+)["']""", f.read(), re.M))
            known.add(said.get("revision"))
            followed.add(said.get("down_revision"))
    last = known - followed - {None}
    return last.pop() if len(last) == 1 else None


def names_workspace(value):
    """Whether a URI means the workspace."""
    text = value if isinstance(value, str) else ""
    return text in _WORKSPACE or text.startswith(tuple(w + "://" for w in _WORKSPACE))


def local(value):
    """The store for what a workspace would answer; any other URI as it is."""
    return uri() if names_workspace(value) and not remote() else value


def change(module):
    """mlflow has been loaded."""
    if remote():
        for key, name in (("MLFLOW_TRACKING_URI", "databricks"), ("MLFLOW_REGISTRY_URI", "databricks")):
            if os.environ.get(key, uri()) == uri():
                os.environ[key] = name
        _context()
        return
    from mlflow.tracking import client
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking

    for key in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ[key] = local(os.environ.get(key) or "databricks")
    _names(tracking, "tracking_uri", "databricks")
    _names(registry, "registry_uri", "databricks-uc")
    for owner, name in ((tracking, "_resolve_tracking_uri"), (registry, "_resolve_registry_uri"), (registry, "_get_registry_uri_from_context")):
        if hasattr(owner, name):
            _everywhere(owner, name, lambda real: lambda *args, **kwargs: local(real(*args, **kwargs)))
    init = client.MlflowClient.__init__

    def made(self, tracking_uri=None, registry_uri=None, *args, **kwargs):
        init(self, local(tracking_uri), local(registry_uri), *args, **kwargs)

    client.MlflowClient.__init__ = made
    _stores(tracking, registry)
    _versions()
    _context()
    mlflow_facts.install(client.MlflowClient)


def _versions():
    """What models and versions tell code of the task as a workspace does: a version is text, and a description that nobody
    gave is empty text. MLflow's own store has numbers and None."""
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

    def told(cls, name, make):
        real = getattr(cls, name)

        def get(self):
            value = real.fget(self)
            return value if _inner() else make(value)

        setattr(cls, name, property(get, real.fset, doc=real.__doc__))

    told(ModelVersion, "version", str)
    for cls in (ModelVersion, RegisteredModel):
        told(cls, "description", lambda value: "" if value is None else value)


def _inner():
    """Whether the code that called our caller is MLflow's own."""
    return sys._getframe(2).f_globals.get("__name__", "").split(".")[0] == "mlflow"


def _names(module, what, default):
    """set_… leads to the store, and get_… tells code of the task the name that it gave. MLflow itself,
    which decides by the name what to do, reads where it leads."""
    said = {}

    def setter(real):
        def set_uri(uri, *args, **kwargs):
            said["name"] = uri
            return real(local(uri), *args, **kwargs)

        return set_uri

    def getter(real):
        def get_uri(*args, **kwargs):
            value = local(real(*args, **kwargs))
            if value != uri() or _inner():
                return value
            name = said.get("name")
            return name if names_workspace(name) else default

        return get_uri

    _everywhere(module, "set_" + what, setter)
    _everywhere(module, "get_" + what, getter)


def _everywhere(module, name, make):
    """Change a function of MLflow, in all of its modules that have taken it already."""
    real = getattr(module, name)
    changed = make(real)
    changed.__doc__, changed.__name__ = real.__doc__, name
    for key, loaded in list(sys.modules.items()):
        if (key == "mlflow" or key.startswith("mlflow.")) and loaded is not None and vars(loaded).get(name) is real:
            setattr(loaded, name, changed)


def _stores(tracking, registry):
    """The store is made by one process at a time, and keeps its artifacts beside it."""
    runs, models = tracking._get_sqlalchemy_store, registry._get_sqlalchemy_store

    def runs_store(store_uri, artifact_uri=None):
        if store_uri == uri() and artifact_uri is None:
            artifact_uri = os.path.join(home(), "artifacts")
        return _with_workspace_names(_alone(lambda: runs(store_uri, artifact_uri)))

    def models_store(store_uri, *args, **kwargs):
        return _alone(lambda: models(store_uri))

    tracking._tracking_store_registry.register("sqlite", runs_store)
    registry._get_store_registry().register("sqlite", models_store)


def _with_workspace_names(store):
    """An experiment at /Workspace/Users/… is that at /Users/…, as on a workspace."""
    for method in ("create_experiment", "get_experiment_by_name"):
        real = getattr(store, method)

        def named(name, *args, _real=real, **kwargs):
            if isinstance(name, str) and name.startswith("/Workspace/"):
                name = name[len("/Workspace"):]
            return _real(name, *args, **kwargs)

        setattr(store, method, named)
    return store


def _alone(make):
    import fcntl

    if not whole():
        raise RuntimeError(
            "this interpreter has mlflow-skinny, which cannot keep runs in the local store: add the full package to the dependencies "
            "(mlflow==%s), or set MLFLOW_TRACKING_URI to a server" % sys.modules["mlflow"].__version__
        )
    os.makedirs(home(), mode=0o700, exist_ok=True)
    with open(os.path.join(home(), "lock"), "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh = not os.path.exists(os.path.join(home(), "mlflow.db"))
        store = make()
        if fresh and uri().startswith("sqlite:"):
            import sqlite3

            with sqlite3.connect(os.path.join(home(), "mlflow.db"), timeout=30) as db:
                db.execute("PRAGMA journal_mode=WAL")  # readers and one writer at once
        return store


def _context():
    from mlflow.tracking.context import registry as contexts
    from mlflow.tracking.context.abstract_context import RunContextProvider
    from mlflow.tracking.default_experiment import registry as experiments
    from mlflow.tracking.default_experiment.abstract_context import DefaultExperimentProvider

    from flowctl_rt.dbutils import context

    class TaskContext(RunContextProvider):
        """Which run, task and attempt a run of MLflow's was made by."""

        def in_context(self):
            return bool(context())

        def tags(self):
            c = context()
            found = {
                "flowctl.run_id": c.get("job_run_id"), "flowctl.task_run_id": c.get("run_id"), "flowctl.task_key": c.get("task_key"),
                "flowctl.attempt": c.get("attempt"), "flowctl.job_id": c.get("job_id"), "flowctl.job_name": c.get("job_name"),
                "mlflow.user": c.get("user"), "mlflow.databricks.jobID": c.get("job_id"), "mlflow.databricks.jobRunID": c.get("job_run_id"),
                "mlflow.databricks.notebookPath": c.get("notebook_path"), "mlflow.databricks.taskKey": c.get("task_key"),
                "mlflow.source.type": "JOB", "mlflow.source.name": "jobs/%s/run/%s" % (c.get("job_id"), c.get("job_run_id")),
            }
            return {k: str(v) for k, v in found.items() if v not in (None, "")}

    class JobExperiment(DefaultExperimentProvider):
        """The experiment of the job, for code that names none."""

        made = None

        def in_context(self):
            return bool(context().get("job_name")) and not os.environ.get("MLFLOW_EXPERIMENT_ID") and not os.environ.get("MLFLOW_EXPERIMENT_NAME")

        def get_experiment_id(self):
            if JobExperiment.made is None:
                JobExperiment.made = experiment("/Jobs/" + context()["job_name"])
            return JobExperiment.made

    contexts._run_context_provider_registry._registry.append(TaskContext())
    experiments._default_experiment_provider_registry._registry.insert(0, JobExperiment())


def experiment(name):
    """The id of an experiment, made if need be; two tasks at once make one."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name)
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id

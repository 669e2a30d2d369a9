"""MLflow's own server on the store in the data directory, for clients that take it for a workspace's.

    python mlflow_server.py STORE ARTIFACT_FOLDER PORT
    python mlflow_server.py --prepare STORE ARTIFACT_FOLDER

flowctl's daemon starts it on loopback and asks it in the name of its own
clients. Beside MLflow's paths it answers those that a workspace adds: models in
Unity Catalog (mlflow_uc, mlflow_catalog), their files and the artifacts of runs
(mlflow_files). With --prepare it only makes the store.
"""
import json
import os
import sys

# What clients outside of tasks see of the folder where artifacts lie: paths
# that MLflow's client reads and writes through the workspace's API.
PUBLIC = "dbfs:/databricks/mlflow"
_LARGEST = 64 << 20  # of a JSON body in which paths are replaced


class Store:
    """Where things are, and MLflow's own hold on them."""

    def __init__(self, folder, artifacts):
        self.folder, self.artifacts = folder, artifacts
        self.database = os.path.join(folder, "mlflow.db")
        self.models = os.path.join(folder, "models")  # versions that came from outside of tasks
        self.uri = "sqlite:///" + self.database

    def open(self):
        """Make the database if need be: one process at a time."""
        import fcntl

        from mlflow.server import handlers

        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with open(os.path.join(self.folder, "lock"), "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fresh = not os.path.exists(self.database)
            handlers.initialize_backend_stores(self.uri, self.uri, self.artifacts)
            if fresh:
                self.sql("PRAGMA journal_mode=WAL")
        self.runs, self.registry = handlers._get_tracking_store(), handlers._get_model_registry_store()

    def sql(self, text, *values):
        import sqlite3

        with sqlite3.connect(self.database, timeout=30) as db:
            rows = db.execute(text, values).fetchall()
        db.close()
        return rows


class Paths:
    """Replaces local paths of artifacts by public ones in answers, and the other way round in requests."""

    def __init__(self, app, store):
        self.app = app
        text = json.dumps(store.artifacts)[1:-1]
        self.local, self.public = ('"%s/' % text).encode(), ('"%s/' % PUBLIC).encode()
        self.scheme = ('"file://%s/' % text).encode()

    def __call__(self, environ, start_response):
        if not environ.get("PATH_INFO", "").startswith(("/api/", "/ajax-api/")) or "/mlflow/" not in environ["PATH_INFO"]:
            return self.app(environ, start_response)
        self._inward(environ)
        said = []

        def start(status, headers, exc_info=None):
            said[:] = [status, headers, exc_info]

        body = self.app(environ, start)
        status, headers, exc_info = said
        if dict((k.lower(), v) for k, v in headers).get("content-type", "").startswith("application/json"):
            try:
                data = b"".join(body)
            finally:
                getattr(body, "close", lambda: None)()
            data = data.replace(self.local, self.public).replace(self.scheme, self.public)
            headers = [(k, str(len(data)) if k.lower() == "content-length" else v) for k, v in headers]
            body = [data]
        start_response(status, headers, exc_info)
        return body

    def _inward(self, environ):
        import io
        from urllib.parse import quote

        public, local = PUBLIC + "/", json.loads(self.local.decode() + '"')
        query = environ.get("QUERY_STRING", "")
        environ["QUERY_STRING"] = query.replace(quote(public, safe=""), quote(local, safe="")).replace(quote(public), quote(local))
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if environ.get("CONTENT_TYPE", "").startswith("application/json") and 0 < size <= _LARGEST:
            data = environ["wsgi.input"].read(size).replace(self.public, self.local)
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(data), str(len(data))


def _watch():
    """End with whoever started us: our standard input is a pipe that only it holds."""
    import threading

    def wait():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments):
    store = Store(*[os.path.abspath(p) for p in arguments[-2:]] if arguments[0] == "--prepare" else map(os.path.abspath, arguments[:2]))
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["MLFLOW_REGISTRY_URI"] = store.uri
    for name in ("DATABRICKS_RUNTIME_VERSION", "FLOWCTL_TASK_DIR"):
        os.environ.pop(name, None)
    store.open()
    if arguments[0] == "--prepare":
        return
    from mlflow.server import app
    from werkzeug.serving import WSGIRequestHandler, make_server

    from flowctl_rt import mlflow_catalog, mlflow_files, mlflow_uc

    for part in (mlflow_uc, mlflow_catalog, mlflow_files):
        part.add(app, store)
    WSGIRequestHandler.log_request = lambda *_: None
    server = make_server("127.0.0.1", int(arguments[2]), Paths(app, store), threaded=True)
    _watch()
    print("127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[0] = here  # not our own folder: its modules are named like others'
    main(sys.argv[1:])

"""Files of runs and models, for MLflow's clients outside of tasks.

Artifacts of runs are public as dbfs:/databricks/mlflow/…, which the client
reads and writes at /dbfs/… and lists with the DBFS API. Files of models in
Unity Catalog are /Models/CATALOG/SCHEMA/MODEL/VERSION/… of the Files API, read
and written there or at addresses that the client asks for first.
"""
import os

from flowctl_rt.mlflow_answers import answer, asked, refuse, route
from flowctl_rt.mlflow_server import PUBLIC

_ROOT = PUBLIC[len("dbfs:"):]


class Refused(Exception):
    """A path that leads nowhere."""


def inside(folder, rest):
    """A path below a folder; no link or .. leads out of it."""
    path = os.path.normpath(os.path.join(folder, rest.strip("/")))
    real, root = os.path.realpath(path), os.path.realpath(folder)
    if real != root and not real.startswith(root + os.sep):
        raise Refused("Path (%s) leads out of its tree." % rest)
    return path


def receive(path):
    """Write a request's body to a file, all at once."""
    import tempfile

    from flask import request

    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    fd, new = tempfile.mkstemp(prefix=".upload-", dir=os.path.dirname(path))
    try:
        with os.fdopen(fd, "wb") as f:
            for chunk in iter(lambda: request.stream.read(1 << 20), b""):
                f.write(chunk)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def send(path):
    from flask import send_file

    return send_file(path, mimetype="application/octet-stream", conditional=True)


def entries(path):
    """The visible entries of a folder: name, whether it is a folder, size, time of the last change in ms."""
    found = []
    with os.scandir(path) as folder:
        for e in folder:
            if not e.name.startswith(".upload-"):
                st = e.stat()
                found.append((e.name, e.is_dir(), 0 if e.is_dir() else st.st_size, int(st.st_mtime * 1000)))
    return sorted(found)


def _dbfs(store):
    """What is at the DBFS path of an artifact."""

    def local(path):
        path = path[len("dbfs:"):] if path.startswith("dbfs:") else path
        return inside(store.artifacts, path[len(_ROOT):])

    def raw(rest):
        from flask import request

        path = local("/" + rest)
        if request.method == "POST":
            receive(path)
            return answer()
        if not os.path.isfile(path):
            return refuse("RESOURCE_DOES_NOT_EXIST", "No file or directory exists on path /%s." % rest, 404)
        return send(path)

    def status():
        path = asked().get("path", "")
        found = local(path)
        if not os.path.exists(found):
            return refuse("RESOURCE_DOES_NOT_EXIST", "No file or directory exists on path %s." % path, 404)
        return answer(_info(path, os.path.isdir(found), os.path.getsize(found), int(os.path.getmtime(found) * 1000)))

    def listing():
        path = asked().get("path", "").rstrip("/")
        found = local(path)
        if not os.path.exists(found):
            return refuse("RESOURCE_DOES_NOT_EXIST", "No file or directory exists on path %s." % path, 404)
        if os.path.isfile(found):
            return answer({"files": [_info(path, False, os.path.getsize(found), int(os.path.getmtime(found) * 1000))]})
        return answer({"files": [_info(path + "/" + name, is_dir, size, at) for name, is_dir, size, at in entries(found)]})

    return raw, status, listing


def _info(path, is_dir, size, at):
    return {"path": path[len("dbfs:"):] if path.startswith("dbfs:") else path, "is_dir": is_dir, "file_size": 0 if is_dir else size, "modification_time": at}


class _Models:
    """The files of model versions."""

    def __init__(self, store):
        self.store = store

    def find(self, full):
        """The version that /Models/C/S/M/V/… names, and the local path. Names of fewer levels are C alone, or C/S."""
        parts = full.strip("/").split("/")
        if len(parts) < 5 or parts[0] != "Models":
            raise Refused("Path (%s) is no path of a model's file: /Models/CATALOG/SCHEMA/MODEL/VERSION/FILE." % full)
        return self.of(".".join(parts[1:4]), parts[4], "/".join(parts[5:]))

    def of(self, name, number, rest):
        """A version of a model, and the local path of something of its files."""
        registry = self.store.registry
        version = registry.get_model_version(name, number)
        where = registry.get_model_version_download_uri(version.name, version.version)
        where = where[len("file://"):] if where.startswith("file://") else where
        if not os.path.isabs(where):
            raise Refused("Version %s of %s lies at %s, which is not on this machine." % (version.version, version.name, where))
        return version, inside(where, rest)

    def file(self, rest):
        from flask import request

        if request.method == "POST":  # the SDK asks for an upload in parts; without one it sends the file whole
            return answer({"multipart_upload": {"session_token": "none"}})
        version, path = self.find("/Models/" + rest)
        if request.method == "PUT":
            if version.status != "PENDING_REGISTRATION":
                return refuse("PERMISSION_DENIED", "Version %s of %s is complete: its files do not change." % (version.version, version.name), 403)
            receive(path)
            return answer(status=204)
        if not os.path.isfile(path):
            return refuse("NOT_FOUND", "The file being accessed is not found: /Models/" + rest, 404)
        return send(path)

    def folder(self, rest):
        from flask import request

        version, path = self.find("/Models/" + rest)
        if request.method == "PUT":
            if version.status == "PENDING_REGISTRATION":
                os.makedirs(path, mode=0o700, exist_ok=True)
            return answer(status=204)
        if not os.path.isdir(path):
            return refuse("NOT_FOUND", "The directory being accessed is not found: /Models/" + rest, 404)
        base = "/Models/" + rest.rstrip("/")
        return answer({"contents": [
            dict({"path": base + "/" + name, "name": name, "is_directory": is_dir, "last_modified": at}, **({} if is_dir else {"file_size": size}))
            for name, is_dir, size, at in entries(path)
        ]})

    def address(self):
        """Where to send or fetch a file."""
        from urllib.parse import quote

        path = asked().get("path", "")
        self.find(path)
        return answer(dict(zip(("url", "headers"), _address("/api/2.0/fs/files" + quote(path)))))

    def legacy_listing(self):
        """Files of a version, as the client of the workspace's own registry asks."""
        q = asked()
        _, path = self.of(q.get("name"), q.get("version"), q.get("path", ""))
        rest = q.get("path", "").strip("/")
        if os.path.isfile(path):
            return answer({"files": [{"path": rest, "is_dir": False, "file_size": os.path.getsize(path)}]})
        if not os.path.isdir(path):
            return answer({"files": []})
        return answer({"files": [
            {"path": (rest + "/" + name).lstrip("/"), "is_dir": is_dir, "file_size": size} for name, is_dir, size, _ in entries(path)
        ]})

    def legacy_address(self):
        """Where such a client fetches a file."""
        from urllib.parse import urlencode

        q = {k: asked().get(k, "") for k in ("name", "version", "path")}
        self.of(q["name"], q["version"], q["path"])
        return answer(dict(zip(("signed_uri", "headers"), _address(_LEGACY_FILE + "?" + urlencode(q)))))

    def legacy_file(self):
        q = asked()
        _, path = self.of(q.get("name"), q.get("version"), q.get("path", ""))
        if not os.path.isfile(path):
            return refuse("RESOURCE_DOES_NOT_EXIST", "Version %s of %s has no file %s." % (q.get("version"), q.get("name"), q.get("path")), 404)
        return send(path)


_LEGACY_FILE = "/api/2.0/mlflow/model-versions/file"


def _address(path):
    """An address of this API itself, and the headers to say there: those of whoever asks."""
    from flask import request

    token = request.headers.get("X-Flowctl-Authorization", "")
    return request.headers.get("X-Flowctl-Base", "") + path, [{"name": "Authorization", "value": token}] if token else []


def add(app, store):
    """Add the paths of files to MLflow's server."""
    raw, status, listing = _dbfs(store)
    models = _Models(store)

    def guarded(fn):
        def answered(*args, **kwargs):
            try:
                return fn(*args, **kwargs)
            except Refused as e:
                return refuse("INVALID_PARAMETER_VALUE", str(e))
            except OSError as e:
                return refuse("IO_ERROR", str(e), 500)

        return answered

    for path, fn, methods in (
        ("/dbfs/<path:rest>", raw, ("GET", "POST")),
        ("/api/2.0/dbfs/get-status", status, ("GET",)),
        ("/api/2.0/dbfs/list", listing, ("GET",)),
        ("/api/2.0/fs/files/Models/<path:rest>", models.file, ("GET", "HEAD", "PUT", "POST")),
        ("/api/2.0/fs/directories/Models/<path:rest>", models.folder, ("GET", "HEAD", "PUT")),
        ("/api/2.0/mlflow/model-versions/list-artifacts", models.legacy_listing, ("GET",)),
        ("/api/2.0/mlflow/model-versions/get-signed-download-uri", models.legacy_address, ("GET",)),
        (_LEGACY_FILE, models.legacy_file, ("GET",)),
        ("/api/2.0/fs/create-upload-url", models.address, ("POST",)),
        ("/api/2.0/fs/create-download-url", models.address, ("POST", "GET")),
    ):
        route(app, path, guarded(fn), *methods)

"""What the attempt's code is made of and runs in, told to the engine as facts.

Every task pays for this module, so it imports nothing that the interpreter has
not loaded already. What is known of data is spark_facts.py's.
"""
import os
import sys
from time import time, tzname

from flowctl_rt import attempt, quote

KEPT = 1 << 20  # bytes of the largest file that is kept as a blob
_HASHED = 64 << 20  # bytes of the largest file that is hashed
_MODULES = 200  # so many modules are told of
_began = time()
_told = set()  # files that were told of


def emit(kind, data):
    """Tell a fact; data is JSON. A child notebook's facts are those of its attempt."""
    redact = sys.modules.get("flowctl_rt.redact")
    if redact:  # no secret that the code has read may be in a path or a message
        data = _clean(redact, data)
    line = '{"t":"fact","kind":"%s","data":%s}' % (kind, data)
    path = os.path.join(folder(), "events.jsonl")
    try:
        if os.path.dirname(path) == attempt().dir:
            attempt().emit(line)
            return
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, line.encode("utf-8", "backslashreplace") + b"\n")
        finally:
            os.close(fd)
    except OSError:
        pass  # a full disk: the task goes on without the fact


def _clean(redact, data):
    clean = redact.clean(data)
    if clean != data:
        import json

        try:
            json.loads(clean)
        except ValueError:  # a secret that looks like a part of JSON
            return '{"redacted":true}'
    return clean


def folder():
    """The attempt's own folder; a child notebook's lies below it."""
    return attempt().context.get("of") or attempt().dir


def gap(what, detail):
    """Tell that something is known not to be known."""
    emit("gap", '{"what":%s,"detail":%s}' % (quote(what), quote(detail[:500])))


def begin():
    """Tell what the code runs in."""
    if "of" in attempt().context:
        return  # a child notebook runs in what its parent runs in
    sites = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    emit("runtime", '{"python":"%d.%d.%d","executable":%s,"implementation":%s,"platform":%s,"tz":%s,"hash_seed":%s,"sites":[%s]}' % (
        sys.version_info[0], sys.version_info[1], sys.version_info[2], quote(sys.executable), quote(sys.implementation.name),
        quote("%s-%s" % (sys.platform, os.uname().machine)), quote(os.environ.get("TZ") or tzname[0]),
        quote(os.environ.get("PYTHONHASHSEED") or "random"), ",".join(map(quote, sites)),
    ))


def source(path, data, via):
    """Tell that these bytes of a file are about to run."""
    if path not in _told:
        _told.add(path)
        emit("source", '{"files":[%s]}' % _file(path, data, via))


def end():
    """Tell what else has run: the modules of the job's own code, and Spark's part. Never fails."""
    steps = [modules, _versions, _files]
    for loaded in ("flowctl_rt.spark_facts", "flowctl_rt.mlflow_facts"):
        if loaded in sys.modules:
            steps.append(sys.modules[loaded].end)
    for step in steps:
        try:
            step()
        except Exception as e:
            gap("facts", "%s: %s" % (type(e).__name__, e))


def modules():
    """Tell the modules of the job's code that were imported."""
    c = attempt().context
    roots = [os.path.join(r, "") for r in (c.get("code_dir"), os.path.dirname(c.get("path", "")), (c.get("fs") or {}).get("workspace")) if r]
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    roots, files = tuple(roots), []
    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None)
        path = space.get("__file__") if type(space) is dict else None
        if not isinstance(path, str) or not path.startswith(roots) or path in _told or path.startswith(ours):
            continue
        if "/site-packages/" not in path and "/dist-packages/" not in path:
            files.append(path)
    told = [_read(path) for path in files[:_MODULES]]
    _told.update(files)
    if told:
        left = ',"left_out":%d' % (len(files) - len(told)) if len(files) > len(told) else ""
        emit("source", '{"files":[%s]%s}' % (",".join(told), left))


def _read(path):
    try:
        size, changed = os.stat(path).st_size, os.stat(path).st_mtime > _began
        if size > _HASHED:
            return '{"path":%s,"size":%d,"via":"import"}' % (quote(name(path)), size)
        with open(path, "rb") as f:
            return _file(path, f.read(), "import", changed)
    except OSError as e:  # it is gone, or inside of an archive
        return '{"path":%s,"via":"import","unread":%s}' % (quote(name(path)), quote(e.strerror or str(e)))


def _file(path, data, via, changed=False):
    digest = sha256(data).hexdigest()
    kept = len(data) <= KEPT and not secretive(path) and keep(digest, data)
    return '{"path":%s,"sha256":"%s","size":%d,"via":"%s"%s%s}' % (
        quote(name(path)), digest, len(data), via, ',"blob":true' if kept else "",
        ',"changed":true' if changed else "",  # since the task began: what ran may have been what was there before
    )


def name(path):
    """A file's path from the root of the job's code, else as a workspace knows it, else as it is."""
    c = attempt().context
    fs = c.get("fs") or {}
    for root, shown in ((c.get("code_dir"), ""), (fs.get("workspace"), "/Workspace/"), (fs.get("volumes"), "/Volumes/"), (fs.get("dbfs"), "/dbfs/")):
        if root and path.startswith(root.rstrip("/") + "/"):
            return shown + path[len(root.rstrip("/")) + 1:]
    return path


def secretive(path):
    """Whether a file's name says that it holds what nobody is to keep."""
    base = os.path.basename(path).lower()
    stem = base.replace("-", "_").replace(".", "_").split("_")
    if base.startswith((".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", ".pgpass", ".databrickscfg")):
        return True
    if base.endswith((".env", ".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx", ".keytab")):
        return True
    if any(word in base for word in ("secret", "credential", "passw", "apikey")):
        return True
    return any(part in ("key", "keys", "token", "tokens") for part in stem)


def sha256(data=b""):
    """SHA-256, without the import of hashlib."""
    try:
        from _sha2 import sha256 as make
    except ImportError:
        try:
            from _sha256 import sha256 as make
        except ImportError:
            from hashlib import sha256 as make
    return make(data)


def keep(digest, data):
    """Keep bytes in the data directory under their digest. False: they cannot be kept."""
    blobs = attempt().context.get("blobs")
    if not blobs:
        return False
    path = os.path.join(blobs, digest)
    if os.path.exists(path):
        return True
    new = "%s.%d" % (path, os.getpid())
    try:
        os.makedirs(blobs, mode=0o700, exist_ok=True)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest):]
        finally:
            os.close(fd)
        os.rename(new, path)
    except OSError:  # a full disk must not fail the task
        try:
            os.unlink(new)
        except OSError:
            pass
        return False
    return True


def _files():
    """Tell the files that went through Python's own open, by the paths of a workspace."""
    paths = sys.modules.get("flowctl_rt.paths")
    if paths is not None and paths.opened:
        from flowctl_rt import file_facts

        file_facts.opened(paths.opened)


def _versions():
    """Tell the versions of what only some tasks load."""
    found = []
    for package in ("pyspark", "mlflow"):
        version = getattr(sys.modules.get(package), "__version__", None)
        if isinstance(version, str):
            found.append('%s:%s' % (quote(package), quote(version)))
    if found:
        emit("runtime", "{%s}" % ",".join(found))

"""Databricks' file paths on this machine.

/dbfs, /Volumes and /Workspace lead into the data directory for everything
that goes through Python's own open and os functions. Compiled code and other
programs see the real paths.
"""
import os

_PREFIXES = ("/dbfs/", "/Volumes/", "/Workspace/")
_TOPS = ("/dbfs", "/Volumes", "/Workspace")
_roots = {}
opened = set()  # (file, whether to write)
_stat = os.stat


def install(roots):
    """Map the paths from now on. roots: dbfs, volumes, workspace (folders), map (prefix to folder)."""
    _roots.update(roots)
    import builtins
    import io

    builtins.open = io.open = _Opened(io.open)
    for name in ("open", "stat", "lstat", "listdir", "scandir", "mkdir", "remove", "unlink", "rmdir", "access", "chmod",
                 "utime", "truncate", "readlink", "chdir", "statvfs", "chown", "getxattr", "setxattr", "listxattr",
                 "removexattr"):
        if hasattr(os, name):
            _wrap(name, _Mapped)
    for name in ("rename", "replace", "link", "symlink"):
        _wrap(name, _MappedPair)


class _Mapped:
    """A function whose first argument is a path. No Python function, so that a
    class which keeps it as an attribute does not make it a method."""

    def __init__(self, real):
        self.real = real
        self.__name__ = real.__name__
        self.__doc__ = real.__doc__

    def __call__(self, *args, **kwargs):
        if args:
            return self.real(mapped(args[0]), *args[1:], **kwargs)
        for name in ("path", "file"):
            if name in kwargs:
                kwargs[name] = mapped(kwargs[name])
        return self.real(**kwargs)


class _Opened(_Mapped):
    """open, which takes note of the files that it leads to."""

    def __call__(self, *args, **kwargs):
        file = super().__call__(*args, **kwargs)
        path = args[0] if args else kwargs.get("file")
        real = mapped(path)
        if real is not path and len(opened) < 10000:
            mode = args[1] if len(args) > 1 else kwargs.get("mode", "r")
            opened.update((real, to_write) for to_write, letters in ((False, "r+"), (True, "wxa+")) if set(mode) & set(letters))
        return file


class _MappedPair(_Mapped):
    """A function whose first two arguments are paths."""

    def __call__(self, *args, **kwargs):
        for name in ("src", "dst"):
            if name in kwargs:
                kwargs[name] = mapped(kwargs[name])
        return self.real(*[mapped(a) for a in args[:2]], *args[2:], **kwargs)


def _wrap(name, kind):
    real = getattr(os, name)
    call = kind(real)
    for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if real in known:
            known.add(call)
    setattr(os, name, call)


def mapped(path):
    """The real path behind a path; anything that is no Databricks path stays as it is."""
    if type(path) is not str:
        if not hasattr(path, "__fspath__"):
            return path
        text = path.__fspath__()
        if type(text) is not str or not (text.startswith(_PREFIXES) or text in _TOPS):
            return path
        path = text
    if path.startswith(_PREFIXES) or path in _TOPS:
        return local(path) or path
    return path


def local(path):
    """The local path of a workspace, DBFS or volume path; None for any other."""
    if path == "/dbfs" or path.startswith("/dbfs/"):
        rest = path[5:]
        return local(rest) if rest.startswith("/Volumes/") else _under("dbfs", rest)
    if path == "/Volumes" or path.startswith("/Volumes/"):
        if path != "/Volumes" and _exists(path):
            return path  # a volume of this machine
        return _under("volumes", path[len("/Volumes"):])
    if path == "/Workspace" or path.startswith("/Workspace/"):
        rest = path[len("/Workspace"):]
        if rest.startswith("//"):
            rest = "/" + rest.lstrip("/")
        for prefix, folder in sorted(_roots.get("map", {}).items(), key=lambda kv: -len(kv[0])):
            prefix = prefix[len("/Workspace"):] if prefix.startswith("/Workspace/") else prefix
            if rest == prefix or rest.startswith(prefix.rstrip("/") + "/"):
                return folder + rest[len(prefix.rstrip("/")):]
        return _under("workspace", rest)
    return None


def _exists(path):
    try:
        _stat("/".join(path.split("/")[:3]))
        return True
    except OSError:
        return False


def _under(root, rest):
    folder = _roots.get(root)
    if not folder:
        return None
    parts = [p for p in rest.split("/") if p not in ("", ".")]
    depth = 0
    for p in parts:
        depth += -1 if p == ".." else 1
        if depth < 0:
            raise PermissionError("path leads out of its root: " + rest)
    if parts and parts[0] == "databricks-datasets" and root == "dbfs":
        from flowctl_rt import datasets

        datasets.make(parts, folder)
    return os.path.join(folder, *parts) if parts else folder


def of_url(url):
    """The local path of what dbutils.fs takes: dbfs:/x, /x, file:/x, /Volumes/..., /Workspace/..."""
    from flowctl_rt import FlowctlUnsupported

    if url.startswith("file:"):
        return "/" + url[len("file:"):].lstrip("/")
    if url.startswith("dbfs:"):
        url = "/" + url[len("dbfs:"):].lstrip("/")
    if "://" in url or ":/" in url.split("/")[0] + "/":
        raise FlowctlUnsupported("file system of %r: only dbfs:/, /Volumes, /Workspace and file:/ are here" % url)
    if not url.startswith("/"):
        url = "/" + url
    if url.startswith(("/Volumes", "/Workspace")):
        return local(url)
    return _under("dbfs", url[len("/dbfs"):] if url.startswith("/dbfs/") else url)

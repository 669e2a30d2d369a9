"""Plain files as facts: what they were, as well as that can be told when all is over."""
import json
import os

from flowctl_rt import facts

_MOST = 64  # files of a kind that are told
_HASHED = 64 << 20  # bytes of the largest input that is hashed
_FILES = 1000  # files of the largest folder that is looked at


def opened(files):
    """Tell the files of /dbfs, /Volumes and /Workspace that Python's own open has opened: (path, whether to write) pairs."""
    for kind, to_write in (("read", False), ("wrote", True)):
        found = sorted(path for path, w in files if w is to_write)
        for path in found[:_MOST]:
            facts.emit(kind, json.dumps(dict(described(path), how="hook", sure=True)))
        if len(found) > _MOST:
            facts.gap(kind, "%d more files" % (len(found) - _MOST))


def place(path):
    shown = facts.name(path)
    return {"kind": "file", "path": path, **({"workspace_path": shown} if shown != path and shown.startswith("/") else {})}


def described(path):
    """A file, or a folder of files: its digest if it is small, else its size and the time of its last change."""
    fact, found, size, newest = place(path), [], 0, 0.0
    for file in _below(path):
        try:
            st = os.stat(file)
        except OSError:
            continue
        found.append(file)
        size, newest = size + st.st_size, max(newest, st.st_mtime)
        if len(found) >= _FILES:
            fact["more"] = True
            break
    if not found:
        return dict(fact, gone=True)
    fact.update(files=len(found), size=size, mtime=int(newest * 1000))
    if newest > facts._began:
        fact["changed"] = True  # since the task began: what was read may have been what was there before
    if size <= _HASHED and len(found) < _FILES:
        fact["sha256"] = digest(path, found)
    return fact


def _below(path):
    if os.path.isfile(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for n in sorted(names):
            if not n.startswith((".", "_")):
                yield os.path.join(folder, n)


def digest(path, files):
    """Of a file its own SHA-256, of a folder that of the lines DIGEST, two spaces, PATH."""
    lines = []
    for file in files:
        h = facts.sha256()
        with open(file, "rb") as f:
            for part in iter(lambda: f.read(1 << 20), b""):
                h.update(part)
        lines.append("%s  %s\n" % (h.hexdigest(), os.path.relpath(file, path)))
    if files == [path]:
        return lines[0].split(" ")[0]
    return facts.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

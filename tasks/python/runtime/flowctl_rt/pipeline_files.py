"""The source files of a pipeline: plain Python, SQL, and notebooks of both."""
import linecache
import os
import sys

from flowctl_rt import FlowctlUnsupported

_NAMES = ("spark", "dbutils", "display", "displayHTML", "udf", "sql", "table")


def load(f, p):
    """Run a file's Python; the (text, path) of its SQL."""
    path = f["path"]
    for folder in (os.path.dirname(path), p.get("root")):
        if folder and folder not in sys.path:
            sys.path.append(folder)
    if f["kind"] == "sql":
        with open(path, encoding="utf-8-sig") as text:
            return [(text.read(), path)]
    if f["kind"] == "python":
        with open(path, encoding="utf-8-sig") as text:
            _execute(text.read(), path, _space(path, True))
        return []
    return _notebook(path)


def _space(path, plain):
    import builtins

    from flowctl_rt import pipeline
    from flowctl_rt.namespace import get

    space = {"__name__": os.path.splitext(os.path.basename(path))[0], "__builtins__": builtins, "spark": pipeline.spark()}
    entry = sys.modules["flowctl_attempt"]
    for name in _NAMES[1:]:
        space[name] = entry.Lazy(name)
    space["dbutils"] = get("dbutils")
    if plain:
        space["__file__"] = path
    return space


def _execute(source, name, space):
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), space)


def _notebook(path):
    """A notebook's cells: text is dropped, and %pip lines, whose packages are there."""
    from flowctl_rt import cells

    found, space = [], _space(path, False)
    for cell in cells.load(path):
        if cell.language == "md":
            continue
        if cell.language == "sql":
            found.append(((cell.argument + "\n" if cell.argument else "") + cell.source, path))
            continue
        if cell.language != "python":
            raise FlowctlUnsupported("%s, cell %d: %%%s cannot be part of a pipeline here" % (path, cell.index + 1, cell.language))
        lines = []
        for line in cell.source.split("\n"):
            magic = line.strip()
            if magic.startswith(("%pip", "%restart_python")) or magic == "dbutils.library.restartPython()":
                line = ""
            elif magic.startswith(("%", "!")):
                raise FlowctlUnsupported("%s, cell %d: %s cannot be part of a pipeline here" % (path, cell.index + 1, magic.split()[0]))
            lines.append(line)
        _execute("\n".join(lines) + "\n", "%s#cmd%d" % (path, cell.index + 1), space)
    return found

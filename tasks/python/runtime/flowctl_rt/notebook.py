"""Runs a notebook: its cells in order, in one namespace."""
import os
import sys
from time import time

from flowctl_rt import FlowctlUnsupported, attempt, cells, facts, main_script, quote

_sources = {}  # cell file name to source, for tracebacks


class NotebookExit(BaseException):
    """dbutils.notebook.exit. Not an Exception: code that catches those goes on as on Databricks."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


class Runner:
    """One notebook attempt: the namespace that its cells share."""

    def __init__(self, context):
        entry = sys.modules["flowctl_attempt"]
        self.context = context
        self.exit = None  # NotebookExit, once asked for
        self.module = type(sys)("__main__")
        self.space = self.module.__dict__
        self.space["__builtins__"] = __builtins__
        for name in entry.NAMES:
            self.space[name] = entry.Lazy(name)
        self.space["get_ipython"] = self.get_ipython
        sys.modules["__main__"] = self.module
        self.shell = None
        self.loop = None
        self.stack = []  # [path, position] of the notebooks that are running, outermost first
        self.restarts = 0
        self.foresaw = False

    @property
    def path(self):
        """The notebook whose cell is running."""
        return self.stack[-1][0]

    def get_ipython(self):
        from flowctl_rt import shell

        return shell.start(self)

    def notebook(self, path, start=0):
        """Run a notebook file's cells from a position on."""
        data = cells.read(path)
        book = cells.load(path, data)
        facts.source(path, data, "%run" if self.stack else self.context.get("via", "notebook"))
        refuse_languages(book, path)
        self.foresee_spark(book)
        if len(self.stack) > 50:
            raise RecursionError("%%run is nested too deep: %s" % path)
        frame = [path, start]
        self.stack.append(frame)
        for position in range(start, len(book)):
            frame[1] = position
            self.cell(book[position], path)
            if self.exit is not None:
                raise self.exit
        self.stack.pop()

    def foresee_spark(self, book):
        """Start the driver beside the first cells, where the notebook's code will want it."""
        if self.context.get("spark") and not self.foresaw and any("spark" in c.source or c.language == "sql" for c in book):
            from flowctl_rt import spark

            if spark.wanted(book):
                self.foresaw = True
                spark.start_beside()

    def cell(self, cell, path):
        began, log = time(), _log_size()
        status = "FAILED"
        try:
            self.run_cell(cell, path)
            status = "SUCCESS"
        except NotebookExit:
            status = "SUCCESS"
            raise
        finally:
            _record(cell, path, status, began, log)

    def run_cell(self, cell, path):
        kind = cell.language
        if kind == "md":
            return
        if kind == "python":
            from flowctl_rt import pycell

            pycell.run(self, cell, "%s#cmd%d" % (path, cell.index + 1))
            return
        from flowctl_rt import magics

        magics.run(self, cell, path)


def _log_size():
    try:
        return os.fstat(1).st_size
    except OSError:
        return 0


def _record(cell, path, status, began, log):
    """One line of cells.jsonl; the cell's output is that part of the log."""
    sys.stdout.flush()
    line = '{"notebook":%s,"index":%d,"title":%s,"language":%s,"argument":%s,"source":%s,"status":"%s","start":%d,"end":%d,"log":[%d,%d]}\n' % (
        quote(path), cell.index, quote(cell.title), quote(cell.language), quote(cell.argument), quote(cell.source), status,
        began * 1000, time() * 1000, log, _log_size(),
    )
    fd = os.open(os.path.join(attempt().dir, "cells.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line.encode("utf-8", "backslashreplace"))
    finally:
        os.close(fd)


def refuse_languages(book, path):
    """Say no before any cell has run, rather than in the middle."""
    bad = [c for c in book if c.language not in ("python", "md", "sql", "sh", "run", "fs")]
    if bad:
        which = ", ".join("cell %d (%s)" % (c.index + 1, c.language) for c in bad[:10])
        raise FlowctlUnsupported(
            "%s has cells that cannot run here: %s. Run the task on a workspace" % (path, which)
        )
    if any(c.language == "sql" for c in book):
        from flowctl_rt import spark_profile

        spark_profile.home()


def remember_sources(linecache):
    """Let tracebacks show the cells' own lines."""
    for name, source in _sources.items():
        lines = source.splitlines(True)
        linecache.cache[name] = (len(source), None, lines, name)


runner = None


def run(context, resumed):
    """The result line of a notebook attempt."""
    global runner
    from flowctl_rt import library

    runner = Runner(context)
    path = context["path"]
    frames = _resume(runner) if resumed else [[path, 0]]
    sys.argv = [path]
    folder = os.path.dirname(path)
    os.chdir(folder)
    _importable([folder, context.get("code_dir")])
    if resumed:
        from flowctl_rt import overlay

        overlay.use()
    try:
        for file, start in reversed(frames):  # a notebook that was %run ends before the one that ran it goes on
            runner.notebook(file, start)
        _await_streams()
    except NotebookExit as e:
        return _success(e.value)
    except library.RestartPython:
        _restart(runner)
    except SystemExit as e:
        if e.code in (None, 0):
            return _success(None)
        raise
    return _success(None)


def _importable(folders):
    """Let the notebook import the modules beside it, then those of the working
    folder, whichever %cd makes that, as in every IPython: before installed
    packages, and after Python's own modules, which a notebook called copy or
    random must not replace (on a workspace a notebook is no module at all)."""
    own = os.path.dirname(os.__file__)
    first = [p for p in sys.path if p in (own, os.path.join(own, "lib-dynload")) or p.endswith(".zip") and os.path.dirname(p) == os.path.dirname(own)]
    new = [f for f in dict.fromkeys(folders) if f and f not in sys.path]
    sys.path[:] = first + new + [""] + [p for p in sys.path if p and p not in first]


def _await_streams():
    """A notebook lasts as long as the streams that it has started, and fails with them."""
    spark = sys.modules.get("flowctl_rt.spark")
    if spark is not None:
        spark.await_streams()


LIMIT = 5 * 1024 * 1024  # bytes of an exit value that runs/get-output shows (the SDK's documentation)


def _success(value):
    if value is None:
        return '{"outcome":"SUCCESS","output":{"notebook_output":{"result":"","truncated":false}}}'
    text = value if isinstance(value, str) else str(value)
    data = text.encode("utf-8", "backslashreplace")
    cut = len(data) > LIMIT
    if cut:
        text = data[:LIMIT].decode("utf-8", "ignore")
    return '{"outcome":"SUCCESS","output":{"notebook_output":{"result":%s,"truncated":%s}}}' % (quote(text), "true" if cut else "false")


def _restart(runner):
    """Start the interpreter anew in this process; finished cells do not run again."""
    import json

    a = attempt()
    widgets = runner.space["dbutils"].widgets
    with open(os.path.join(a.dir, "resume.json"), "w", encoding="utf-8") as f:
        frames = [[path, position + 1] for path, position in runner.stack]
        json.dump({"frames": frames, "widgets": widgets._values, "bindings": runner.context.get("bindings", {}),
                   "restarts": runner.restarts + 1}, f)
    facts.modules()
    entry = sys.modules["flowctl_attempt"]
    entry.flush()
    for lock in entry.locks:
        os.set_inheritable(lock, True)  # the locks go along
    os.execv(sys.executable, [sys.executable, main_script(), a.dir, "--resume"])


def _resume(runner):
    import json

    with open(os.path.join(attempt().dir, "resume.json"), encoding="utf-8") as f:
        saved = json.load(f)
    if saved["restarts"] > 100:
        raise RuntimeError("dbutils.library.restartPython was called 100 times; the notebook does not get on")
    runner.restarts = saved["restarts"]
    runner.space["dbutils"].widgets._values.update(saved["widgets"])
    runner.context["bindings"] = saved["bindings"]
    return saved["frames"]

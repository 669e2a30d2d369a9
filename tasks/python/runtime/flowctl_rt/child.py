"""dbutils.notebook.run: a notebook in a process of its own."""
import json
import os
import subprocess
import sys
import threading

from flowctl_rt import attempt, cells, facts, main_script, notebook, paths
from flowctl_rt.notebook_utils import WorkflowException

_lock = threading.Lock()
_count = 0


def run(path, timeout, arguments):
    parent = attempt()
    if parent is None:
        raise WorkflowException("dbutils.notebook.run works inside of a run only")
    try:
        file = cells.find(_locate(path))
        cells.load(file)
    except OSError as e:
        raise WorkflowException(
            "com.databricks.WorkflowException: com.databricks.NotebookExecutionException: FAILED: Unable to access the notebook %s: %s" % (path, e)
        ) from None
    directory = _directory(parent.dir)
    context = dict(
        parent.context, kind="notebook", path=file, bindings=arguments, notebook_path=_name(path), via="dbutils.notebook.run", of=facts.folder(),
    )
    with open(os.path.join(directory, "context.json"), "w", encoding="utf-8") as f:
        json.dump(context, f)
    env = dict(os.environ, FLOWCTL_TASK_DIR=directory)
    sys.stdout.flush()
    process = subprocess.Popen([sys.executable, main_script(), directory], env=env)
    try:
        process.wait(timeout or None)
    except subprocess.TimeoutExpired:
        _stop(process)
        raise WorkflowException(
            "com.databricks.WorkflowException: com.databricks.NotebookExecutionException: TIMEDOUT: %s ran longer than %s seconds"
            % (path, timeout)
        ) from None
    except BaseException:
        _stop(process)
        raise
    return _result(directory, path, process.returncode)


def _locate(path):
    if path.startswith("/"):
        real = path if path.startswith("/Workspace/") else "/Workspace" + path
        return paths.local(real) or path
    base = notebook.runner.path if notebook.runner and notebook.runner.stack else attempt().context["path"]
    return os.path.normpath(os.path.join(os.path.dirname(base), path))


def _name(path):
    """The path of a child notebook as a workspace tells it."""
    if path.startswith("/"):
        return path[len("/Workspace"):] if path.startswith("/Workspace/") else path
    parent = attempt().context.get("notebook_path") or ""
    return os.path.normpath(os.path.join(os.path.dirname(parent), path))


def _directory(parent):
    global _count
    with _lock:
        _count += 1
        directory = os.path.join(parent, "child-%d" % _count)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for name in ("result.json", "events.jsonl", "cells.jsonl"):
        try:
            os.remove(os.path.join(directory, name))
        except FileNotFoundError:
            pass
    return directory


def _stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _result(directory, path, status):
    try:
        with open(os.path.join(directory, "result.json"), encoding="utf-8") as f:
            result = json.load(f)
    except FileNotFoundError:
        result = {"outcome": "FAILED", "message": "the process ended with status %d and left no result" % status}
    if result["outcome"] != "SUCCESS":
        raise WorkflowException(
            "com.databricks.WorkflowException: com.databricks.NotebookExecutionException: FAILED: %s: %s"
            % (path, result.get("message", ""))
        )
    return result["output"]["notebook_output"]["result"]

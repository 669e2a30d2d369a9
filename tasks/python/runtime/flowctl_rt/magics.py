"""Magics that make up a whole cell: %run, %sh, %fs, %sql."""
import os
import shlex
import subprocess
import sys

from flowctl_rt import FlowctlUnsupported, cells


def run(runner, cell, path):
    """Carry out a cell that is one magic."""
    kind = cell.language
    if kind == "run":
        _run_notebook(runner, cell, path)
    elif kind == "sh":
        _sh(cell)
    elif kind == "fs":
        _fs(runner, cell)
    elif kind == "sql":
        from flowctl_rt import spark

        spark.sql_cell(runner, cell)
    else:
        raise FlowctlUnsupported("%%%s cells cannot run here" % kind)


def _run_notebook(runner, cell, path):
    """%run: the other notebook's cells run in this namespace."""
    rest = [l for l in cell.source.split("\n") if l.strip() and not l.strip().startswith("#")]
    if rest:
        raise SyntaxError("%%run must be alone in its cell; found %r" % rest[0])
    words = shlex.split(cell.argument, comments=True)
    if not words:
        raise SyntaxError("%run: say which notebook, for example %run ./shared")
    target, folder = words[0], os.path.dirname(path)
    for word in words[1:]:
        name, sep, value = word.lstrip("$").partition("=")
        if not sep:
            raise SyntaxError("%%run: expected $name=value, found %r" % word)
        if value.startswith("$"):
            value = str(runner.space[value[1:]])
        runner.context.setdefault("bindings", {})[name] = value
    from flowctl_rt import paths

    full = paths.mapped(target) if target.startswith("/Workspace/") else target
    if target.startswith("/") and full == target:
        full = paths.local("/Workspace" + target) or target
    runner.notebook(cells.find(os.path.normpath(os.path.join(folder, full))))


def shell(text, fail=True):
    """Run a line or script of bash; its output goes to the log."""
    sys.stdout.flush()
    done = subprocess.run(["bash", "-c", text])
    if fail and done.returncode != 0:
        raise RuntimeError("the command returned exit status %d" % done.returncode)


def _sh(cell):
    """%sh: as on Databricks a failing command fails the cell only with -e."""
    stop = cell.argument.split()[:1] == ["-e"]
    first = cell.argument[2:] if stop else cell.argument
    sys.stdout.flush()
    script = (first + "\n" if first else "") + cell.source
    done = subprocess.run(["bash"] + (["-e"] if stop else []) + ["-s"], input=script.encode())
    if stop and done.returncode != 0:
        raise RuntimeError("%%sh -e: the script returned exit status %d" % done.returncode)


def _fs(runner, cell):
    from flowctl_rt import display

    words = shlex.split(cell.argument)
    if not words:
        raise SyntaxError("%fs: say what to do, for example %fs ls /")
    fs = runner.space["dbutils"].fs
    if not hasattr(type(fs), words[0]):
        raise SyntaxError("%%fs: no command %r" % words[0])
    display.display(getattr(fs, words[0])(*words[1:]))

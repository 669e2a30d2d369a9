"""dbt_task: the commands of dbt, one after the other, in this process.

dbt writes into its project (target, logs, dbt_packages, package-lock.yml), so
it works on a copy in the attempt's directory. Which connection the project
uses is its profile's affair (dbt_profile.py); a profile of type databricks
leads to the run's own Spark (dbt_databricks.py).
"""
import os
import shlex
import shutil
import sys

from flowctl_rt import attempt, quote

LEFT_OUT = ("target", "logs", ".git", "venv", ".venv", "env", "node_modules", "__pycache__")  # not copied with a project
NODES_TOLD = 3  # failed nodes that the message of the task names with their errors


class DbtCommandFailed(RuntimeError):
    """A command of dbt ended with an error."""


class DbtUnavailable(RuntimeError):
    """There is no dbt to run, for a reason that the message tells."""


def run(context):
    """The result line of a dbt task."""
    want = context["dbt"]
    _runner()  # an environment without dbt is told before anything is copied
    project = copied(want["project"])
    os.chdir(project)
    sys.path.insert(0, "")
    _settings(context, project, want)
    try:
        for n, command in enumerate(context["argv"]):
            print("flowctl: %s (command %d of %d)" % (command, n + 1, len(context["argv"])))
            one(command, shlex.split(command)[1:])
    finally:
        link = kept(project)
    return '{"outcome":"SUCCESS","output":{"dbt_output":{"artifacts_link":%s}}}' % quote(link)


def _runner():
    """dbt's own way to be called from Python."""
    try:
        from dbt.cli.main import dbtRunner
    except ImportError as e:
        raise DbtUnavailable(
            "dbt cannot be imported by the task's interpreter, %s (%s): list dbt-databricks among the dependencies of the "
            "task's environment or its libraries, as pypi package" % (sys.executable, e)
        ) from None
    return dbtRunner


def copied(source):
    """A copy of the project that dbt may write to."""
    project = os.path.join(attempt().dir, "dbt")
    shutil.rmtree(project, ignore_errors=True)  # of an attempt that was cut off before it began

    data = os.path.realpath(os.path.dirname(attempt().context["envs_dir"]))  # may lie in the project, and is no part of it

    def left(folder, names):
        return [n for n in names if n in LEFT_OUT and (folder == source or n in (".git", "__pycache__")) or os.path.realpath(os.path.join(folder, n)) == data]

    shutil.copytree(source, project, ignore=left, ignore_dangling_symlinks=True)
    return project


def _settings(context, project, want):
    """What dbt reads from its environment."""
    from flowctl_rt import dbt_profile
    from flowctl_attempt import Hooks

    # Databricks gives dbt an access token of the run's user, and profiles name
    # the host beside it. Source: the page on dbt tasks, and the profiles of the
    # CLI's template default-dbt.
    host = os.environ.get("DATABRICKS_HOST", "").split("://")[-1].rstrip("/") or "localhost"
    for name, value in (
        ("DBT_HOST", host), ("DBT_ACCESS_TOKEN", os.environ.get("DATABRICKS_TOKEN") or "local"), ("DBT_USE_COLORS", "false"),
        ("DBT_SEND_ANONYMOUS_USAGE_STATS", "false"),
    ):
        os.environ.setdefault(name, value)
    os.environ["DBT_PROJECT_DIR"] = project
    os.environ["DBT_PROFILES_DIR"] = dbt_profile.directory(project, want, context["argv"])
    Hooks.names["dbt.adapters.databricks"] = "dbt_databricks"


def one(command, args):
    """Run one command to its end; an error of it names the nodes that failed."""
    errors = []

    def heard(event):
        if str(event.info.level) == "error" and event.info.msg.strip():
            errors.append(event.info.msg)

    answer = _runner()(callbacks=[heard]).invoke(args)
    sys.stdout.flush()
    if isinstance(answer.exception, KeyboardInterrupt):
        raise answer.exception
    nodes = [r for r in getattr(answer.result, "results", None) or () if hasattr(r, "node")]
    told = summary(nodes)
    if told:
        print("flowctl: %s: %s" % (command, told))
    if answer.success:
        return
    failed = [r for r in nodes if str(r.status) in ("error", "fail", "runtime error", "partial success")]
    texts = ["%s: %s" % (r.node.unique_id, short(r.message)) for r in failed[:NODES_TOLD]]
    if len(failed) > NODES_TOLD:
        texts.append("and %d more: %s" % (len(failed) - NODES_TOLD, ", ".join(r.node.unique_id for r in failed[NODES_TOLD:])))
    if not texts:
        texts = [short(answer.exception)] if answer.exception else [short(e) for e in errors[:NODES_TOLD]]
    raise DbtCommandFailed("%s: %s" % (command, "; ".join(texts) or "it failed without a word; see the log")) from None


def short(text):
    """An error of dbt on one line, without the statement; that is in the log."""
    lines = []
    for line in str(text).split("\n"):
        if line.strip().startswith(("== SQL", "compiled code at")):
            break
        lines.append(line)
    return " ".join(" ".join(lines).split())


def summary(nodes):
    """How many nodes ended how: "3 success, 1 error"."""
    counts = {}
    for r in nodes:
        counts[str(r.status)] = counts.get(str(r.status), 0) + 1
    return ", ".join("%d %s" % (n, status) for status, n in sorted(counts.items()))


def kept(project):
    """Pack what dbt has left (target and logs) as a workspace does; the link to it.

    A workspace answers a link to its cloud storage that is good for half an
    hour; ours is the file itself, which goes with the run.
    """
    import pathlib
    import tarfile

    path = os.path.join(attempt().dir, "dbt_artifacts.tar.gz")
    with tarfile.open(path, "w:gz") as tar:
        for name in sorted(os.listdir(project)):
            if name in ("target", "logs"):
                tar.add(os.path.join(project, name), name)
    return pathlib.Path(path).as_uri()

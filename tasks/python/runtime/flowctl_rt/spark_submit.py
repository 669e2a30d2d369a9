"""spark_jar_task and spark_submit_task: an application in a Spark of its own,
started by spark-submit with the settings of the task's cluster.

Its code is the JVM's and knows nothing of this runtime: paths are mapped where
they are arguments, and tables are shared by their paths.
"""
import os
import signal
import subprocess
import sys

from flowctl_rt import attempt, facts, spark_driver, spark_facts, spark_paths, spark_profile
from flowctl_rt.spark_attach import SparkUnavailable, settings

_HERE_ALWAYS = ("--master", "--deploy-mode")  # where it runs is settled


class ApplicationFailed(RuntimeError):
    """The application ended with an error."""


def run(context):
    """The result line of a task of either kind."""
    folder = os.path.join(attempt().dir, "spark")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    home = spark_profile.home()
    spec = spark_profile.spec(home, dict(settings(), dir=folder))
    try:
        spark_driver.java(spec)
        jars = spec["jars"] + spark_driver.jars(spec)
    except spark_driver.Failure as e:
        raise SparkUnavailable(str(e)) from None
    spec["conf"].setdefault(spark_facts.STAMP, spark_facts.stamp())
    spark_facts.note(warehouse=spark_profile.warehouse(settings()))
    facts.gap("read", "what the application's own code reads is not observed; its commits to Delta tables are found where their paths are known")
    properties = os.path.join(folder, "spark.properties")
    with open(properties, "w", encoding="utf-8") as f:
        os.chmod(properties, 0o600)
        for key, value in sorted(dict(spec["conf"], **{"spark.jars": ",".join(jars)}).items()):
            f.write("%s=%s\n" % (spark_driver.escape(key), spark_driver.escape(value)))
    argv = [spec["submit"], "--properties-file", properties]
    if context["kind"] == "jar":
        argv += ["--class", context["entry_point"], _application(context["entry_point"], spec["jars"])] + [mapped(a) for a in context["argv"]]
    else:
        argv += arguments(context["argv"])
    sys.stdout.flush()
    env = dict(os.environ, **spec["env"])
    env.pop("SPARK_CONNECT_MODE", None)
    process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL)
    try:
        status = process.wait()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    if status != 0:
        raise ApplicationFailed("%s ended with %s%s" % (context.get("entry_point") or "spark-submit", spark_driver.describe(status), _why()))
    return '{"outcome":"SUCCESS"}'


def _application(name, jars):
    """The jar that has the class; a class that is in none may be in a package of Maven's."""
    import zipfile

    entry = name.replace(".", "/") + ".class"
    for jar in jars:
        with zipfile.ZipFile(jar) as z:
            if entry in z.namelist():
                return jar
    return jars[0] if jars else "spark-internal"


def mapped(argument):
    """An argument that is a path of Databricks', as a path here."""
    if argument.startswith(("dbfs:/", "/dbfs/", "/Volumes/", "/Workspace/")):
        return spark_paths.local(argument)
    return argument


def arguments(argv):
    """The arguments of a spark-submit without those that say where it runs."""
    out, skip = [], False
    for a in argv:
        if skip:
            skip = False
        elif a in _HERE_ALWAYS:
            skip = True
        elif not a.startswith(tuple(f + "=" for f in _HERE_ALWAYS)):
            out.append(",".join(mapped(p) for p in a.split(",")) if out and out[-1] in ("--jars", "--py-files", "--files") else mapped(a))
    return out


def _why():
    """The exception that ended the application, from the log."""
    try:
        with open(os.path.join(attempt().dir, "output.log"), "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - 65536))
            lines = f.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    for line in reversed(lines):
        for mark in ('Exception in thread "main" ', "Error: "):
            if line.startswith(mark):
                return ": " + line[len(mark):]
    return ""

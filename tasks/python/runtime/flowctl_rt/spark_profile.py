"""Which Spark a task's interpreter has, and the settings that its driver starts with."""
import hashlib
import json
import os
import sys

# Spark's minor version → what goes with it. delta: the package on PyPI and of
# the jar that was tried with it; artifact: the jar's name.
KNOWN = {
    "4.1": {"java": 17, "delta": "4.4.0", "artifact": "delta-spark_4.1_2.13", "pyspark": "pyspark==4.1.*"},
    "4.0": {"java": 17, "delta": "4.4.0", "artifact": "delta-spark_4.0_2.13", "pyspark": "pyspark==4.0.*"},
    "3.5": {"java": 11, "delta": "3.3.3", "artifact": "delta-spark_2.12", "pyspark": "pyspark==3.5.*"},
}
DEFAULT = "4.1"

# Settings of a cluster that mean nothing here, or would break the driver.
DROPPED = (
    "spark.master", "spark.submit.deployMode", "spark.databricks.cluster.profile", "spark.databricks.passthrough", "spark.databricks.acl.",
    "spark.databricks.preemption.", "spark.databricks.repl.allowedLanguages", "spark.executor.instances", "spark.dynamicAllocation.",
    "spark.databricks.pyspark.enable", "spark.driver.host", "spark.driver.port", "spark.driver.bindAddress", "spark.jars.ivy",
)


def home():
    """The folder of the interpreter's PySpark."""
    import importlib.util

    from flowctl_rt.spark_attach import SparkUnavailable, settings

    found = importlib.util.find_spec("pyspark")
    if found is not None and found.origin and os.path.isdir(os.path.join(os.path.dirname(found.origin), "jars")):
        return os.path.dirname(found.origin)
    want = KNOWN[settings().get("profile") or DEFAULT]
    need = "%s delta-spark==%s" % (want["pyspark"], want["delta"])
    if found is not None:
        raise SparkUnavailable(
            "the task's interpreter (%s) has a pyspark without Spark itself (pyspark-client or databricks-connect): "
            "install the full package into it instead: pip install %s" % (sys.executable, need)
        )
    raise SparkUnavailable(
        "pyspark is not installed for the task's interpreter (%s): add %s to the dependencies of the task's environment or to its "
        "libraries, or choose an interpreter that has them with --python or $FLOWCTL_PYTHON" % (sys.executable, need.replace(" ", " and "))
    )


def version(folder):
    """The version of a PySpark."""
    with open(os.path.join(folder, "version.py"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("__version__"):
                return line.split('"')[1] if '"' in line else line.split("'")[1]
    return DEFAULT + ".0"


def minor(folder):
    return ".".join(version(folder).split(".")[:2])


def key(folder):
    """Tasks of other versions do not share a driver; each has workers of its own
    interpreter, but under Spark Connect, whose server has one for all."""
    from flowctl_rt.spark_attach import connects

    same = [version(folder)] + delta(folder) + ([sys.executable] if connects() else [])
    return hashlib.sha256("\n".join(same).encode()).hexdigest()[:8]


def delta(folder):
    """The Delta jar to use: the one of the installed delta-spark, else the one that goes with this Spark."""
    known = KNOWN.get(minor(folder))
    if known is None:
        from flowctl_rt.spark_attach import SparkUnavailable

        raise SparkUnavailable(
            "the task's interpreter has pyspark %s, for which no Delta Lake is known; use one of: %s"
            % (version(folder), ", ".join(k["pyspark"] for k in KNOWN.values()))
        )
    from importlib import metadata

    versions = [known["delta"]]
    try:
        installed = metadata.version("delta-spark")
        if installed not in versions:
            versions.insert(0, installed)  # not every release of the Python package has its jar
    except metadata.PackageNotFoundError:
        pass
    return ["io.delta:%s:%s" % (known["artifact"], v) for v in versions]


def memory():
    """A quarter of the machine's memory, at most 4 GiB, in MiB."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
    except (ValueError, OSError):
        total = 8192
    return max(1024, min(4096, total // 4))


def spec(folder, want):
    """What spark_driver.py needs to start a driver."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    py4j = [os.path.join(folder, "python", "lib", n) for n in sorted(os.listdir(os.path.join(folder, "python", "lib"))) if n.startswith("py4j")]
    packages = [{"any": delta(folder)}] + want.get("packages", [])
    env = {
        "SPARK_HOME": folder, "SPARK_CONNECT_MODE": "0", "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PIN_THREAD": "true",
        "SPARK_USER": want.get("user") or "flowctl", "HADOOP_USER_NAME": want.get("user") or "flowctl", "PYTHONHASHSEED": "0",
        "PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON") or sys.executable,  # of Spark Connect's workers; the others are told theirs
        "SPARK_LOCAL_DIRS": want["dir"],
    }
    env.update(want.get("env", {}))
    known = KNOWN[minor(folder)]
    return {
        "submit": os.path.join(folder, "bin", "spark-submit"), "spark_jars": os.path.join(folder, "jars"), "java": known["java"],
        "sys_path": py4j + [here] + [p for p in sys.path if p.endswith((".zip", "lib-dynload")) or p.endswith("python%d.%d" % sys.version_info[:2])],
        "cache": os.environ.get("FLOWCTL_SPARK_JARS") or os.path.join(want["home"], "jars"), "packages": packages, "jars": want.get("jars", []),
        "env": env, "conf": conf(folder, want), "isolated": bool(want.get("isolated")), "idle": float(os.environ.get("FLOWCTL_SPARK_IDLE") or 600), "folder": want["dir"],
    }


def warehouse(want):
    """The folder of all catalogs' tables."""
    return os.path.join(want["home"], "warehouse")


def conf(folder, want):
    """Spark's settings: ours, then those of the cluster."""
    made = {
        "spark.master": "local[%d]" % (os.cpu_count() or 2),
        "spark.app.name": want.get("app") or "flowctl",
        "spark.driver.memory": "%dm" % memory(),
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.port": "0", "spark.ui.showConsoleProgress": "false", "spark.ui.enabled": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.sources.default": "delta",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": os.path.join(warehouse(want), "hive_metastore", "default"),
        "spark.sql.shuffle.partitions": "8",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true" if minor(folder) >= "4" else "false",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.databricks.mlflow.nfs.enabled": "false",  # MLflow would make the /local_disk0 of a cluster
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    }
    if minor(folder) == "4.1":  # Delta's parser knows nothing of 4.1's own way to put parameters into a statement
        made["spark.sql.legacy.parameterSubstitution.constantsOnly"] = "true"
    made.update(usage(want))
    for k, v in (want.get("conf") or {}).items():
        if not k.startswith(DROPPED):
            made[k] = secret(v)
    return made


def usage(want):
    """What code reads about its cluster."""
    cluster = want.get("cluster") or {}
    tags = "spark.databricks.clusterUsageTags."
    return {
        tags + "clusterId": "flowctl", tags + "clusterName": cluster.get("name") or "flowctl", tags + "sparkVersion": cluster.get("version") or "",
        tags + "clusterWorkers": "0", tags + "cloudProvider": "local", tags + "clusterAllTags": json.dumps(cluster.get("tags") or []),
    }


def secret(text):
    """A setting with its {{secrets/scope/key}} filled in."""
    import re

    def value(match):
        from flowctl_rt import namespace

        return namespace.get("dbutils").secrets.get(match.group(1), match.group(2))

    return re.sub(r"\{\{\s*secrets/([^/{}]+)/([^/{}]+?)\s*\}\}", value, str(text))


def session_builder(jvm):
    """The builder of JVM sessions: its class moved with Spark 4."""
    import pyspark

    if int(pyspark.__version__.split(".")[0]) >= 4:
        return jvm.org.apache.spark.sql.classic.SparkSession.builder()
    return jvm.org.apache.spark.sql.SparkSession.builder()

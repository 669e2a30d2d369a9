"""Databricks' paths for Spark: what code writes to where the data lies here."""
import os

from flowctl_rt import attempt, paths, spark_facts

_SCHEMES = ("s3:", "s3a:", "s3n:", "abfss:", "abfs:", "wasb:", "wasbs:", "gs:", "adl:", "hdfs:", "http:", "https:", "jdbc:", "memory:")


def local(url):
    """The path for Spark, of what may become a table."""
    path = _local(url)
    spark_facts.touch(path)
    return path


def _local(url):
    """The path for Spark. dbfs:/x, /x, /Volumes and /Workspace lead into the data
    directory, as for dbutils.fs; so does a bare path, but for one that lies under
    the task's code or the data directory, or that is here and not in DBFS."""
    if not isinstance(url, str):
        return url
    if url.startswith("file:"):
        rest = "/" + url[5:].lstrip("/")
        return "file:" + (paths.mapped(rest) if rest.startswith(("/Workspace/", "/Volumes/", "/dbfs/")) else rest)
    if "databricks-datasets/" in url:
        _sample(url)
    if url.startswith("dbfs:"):
        return paths.of_url(url)
    if url.startswith(_SCHEMES) or "://" in url:
        return url
    if not url.startswith("/"):
        return paths.of_url("/" + url) if url else url
    if url.startswith(("/Volumes", "/Workspace", "/dbfs")):
        return paths.local(url) or url
    return url if _here(url) else paths.of_url(url)


def _sample(url):
    """Make the Delta table of a workspace's sample data that a path names."""
    from flowctl_rt import spark_patch, spark_samples

    if spark_patch.catalog is not None and url.startswith(("dbfs:/databricks-datasets/", "/databricks-datasets/", "/dbfs/databricks-datasets/")):
        spark_samples.make_folder(spark_patch.catalog, paths.of_url(url), url)


def _here(path):
    """Whether a bare absolute path is one of this machine."""
    c = attempt().context
    roots = [attempt().dir, c.get("code_dir"), (c.get("spark") or {}).get("home"), *[v for v in (c.get("fs") or {}).values() if isinstance(v, str)]]
    tmp = os.environ.get("TMPDIR")
    if any(r and (path == r or path.startswith(r.rstrip("/") + "/")) for r in roots + [tmp]):
        return True
    plain = path.split("*")[0].split("{")[0]
    return os.path.exists(plain) and plain.rstrip("/") != "" and not os.path.exists(paths.of_url(plain))


def every(value):
    """One path, or a list of them."""
    if isinstance(value, (list, tuple)):
        return [local(v) for v in value]
    return local(value)

"""Spark Connect on the driver of this attempt: its server runs in the driver's
own JVM, so that both kinds of sessions see one catalog.

Seen with Spark 4.1.4: SparkConnectService can be started in a JVM that is a
Py4J gateway, in about a second; it takes port 0 and tells the port; with a
token the client wants TLS unless the host is written "localhost".
"""
import os

from flowctl_rt import spark_attach

NEEDS = ("grpc", "grpc_status", "google.protobuf", "zstandard", "pandas", "pyarrow")


def session():
    """A Connect session, beside the attempt's own. From here on pyspark.sql.functions and types are Connect's too."""
    url = start()
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    from pyspark.sql.connect.session import SparkSession

    return SparkSession.builder.remote(url).getOrCreate()


def need():
    """Refuse an interpreter that has no client of Spark Connect."""
    from importlib.util import find_spec

    missing = [n for n in NEEDS if not _there(find_spec, n)]
    if missing:
        raise spark_attach.SparkUnavailable(
            "Spark Connect needs packages that the task's interpreter has not got (%s): add pyspark[connect] to the dependencies of the "
            "pipeline's environment, or let flowctl install it (FLOWCTL_SPARK_ENV is not off)" % ", ".join(missing)
        )


def _there(find_spec, name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package it is in
        return False


def start():
    """Start the server; its address."""
    import secrets

    from flowctl_rt import spark

    need()
    jvm = spark.session()._sc._jvm
    token = secrets.token_hex(16)
    conf = jvm.org.apache.spark.SparkEnv.get().conf()
    conf.set("spark.connect.grpc.binding.address", "127.0.0.1").set("spark.connect.grpc.binding.port", "0")
    conf.set("spark.connect.authenticate.token", token)
    service = jvm.org.apache.spark.sql.connect.service
    service.SparkConnectService.start(spark.session()._sc._jsc.sc())
    port = getattr(getattr(service, "SparkConnectService$"), "MODULE$").localPort()
    return "sc://localhost:%d/;token=%s" % (port, token)

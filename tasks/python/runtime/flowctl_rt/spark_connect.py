"""Spark Connect on the driver of this attempt: its server runs in the driver's
own JVM, so that both kinds of sessions see one catalog.

Seen with Spark 4.0.5 and 4.1.4: SparkConnectService can be started in a JVM that is a
Py4J gateway, in about a second; it takes port 0 and tells the port; with a
token the client wants TLS unless the host is written "localhost". Behind each
of its sessions is one of the JVM: that has its settings, temporary views and
current schema, so what is done there is done for both.
"""
import os
import sys

from flowctl_rt import spark_attach, spark_profile

# The packages that a client needs beside PySpark's own, by the modules that they bring.
NEEDS = ("grpc", "grpc_status", "google.protobuf", "zstandard", "pandas", "pyarrow")
OLDEST = (4, 0)  # the first Spark that has its server among its jars

bridge = None  # spark_bridge.Bridge of a task that has no other session


def session():
    """A Connect session, beside the attempt's own. From here on pyspark.sql.functions and types are Connect's too."""
    from flowctl_rt import spark

    spark.session()
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    return _client(address(spark_attach.java()[0]))


def fits(home):
    """Refuse an interpreter that cannot have the task's session: its Spark has no server, or it has no client."""
    minor = spark_profile.minor(home)
    if tuple(int(n) for n in minor.split(".")) < OLDEST:
        raise spark_attach.SparkUnavailable(
            "Spark Connect (--spark-connect, FLOWCTL_SPARK_CONNECT) is here with Spark 4.0 and newer, and the task's interpreter (%s) has pyspark %s: "
            "choose one with pyspark 4.1, or run the job without it" % (sys.executable, spark_profile.version(home))
        )
    need()


def need():
    """Refuse an interpreter that has no client."""
    from importlib.util import find_spec

    missing = [n for n in NEEDS if not _there(find_spec, n)]
    if missing:
        raise spark_attach.SparkUnavailable(
            "Spark Connect needs packages that the task's interpreter has not got (%s): add pyspark[connect] to the dependencies of the "
            "task's environment, or let flowctl install it (FLOWCTL_SPARK_ENV is not off)" % ", ".join(missing)
        )


def _there(find_spec, name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package it is in
        return False


def address(jvm):
    """Where the driver's server is. The first of its tasks that wants one starts it."""
    import fcntl

    with open(os.path.join(spark_attach.life(), "connect"), "a+", opener=_private) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        known = f.read()
        if not known:
            known = _start(jvm)
            f.write(known)
        return known


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _start(jvm):
    import secrets

    token = secrets.token_hex(16)
    context = spark_profile.session_builder(jvm).getOrCreate().sparkContext()  # Spark 4.0 makes its sessions of one that is there
    conf = jvm.org.apache.spark.SparkEnv.get().conf()
    conf.set("spark.connect.grpc.binding.address", "127.0.0.1").set("spark.connect.grpc.binding.port", "0")
    conf.set("spark.connect.authenticate.token", token)
    conf.set("spark.connect.session.manager.defaultSessionTimeout", "-1")  # a task may be busy elsewhere for hours; its end is seen to
    service = jvm.org.apache.spark.sql.connect.service
    service.SparkConnectService.start(context)
    return "sc://localhost:%d/;token=%s" % (_module(service, "SparkConnectService").localPort(), token)


def _module(package, name):
    """An object of Scala."""
    return getattr(getattr(package, name + "$"), "MODULE$")


def _client(url):
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    class Patient(DefaultPolicy):
        """Tries again as long as there is a driver: it does not come back."""

        def can_retry(self, exception):
            return super().can_retry(exception) and spark_attach.lives()

    made = SparkSession(connection=DefaultChannelBuilder(url, [("grpc.enable_http_proxy", 0)]))
    made.client.set_retry_policies([Patient()])
    SparkSession._set_default_and_active_session(made)
    return made


def attach(control):
    """The task's session, and (JVM, the session that the server has for it there)."""
    from urllib.parse import quote
    from uuid import NAMESPACE_URL, uuid5

    jvm, who = control.jvm, spark_attach.name()
    user = spark_attach.settings().get("user") or "flowctl"
    number = str(uuid5(NAMESPACE_URL, who))  # the same after dbutils.library.restartPython
    session = _client("%s;user_id=%s;session_id=%s" % (address(jvm), quote(user, safe=""), number))
    java = join(session, control)
    kept = jvm.System.getProperties()
    kept.put(who, java[1])
    kept.put(who + ".connect", bridge.holder)
    java[1].conf().set("spark.sql.connect.serverStacktrace.enabled", "false")  # the driver's log has it; a classic session hides it too
    _worker_paths(java[1].artifactManager())
    return session, java


def join(session, control):
    """Know what is behind a client's session: (JVM, the session there)."""
    global bridge
    from py4j.java_gateway import java_import

    from flowctl_rt.spark_bridge import Bridge

    jvm = control.jvm
    java_import(jvm, "org.apache.spark.api.python.*")  # as PySpark's own gateway has it
    service = jvm.org.apache.spark.sql.connect.service.SparkConnectService
    holder = service.getOrCreateIsolatedSession(session.client._user_id, session.session_id, jvm.scala.Option.empty())
    bridge = Bridge(session, jvm, holder)
    return jvm, holder.session()


def _worker_paths(artifacts):
    """Let the workers of Python functions find what this process finds. Their interpreter is the same."""
    import site

    includes, own = artifacts.pythonIncludeList(), set(site.getsitepackages())
    own.update(includes)  # told before dbutils.library.restartPython
    own.update(p for p in sys.path if p.startswith(os.path.dirname(os.__file__)) or p.endswith(".zip"))
    for path in reversed([p for p in sys.path if p and p not in own]):  # a worker puts each before the others
        includes.append(path)


def close():
    """Let go of the client, while its server is there: its threads wait for answers when Python ends."""
    if bridge is not None:
        bridge.session.release_session_on_close = False  # cancel does that
        stop = type(bridge.session).stop
        getattr(stop, "__wrapped__", stop)(bridge.session)


def close_session(jvm, holder):
    """End a session of the server, with all that it runs."""
    service = jvm.org.apache.spark.sql.connect.service
    _module(service, "SparkConnectService").sessionManager().closeSession(holder.key(), False)

"""The attempt's session as classic compute has it: one of the JVM, with its SparkContext."""
import os
import sys

from flowctl_rt import spark_profile
from flowctl_rt.spark_attach import name, own_jobs


def attach(control):
    """The session, and (JVM, session there). By a gateway of its own, so that calls back reach this process."""
    server = control.jvm.org.apache.spark.api.python.Py4JServer(control.jvm.org.apache.spark.SparkConf())
    server.start()
    os.environ["PYSPARK_GATEWAY_PORT"] = str(server.getListeningPort())
    os.environ["PYSPARK_GATEWAY_SECRET"] = server.secret()
    os.environ.setdefault("PYTHONHASHSEED", "0")  # PySpark gives it to its workers, which must agree
    try:
        return _session()
    finally:
        for key in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):
            os.environ.pop(key, None)


def _session():
    import signal
    import threading

    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    SparkContext._ensure_initialized()
    jvm = SparkContext._jvm
    jsc = jvm.org.apache.spark.api.java.JavaSparkContext(jvm.org.apache.spark.SparkContext.getOrCreate())
    sc = SparkContext(jsc=jsc, gateway=SparkContext._gateway, conf=SparkConf(_jvm=jvm, _jconf=jsc.getConf()))
    if threading.current_thread() is threading.main_thread():
        entry = sys.modules.get("flowctl_attempt")
        if entry is not None:  # PySpark's own handler would cancel the jobs of all tasks of the driver
            signal.signal(signal.SIGINT, entry.stop)
    sc.pythonExec = os.environ.get("PYSPARK_PYTHON") or sys.executable
    sc.environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    builder = spark_profile.session_builder(jvm)
    kept = jvm.System.getProperties()
    jsession = kept.get(name())  # what dbutils.library.restartPython left
    if jsession is None:
        jsession = builder.getOrCreate().newSession()
        kept.put(name(), jsession)
    session = SparkSession(sc, jsession)
    own_jobs(sc)
    SparkSession._instantiatedSession = session
    return session, (jvm, jsession)

"""The classes of PySpark that a session's code meets: a session of the JVM and
one of Spark Connect have each their own, with the same methods."""
from importlib import import_module

from flowctl_rt import spark_paths
from flowctl_rt.wrapping import wrap

FORMATS = ("csv", "json", "parquet", "orc", "text", "xml")


class Classic:
    """Those of a session of the JVM."""

    package = "pyspark.sql"
    opens = ("load",) + FORMATS  # the reader's methods that make a frame of files
    has_table = True  # the session's method is not the reader's

    def __init__(self, session):
        files, streams = import_module(self.package + ".readwriter"), import_module(self.package + ".streaming.readwriter")
        self.session, self.catalog, self.frame = type(session), type(session.catalog), type(session.range(0))
        self.reader, self.writer = files.DataFrameReader, files.DataFrameWriter
        self.stream_reader, self.stream_writer = streams.DataStreamReader, streams.DataStreamWriter

    def change(self, session, stop):
        """What the other kind has not got: the context and its RDDs. stop is what its stop() does."""
        from pyspark.rdd import RDD

        context = type(session.sparkContext)
        wrap(context, "stop", stop)
        for name in ("textFile", "wholeTextFiles", "binaryFiles", "setCheckpointDir", "addFile", "addPyFile"):
            wrap(context, name, lambda real, self, path, *a, **kw: real(self, spark_paths.local(path), *a, **kw))
        wrap(RDD, "saveAsTextFile", lambda real, self, path, *a, **kw: real(self, spark_paths.local(path), *a, **kw))

    def run(self, real, session, text, args, **kwargs):
        """Spark's own sql()."""
        return real(session, text, args, **kwargs)

    def error(self):
        from pyspark.errors.exceptions.captured import CapturedException

        return CapturedException


class Connect(Classic):
    """Those of a session of Spark Connect."""

    package = "pyspark.sql.connect"
    opens = ("load",)  # the others end in it
    has_table = False

    def change(self, session, stop):
        """What the other kind has not got: functions of a stream that run elsewhere."""
        from flowctl_rt import spark_batch

        wrap(self.stream_writer, "foreachBatch", lambda real, self, func: real(self, spark_batch.shipped(func)))

    def run(self, real, session, text, args, **kwargs):
        """Spark's own sql()."""
        from flowctl_rt import spark_connect

        return real(session, spark_connect.bridge.statement(text, args), **kwargs)

    def error(self):
        from pyspark.errors.exceptions.connect import SparkConnectGrpcException

        return SparkConnectGrpcException


def of(session):
    """The classes of a session."""
    return (Connect if type(session).__module__.startswith("pyspark.sql.connect.") else Classic)(session)

"""The classes of PySpark that a session's code meets: a session of the JVM and
one of Spark Connect have each their own, with the same methods."""
from flowctl_rt.wrapping import wrap

FORMATS = ("csv", "json", "parquet", "orc", "text", "xml")


class Classic:
    """Those of a session of the JVM."""

    def __init__(self, session):
        from pyspark.sql.readwriter import DataFrameReader, DataFrameWriter
        from pyspark.sql.streaming.readwriter import DataStreamReader, DataStreamWriter

        self.session, self.catalog, self.frame = type(session), type(session.catalog), type(session.range(0))
        self.reader, self.writer = DataFrameReader, DataFrameWriter
        self.stream_reader, self.stream_writer = DataStreamReader, DataStreamWriter
        self.opens = ("load",) + FORMATS  # the reader's methods that make a frame of files
        self.has_table = True  # the session's method is not the reader's

    def run(self, real, session, text, args, **kwargs):
        """Spark's own sql()."""
        return real(session, text, args, **kwargs)

    def error(self):
        from pyspark.errors.exceptions.captured import CapturedException

        return CapturedException


class Connect:
    """Those of a session of Spark Connect."""

    def __init__(self, session):
        from pyspark.sql.connect.readwriter import DataFrameReader, DataFrameWriter
        from pyspark.sql.connect.streaming.readwriter import DataStreamReader, DataStreamWriter

        self.session, self.catalog, self.frame = type(session), type(session.catalog), type(session.range(0))
        self.reader, self.writer = DataFrameReader, DataFrameWriter
        self.stream_reader, self.stream_writer = DataStreamReader, DataStreamWriter
        wrap(DataStreamWriter, "foreachBatch", _ship)
        self.opens, self.has_table = ("load",), False  # the others end in the reader's load and table

    def run(self, real, session, text, args, **kwargs):
        """Spark's own sql()."""
        from flowctl_rt import spark_connect

        return real(session, spark_connect.bridge.statement(text, args), **kwargs)

    def error(self):
        from pyspark.errors.exceptions.connect import SparkConnectGrpcException

        return SparkConnectGrpcException


def _ship(real, self, func):
    from flowctl_rt import spark_batch

    return real(self, spark_batch.shipped(func))


def of(session):
    """The classes of a session."""
    return (Connect if type(session).__module__.startswith("pyspark.sql.connect.") else Classic)(session)

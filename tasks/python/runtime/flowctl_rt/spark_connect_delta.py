"""Delta's own Python classes under Spark Connect.

Delta's plugin of a Connect server is not to be had for every Spark. So what
delta.tables has for a session of the JVM works here, in the session that the
server has for the task: it is handed frames and columns as the server makes
them of the client's, and its answers become frames of the client's.
"""
from flowctl_rt import spark_attach, spark_connect
from flowctl_rt.wrapping import wrap

_MAKERS = ("forName", "forPath", "isDeltaTable", "convertToDelta", "create", "createIfNotExists", "replace", "createOrReplace")


class Beside:
    """What Delta's classes want of a session."""

    def __init__(self):
        self._sc = self
        self._jvm, self._jsparkSession = spark_attach.java()


class Frame:
    """Stands in Delta's module for PySpark's DataFrame: what is made as one of the JVM is one of the client's."""

    def __new__(cls, java, session):
        return spark_connect.bridge.frame(java)


class Given(Frame):
    """A client's frame, handed to Delta."""

    def __new__(cls, frame):
        made = object.__new__(cls)
        made._jdf = spark_connect.bridge.java_frame(frame)
        return made


class Column:
    """Stands for PySpark's, and holds one of the JVM."""

    def __init__(self, java):
        self._jc = java


class Functions:
    @staticmethod
    def expr(text):
        from pyspark.sql.connect.functions import expr

        return _held(expr(text))


def _held(value):
    from pyspark.sql.connect.column import Column as Remote

    return Column(spark_connect.bridge.java_column(value)) if isinstance(value, Remote) else value


def change(module):
    """delta.tables has been loaded."""
    from pyspark.sql.connect.dataframe import DataFrame

    beside, table = Beside(), module.DeltaTable
    module.DataFrame, module.Column, module.functions = Frame, Column, Functions
    for name in _MAKERS:
        wrap(table, name, lambda real, cls, sparkSession=None, *args, **kwargs: real(cls, beside, *args, **kwargs))
    wrap(table, "_condition_to_jcolumn", lambda real, condition, *args: real(_held(condition), *args))
    wrap(table, "_dict_to_jmap", _map)
    wrap(table, "merge", lambda real, self, source, condition: real(self, Given(source) if isinstance(source, DataFrame) else source, condition))
    for cls in (table, module.DeltaTableBuilder, module.DeltaMergeBuilder, module.DeltaOptimizeBuilder):
        for name in [n for n in vars(cls) if n[0] != "_"]:
            wrap(cls, name, _asked)


def _map(real, session, given, *args):
    return real(session, {k: _held(v) for k, v in given.items()} if type(given) is dict else given, *args)


def _asked(real, *args, **kwargs):
    """A method whose work is done in the JVM: cancelled with the task, and its errors are as the client's are."""
    from py4j.protocol import Py4JJavaError

    spark_connect.bridge.own_jobs()
    try:
        return real(*args, **kwargs)
    except Py4JJavaError as e:
        raise _error(e.java_exception) from None


def _error(java):
    """An error of the JVM by the name that it has in Delta's or PySpark's Python."""
    import delta.exceptions
    from pyspark.errors.exceptions import connect

    kind, message = java.getClass(), java.getMessage() or java.toString()
    while kind is not None:
        name = kind.getSimpleName()
        found = getattr(delta.exceptions, name, None) or getattr(connect, name, None)
        if found is not None:
            return found(message=message)
        kind = kind.getSuperclass()
    return connect.SparkConnectGrpcException(message="(%s) %s" % (java.getClass().getName(), message))

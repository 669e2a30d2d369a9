"""Spark for the code of a task, from its first touch on.

supply(name) answers the names that notebooks find ready; sql_cell runs a %sql
cell. The session belongs to this attempt, the driver behind it to all tasks of
the run on the same compute; spark_attach.py finds or starts it.
"""
from flowctl_rt import FlowctlUnsupported

_session = None


def session():
    """The Spark session of this attempt."""
    global _session
    if _session is None:
        from flowctl_rt import spark_attach

        _session = spark_attach.session()
        _settle()
    return _session


def supply(name):
    """spark, sc, sql, table, udf or sqlContext."""
    if name in ("sc", "sqlContext"):
        _need_context(name)
    s = session()
    if name == "spark":
        return s
    if name == "sc":
        return s.sparkContext
    if name in ("sql", "table"):
        return getattr(s, name)
    if name == "udf":
        from pyspark.sql.functions import udf

        return udf
    if name == "sqlContext":
        from pyspark.sql import SQLContext

        return SQLContext(s.sparkContext, s)
    raise FlowctlUnsupported("%s: Spark supplies no such name" % name)


def _need_context(name):
    """Refuse the names that Spark Connect has nothing behind, as serverless compute does."""
    from flowctl_rt import spark_attach

    if spark_attach.connects():
        raise FlowctlUnsupported(
            "%s: Spark Connect has no SparkContext, RDDs or JVM, as serverless and standard compute have none; use spark, "
            "or run the job without --spark-connect" % name
        )


def _settle():
    """Put the real session where its stand-in is: from now on it is found without a detour."""
    import sys

    entry, main = sys.modules.get("flowctl_attempt"), sys.modules.get("__main__")
    if entry is not None and isinstance(vars(main).get("spark"), entry.Lazy):
        vars(main)["spark"] = _session


def start_beside():
    """Let the driver start while other code runs. Why it cannot is told at the first touch."""
    from flowctl_rt import spark_attach

    try:
        spark_attach.start()
    except Exception:
        pass


def sql_cell(runner, cell):
    """Run a %sql cell: all its statements; the last one's rows are shown and kept in _sqldf."""
    from flowctl_rt import spark_sql

    text = (cell.argument + "\n" if cell.argument else "") + cell.source
    spark_sql.cell(runner, session(), text)


def await_streams():
    """Wait for the streams of this session, if it has any."""
    if _session is None:
        return
    from flowctl_rt import spark_attach

    if spark_attach.java()[1].sharedState().activeStreamingQueries().isEmpty():
        return
    for query in _session.streams.active:
        print("waiting for the stream %s" % (query.name or query.id))
        query.awaitTermination()


def wanted(book):
    """Whether the code of a notebook's cells names anything of Spark's."""
    for cell in book:
        if cell.language == "sql":
            return True
        if cell.language == "python" and "spark" in cell.source and _names(cell.source):
            return True
    return False


def _names(source):
    """Whether Python code, magic lines aside, uses spark or imports pyspark; comments and texts do not count."""
    lines = ["" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n")]
    try:
        code = compile("\n".join(lines) + "\n", "cell", "exec", 0x2000)  # with top-level await
    except (SyntaxError, ValueError):
        return False
    return _in_code(code)


def _in_code(code):
    if any(n == "spark" or n == "pyspark" or n.startswith("pyspark.") for n in code.co_names):
        return True
    return any(_in_code(c) for c in code.co_consts if hasattr(c, "co_names"))

"""dbt-databricks on the run's own Spark: the adapter is the real one, with all
of its macros; what stands behind its connections is replaced.

Each of dbt's connections is a session of its own, as on a warehouse. The
adapter is told that it talks to a cluster of runtime 15.4: what later ones and
warehouses can do beyond (DESCRIBE AS JSON, INSERT REPLACE ON) open-source
Spark cannot, and the adapter has other ways to do it.
"""
import contextlib
import threading

RUNTIME = "15.4.x-scala2.12"

_making = threading.RLock()  # of dbt's threads one at a time makes names known to the driver


def change(module):
    """The adapter has been loaded: let it connect to us."""
    import databricks.sql
    from dbt.adapters.databricks import connections, impl

    databricks.sql.connect = Connection
    for place in (connections, impl):
        if hasattr(place, "is_cluster_http_path"):
            place.is_cluster_http_path = lambda *ignored: True
    impl.DatabricksAdapter.submit_python_job = _python_model


class Connection:
    """A connection of databricks.sql, as far as the adapter uses it."""

    def __init__(self, **asked):
        from flowctl_rt import spark, spark_patch

        with _making:
            own = spark.session().newSession()
            self.catalog = _catalog(own, spark_patch.catalog.root)
        self.session = own
        self.running = []  # cursors whose statement has not answered yet
        for key, value in (asked.get("session_configuration") or {}).items():
            if key.startswith("spark.") or key.lower() in ("ansi_mode", "timezone"):
                own.conf.set({"ansi_mode": "spark.sql.ansi.enabled", "timezone": "spark.sql.session.timeZone"}.get(key.lower(), key), str(value))
        own.conf.set("spark.sql.ansi.enabled", "true")  # as on every warehouse
        self._enter(asked.get("catalog") or "hive_metastore", asked.get("schema") or "default")

    def _enter(self, name, schema):
        """The catalog and schema to begin with; dbt makes the schema itself where it is missing."""
        from flowctl_rt import spark_schemas

        with _making:
            spark_schemas.enter(self.catalog, name, schema if self.catalog.schema(name, schema) else "default")

    def cursor(self, *args, **kwargs):
        return Cursor(self)

    def get_session_id_hex(self):
        return "%x" % id(self)

    @property
    def session_id(self):
        return self.get_session_id_hex()

    def close(self):
        """Nothing is kept for a connection, but its statement may run: the adapter
        knows a cursor only once that has answered, so closing is its way to cancel."""
        for cursor in list(self.running):
            cursor.cancel()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()


def _catalog(session, root):
    from flowctl_rt.spark_catalog import Catalog

    class Guarded(Catalog):
        def table(self, catalog, schema, name):
            with _making:
                super().table(catalog, schema, name)

        def schema(self, catalog, schema):
            with _making:
                return super().schema(catalog, schema)

    return Guarded(session, root, (session._jvm, session._jsparkSession))


class Cursor:
    """Runs statements, one after the other, and hands out the rows of the last."""

    arraysize = 1000

    def __init__(self, connection):
        self.connection = connection
        self.description = self.query_id = None
        self.tag = "flowctl-dbt-%x" % id(self)
        self.rows = iter(())

    def execute(self, operation, parameters=None, **ignored):
        if operation.strip().lower() == "set spark.databricks.clusterusagetags.sparkversion":
            return self._answer([("key", "string"), ("value", "string")], [("spark.databricks.clusterUsageTags.sparkVersion", RUNTIME)])
        if parameters:
            operation = filled(operation, parameters)
        self.connection.running.append(self)
        try:
            with _told_as_databricks_does(), self._tagged():
                frame = self._run(operation)
                columns = [(f.name, f.dataType.simpleString().split("<")[0].split("(")[0]) for f in frame.schema.fields]
                rows = [tuple(r) for r in frame.collect()] if columns else []
        finally:
            self.connection.running.remove(self)
        return self._answer(columns, rows)

    @contextlib.contextmanager
    def _tagged(self):
        """What the statement starts can be cancelled by itself."""
        context = self.connection.session.sparkContext
        _own_group(self.connection.session)
        context.addJobTag(self.tag)
        try:
            yield
        finally:
            context.removeJobTag(self.tag)

    def _run(self, text):
        from flowctl_rt import spark_statements

        session = self.connection.session
        real = type(session).sql.__wrapped__  # Spark's own, without this task's names
        return spark_statements.run(self.connection.catalog, text, None, lambda t: real(session, t))

    def _answer(self, columns, rows):
        self.description = [(name, kind, None, None, None, None, None) for name, kind in columns] or None
        self.rows = iter(rows)
        return self

    def schemas(self, catalog_name=None, schema_name=None):
        """The schemas of a catalog, in the columns of JDBC."""
        import fnmatch

        names = self.connection.catalog.schemas(catalog_name or "hive_metastore")
        pattern = (schema_name or "*").replace("%", "*").lower()
        return self._answer([("TABLE_SCHEM", "string"), ("TABLE_CATALOG", "string")], [(n, catalog_name) for n in names if fnmatch.fnmatchcase(n, pattern)])

    def tables(self, catalog_name=None, schema_name=None, table_name=None, table_types=None):
        """The tables of a schema, in the columns of JDBC."""
        catalog, name = self.connection.catalog, catalog_name or "hive_metastore"
        rows = [(name, schema_name, t, "VIEW" if note.get("kind") == "view" else "TABLE") for t, note in catalog.notes(name, schema_name or "default")]
        return self._answer([(c, "string") for c in ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE")], rows)

    def fetchone(self):
        return next(self.rows, None)

    def fetchall(self):
        return list(self.rows)

    def fetchmany(self, size):
        import itertools

        return list(itertools.islice(self.rows, size))

    def cancel(self):
        self.connection.session.sparkContext.cancelJobsWithTag(self.tag)

    def close(self):
        self.rows = iter(())

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()


def _own_group(session):
    """Spark keeps the group of jobs by thread, and dbt has several: what they start ends with the task."""
    from flowctl_rt.spark_attach import own_jobs

    own_jobs(session.sparkContext)


class _told_as_databricks_does:
    """Errors of Spark as errors of databricks.sql, which the adapter knows how to tell."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or not isinstance(error, Exception):
            return
        from databricks.sql.exc import ServerOperationError

        from flowctl_rt.spark_attach import explain

        error = explain(error)
        raise ServerOperationError(str(error).split("\n\nJVM stacktrace")[0]) from error


def filled(text, values):
    """A statement with its %s filled in; seeds have them."""
    return text % tuple(_literal(v) for v in values)


def _literal(value):
    import datetime
    import decimal

    from flowctl_rt.spark_tokens import quoted

    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, decimal.Decimal)):
        return str(value)
    if isinstance(value, datetime.datetime):
        return "TIMESTAMP " + quoted(value.isoformat(" "))
    if isinstance(value, datetime.date):
        return "DATE " + quoted(value.isoformat())
    return quoted(str(value))


def _python_model(adapter, parsed_model, compiled_code):
    """A model in Python: its code runs here, where a workspace would start a notebook for it."""
    from dbt.adapters.contracts.connection import AdapterResponse
    from dbt_common.exceptions import DbtRuntimeError

    from flowctl_rt import spark

    session = spark.session()
    _own_group(session)
    try:
        exec(compile(compiled_code, parsed_model["original_file_path"], "exec"), {"__name__": "__main__", "spark": session})
    except Exception as e:
        from flowctl_rt import failure

        raise DbtRuntimeError("Python model failed: " + failure.message(e)) from e
    return AdapterResponse(_message="OK")

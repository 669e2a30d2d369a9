"""What is different about PySpark here, put onto its classes once a session is
there: names have three levels, paths are Databricks' own, and the driver
belongs to more than this task."""
from flowctl_rt import spark_facts, spark_paths, warn_once
from flowctl_rt.wrapping import wrap

catalog = None  # spark_catalog.Catalog of the session


def install(session, java):
    """Change PySpark's classes of a session's kind; done once in a process. java: (JVM, the session in it)."""
    global catalog
    from flowctl_rt import spark_catalog, spark_classes, spark_profile
    from flowctl_rt.spark_attach import settings

    if catalog is not None:
        return
    catalog = spark_catalog.Catalog(session, spark_profile.warehouse(settings()), java)
    catalog.schema("hive_metastore", "default")
    classes = spark_classes.of(session)
    wrap(classes.session, "stop", _keep_running)
    classes.change(session, _keep_running)
    _sql(classes)
    _paths(classes)
    _names(classes)
    _errors(classes)


def _keep_running(real, self):
    """The driver is not this task's alone: stop() of session or context does nothing but say so."""
    warn_once("spark.stop() does nothing here: the driver is shared with the other tasks of the run and ends with it")


def _sql(classes):
    def sql(real, self, sqlQuery, args=None, **kwargs):
        from flowctl_rt import spark_statements

        frame = spark_statements.run(catalog, sqlQuery, args, lambda text: classes.run(real, self, text, args, **kwargs))
        spark_facts.statement(catalog, sqlQuery, frame)
        return frame

    wrap(classes.session, "sql", sql)
    if classes.has_table:
        wrap(classes.session, "table", lambda real, self, tableName: spark_facts.opened(real(self, known(tableName))))


def known(name):
    """A table's name for Spark, with the table made known."""
    from flowctl_rt.spark_names import Rewriter

    rewriter = Rewriter(catalog.names, "TABLE " + name, None, spark_paths.local)
    text = rewriter.run()[len("TABLE "):]
    for t in rewriter.tables:
        catalog.table(*t)
    return text


def target(name):
    """The (catalog, schema, table) of a name that is about to be written; None if it is a path."""
    from flowctl_rt.spark_names import chain_at
    from flowctl_rt.spark_tokens import tokens

    c = chain_at(tokens(name), 0)
    return catalog.names.table(c.parts) if c else None


def _written(real, self, name, *args, **kwargs):
    """A method that makes or changes the table of that name."""
    where = target(name)
    if where is None:
        return real(self, known(name), *args, **kwargs)
    with catalog.writing(*where):
        return real(self, known(name), *args, **kwargs)


def _read(real, self, name, *args, **kwargs):
    return real(self, known(name), *args, **kwargs)


def _opened(real, self, *args, **kwargs):
    """A method of a reader that makes a frame of one of the methods below."""
    return spark_facts.opened(real(self, *args, **kwargs), getattr(self, "_flowctl_asked", ()))


def _path_first(real, self, path=None, *args, **kwargs):
    for key in ("path", "checkpointLocation"):
        if key in kwargs:
            kwargs[key] = spark_paths.local(kwargs[key])
    if path is None:
        return real(self, *args, **kwargs)
    return real(self, spark_paths.every(path), *args, **kwargs)


def _option(real, self, key, value):
    if key.lower() in ("path", "checkpointlocation", "cloudfiles.schemalocation", "badrecordspath"):
        value = spark_paths.local(value)
    elif key.lower() in ("versionasof", "timestampasof"):
        asked = "versionAsOf" if key.lower() == "versionasof" else "timestampAsOf"
        self._flowctl_asked = dict(getattr(self, "_flowctl_asked", ()), **{asked: str(value)})
    return real(self, key, value)


def _options(real, self, **options):
    for key, value in options.items():
        self = self.option(key, value)
    return self


def _paths(classes):
    from flowctl_rt import spark_files
    from flowctl_rt.spark_classes import FORMATS

    for cls, names in (
        (classes.reader, ("load",) + FORMATS), (classes.stream_reader, ("load",) + FORMATS),
        (classes.writer, ("save",) + FORMATS), (classes.stream_writer, ("start",)),
    ):
        for name in names:
            wrap(cls, name, _path_first)
        wrap(cls, "option", _option)
        wrap(cls, "options", _options)
    wrap(classes.reader, "parquet", lambda real, self, *paths, **kw: real(self, *[spark_paths.local(p) for p in paths], **kw))
    wrap(classes.reader, "orc", _path_first)
    for name in classes.opens:
        wrap(classes.reader, name, _opened)
    spark_files.install(classes.stream_reader)


def _display(self, *args, **kwargs):
    """df.display(), which Databricks adds to data frames."""
    from flowctl_rt import namespace

    namespace.get("display")(self, *args, **kwargs)


def _names(classes):
    wrap(classes.reader, "table", _read)
    wrap(classes.reader, "table", _opened)
    wrap(classes.stream_reader, "table", _read)
    wrap(classes.writer, "saveAsTable", _written)
    wrap(classes.writer, "insertInto", _read)
    wrap(classes.stream_writer, "toTable", _written)
    wrap(classes.frame, "writeTo", lambda real, self, table: _Remembering(real(self, known(table)), table))
    wrap(classes.frame, "mergeInto", _read)
    classes.frame.display = _display
    _catalog_api(classes.catalog)


class _Remembering:
    """A DataFrameWriterV2 whose table is kept in the catalog."""

    def __init__(self, writer, name):
        self._writer, self._name = writer, name

    def __getattr__(self, key):
        real = getattr(self._writer, key)

        def call(*args, **kwargs):
            where = target(self._name) if key in ("create", "createOrReplace", "replace") else None
            if where:
                with catalog.writing(*where):
                    return real(*args, **kwargs)
            done = real(*args, **kwargs)
            return self if done is self._writer else done

        return call


def _catalog_api(cls):
    """spark.catalog: the same names, and what there is in the folder of all drivers."""
    names = lambda: catalog.names  # noqa: E731  (it changes with USE)

    def schema(name):
        from flowctl_rt.spark_names import chain_at
        from flowctl_rt.spark_tokens import tokens

        return names().schema_of(chain_at(tokens(name), 0).parts)

    def in_schema(real, self, dbName=None, *args, **kwargs):
        where = schema(dbName) if dbName else (names().catalog, names().schema)
        catalog.all_of(*where)
        return real(self, names().fold(*where), *args, **kwargs)

    def table_exists(real, self, tableName, dbName=None):
        return real(self, known(dbName + "." + tableName if dbName else tableName))

    def database_exists(real, self, dbName):
        return catalog.schema(*schema(dbName))

    def enter(where):
        from flowctl_rt import spark_schemas

        spark_schemas.enter(catalog, *where)

    wrap(cls, "currentCatalog", lambda real, self: names().catalog)
    wrap(cls, "currentDatabase", lambda real, self: names().schema)
    wrap(cls, "setCurrentCatalog", lambda real, self, catalogName: enter((catalogName,)))
    wrap(cls, "setCurrentDatabase", lambda real, self, dbName: enter(schema(dbName)))
    wrap(cls, "databaseExists", database_exists)
    wrap(cls, "tableExists", table_exists)
    wrap(cls, "listTables", in_schema)
    wrap(cls, "listFunctions", in_schema)
    for name in ("getTable", "refreshTable", "cacheTable", "uncacheTable", "isCached", "listColumns", "recoverPartitions", "getFunction"):
        wrap(cls, name, _read)
    wrap(cls, "createTable", _written)  # createExternalTable ends in it


def _errors(classes):
    """Errors speak of the names that people wrote, once: PySpark would log each in full beside."""
    import logging

    logging.getLogger("SQLQueryContextLogger").disabled = True
    try:
        wrap(classes.error(), "__str__", lambda real, self: catalog.names.unfold(real(self)))
    except ImportError:
        pass  # a Spark before 3.5 has them elsewhere

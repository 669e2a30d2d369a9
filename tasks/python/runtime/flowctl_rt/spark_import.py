"""PySpark's own ways to a session or context lead to the task's, in all code of the task.

On Databricks there is one before any code runs. Here it comes to be when
something of PySpark first needs it: a builder, a column, a type written as text.
"""
import sys

# What belongs to the driver, and is settled by the time code runs.
_FIXED = ("spark.master", "spark.remote", "spark.submit.deployMode", "spark.api.mode", "spark.app.name")
_attaching = False


def change(module):
    """A module of PySpark has been loaded."""
    from flowctl_rt import spark_attach

    changes = _OF_CONNECT if spark_attach.connects() else _CHANGES
    if module.__name__ in changes:
        changes[module.__name__](module)


def _attach():
    """The task's session, unless this is called on the way to it."""
    global _attaching
    from flowctl_rt import spark

    if not _attaching:
        _attaching = True
        try:
            spark.session()
        finally:
            _attaching = False


def _context(module):
    real = module.SparkContext.getOrCreate.__func__

    def get_or_create(cls, conf=None):
        _attach()
        return real(cls)

    module.SparkContext.getOrCreate = classmethod(get_or_create)


def _utils(module):
    real = getattr(module, "get_active_spark_context", None)
    if real is None:
        return

    def get_active_spark_context():
        from pyspark import SparkContext

        if SparkContext._active_spark_context is None:
            _attach()
        return real()

    module.get_active_spark_context = get_active_spark_context


def _session(module):
    cls = module.SparkSession
    builder = cls.Builder
    real = builder.getOrCreate

    def get_or_create(self):
        _drop_fixed(self._options)
        _attach()
        return real(self)

    builder.getOrCreate = get_or_create
    for name in ("getActiveSession", "active"):
        if name in vars(cls):
            setattr(cls, name, classmethod(_asked(vars(cls)[name].__func__)))


def _drop_fixed(options):
    """Take out of a builder's settings what belongs to the driver."""
    from flowctl_rt import warn

    for key in [k for k in options if k in _FIXED or k.startswith("spark.jars")]:
        value = options.pop(key)
        if key.startswith("spark.jars"):
            warn("SparkSession.builder: %s=%s comes too late: the driver runs; list it under the task's libraries" % (key, value))


def _connect_session(module):
    """Under Spark Connect there is one session as well, whichever class it is asked of."""
    cls = module.SparkSession

    def get_or_create(self):
        from flowctl_rt import spark

        _drop_fixed(self._options)
        made = spark.session()
        if self._options:
            made.conf._set_all(configs=self._options, silent=True)
        return made

    def session(cls):
        from flowctl_rt import spark

        return spark._session

    cls.Builder.getOrCreate = get_or_create
    for name in ("getActiveSession", "active"):
        session.__name__ = name
        setattr(cls, name, classmethod(_asked(session)))


def _asked(real):
    def method(cls):
        # MLflow asks whether there is a session; that alone shall not start one.
        if not sys._getframe(1).f_globals.get("__name__", "").startswith("mlflow"):
            _attach()
        return real(cls)

    method.__name__, method.__doc__ = real.__name__, real.__doc__
    return method


_CHANGES = {"pyspark.context": _context, "pyspark.sql.utils": _utils, "pyspark.sql.session": _session}
_OF_CONNECT = {"pyspark.sql.session": _connect_session, "pyspark.sql.connect.session": _connect_session}

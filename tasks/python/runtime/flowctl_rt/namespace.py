"""The ten names that notebooks and tasks find ready, each made on first use."""
_made = {}


def get(name):
    """The real object behind a name."""
    if name not in _made:
        _made[name] = _make(name)
    return _made[name]


def _make(name):
    if name == "dbutils":
        from flowctl_rt import dbutils

        return dbutils.DBUtils()
    if name in ("display", "displayHTML"):
        from flowctl_rt import display

        return getattr(display, name)
    if name == "getArgument":
        return get("dbutils").widgets.getArgument
    from flowctl_rt import spark

    return spark.supply(name)


def as_dict(lazy):
    """All names, each a stand-in that lazy(name) makes."""
    names = ("dbutils", "spark", "sc", "sqlContext", "sql", "table", "udf", "display", "displayHTML", "getArgument")
    return {n: lazy(n) for n in names}

"""Delta's own classes take three-level names and Databricks' paths."""
from flowctl_rt import spark_attach, spark_paths


def change(module):
    """delta.tables has been loaded."""
    from flowctl_rt import spark
    from flowctl_rt.spark_patch import known, target
    from flowctl_rt.wrapping import wrap

    spark.session()
    if spark_attach.connects():
        from flowctl_rt import spark_connect_delta

        spark_connect_delta.change(module)
    table, builder = module.DeltaTable, module.DeltaTableBuilder
    wrap(table, "forName", lambda real, cls, sparkSession, tableOrViewName: real(cls, sparkSession, known(tableOrViewName)))
    wrap(table, "forPath", lambda real, cls, sparkSession, path, *a, **kw: real(cls, sparkSession, spark_paths.local(path), *a, **kw))
    wrap(table, "isDeltaTable", lambda real, cls, sparkSession, identifier: real(cls, sparkSession, spark_paths.local(identifier)))
    for name in ("clone", "cloneAtVersion", "cloneAtTimestamp"):
        wrap(table, name, _cloned)
    wrap(table, "convertToDelta", lambda real, cls, sparkSession, identifier, *a, **kw: real(cls, sparkSession, known(identifier), *a, **kw))

    def named(real, self, identifier):
        self._flowctl_name = identifier
        return real(self, known(identifier))

    def execute(real, self):
        made = real(self)
        name = getattr(self, "_flowctl_name", None)
        if name and target(name):
            from flowctl_rt import spark_patch

            spark_patch.catalog.made(*target(name))
        return made

    wrap(builder, "tableName", named)
    wrap(builder, "location", lambda real, self, location: real(self, spark_paths.local(location)))
    wrap(builder, "execute", execute)


def _cloned(real, self, *args, **kwargs):
    """The target is a path or a name of three levels; it comes first, or after the version."""
    from flowctl_rt import spark_patch

    args = list(args)
    at = 0 if real.__name__ == "clone" else 1
    where = kwargs.get("target", args[at] if len(args) > at else "")
    new = spark_paths.local(where) if "/" in where else spark_patch.known(where)
    if "target" in kwargs:
        kwargs["target"] = new
    elif len(args) > at:
        args[at] = new
    done = real(self, *args, **kwargs)
    if "/" not in where and spark_patch.target(where):
        spark_patch.catalog.made(*spark_patch.target(where))
    return done

"""PySpark's own way to a session leads to the task's, in all code of the task."""


def change(module):
    """pyspark.sql.session has been loaded."""
    builder = module.SparkSession.Builder
    real = builder.getOrCreate

    def get_or_create(self):
        from flowctl_rt import spark, warn

        for key in [k for k in self._options if k in _FIXED or k.startswith("spark.jars")]:
            value = self._options.pop(key)
            if key.startswith("spark.jars"):
                warn("SparkSession.builder: %s=%s comes too late: the driver runs; list it under the task's libraries" % (key, value))
        spark.session()
        return real(self)

    builder.getOrCreate = get_or_create


# What belongs to the driver, and is settled by the time code runs.
_FIXED = ("spark.master", "spark.remote", "spark.submit.deployMode", "spark.api.mode", "spark.app.name")

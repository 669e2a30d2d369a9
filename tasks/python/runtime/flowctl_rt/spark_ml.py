"""Spark ML's models are written to and read from Databricks' paths."""
from flowctl_rt import spark_paths


def change(module):
    """pyspark.ml.util or pyspark.ml.connect.readwrite has been loaded."""
    from flowctl_rt.wrapping import wrap

    for name in ("JavaMLWriter", "GeneralJavaMLWriter", "MLWriter", "RemoteMLWriter"):
        if hasattr(module, name):
            wrap(getattr(module, name), "save", lambda real, self, path: real(self, spark_paths.local(path)))
    for name in ("JavaMLReader", "DefaultParamsReader", "RemoteMLReader"):
        if hasattr(module, name):
            wrap(getattr(module, name), "load", lambda real, self, path: real(self, spark_paths.local(path)))

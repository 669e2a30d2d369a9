"""MLflow's Spark flavour looks for a model where Spark has put it."""
from flowctl_rt import spark_paths


def change(module):
    """mlflow.spark has been loaded."""
    files = getattr(module, "_HadoopFileSystem", None)
    real = getattr(files, "_remote_path", None)
    if real is not None:
        files._remote_path = classmethod(lambda cls, path: real(spark_paths.local(path)))

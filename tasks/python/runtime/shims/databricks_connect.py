"""databricks.connect: its session is the task's own."""
from flowctl_rt import namespace


class DatabricksSession:
    """Every setting is accepted; the session is the one that the task has."""

    class Builder:
        def getOrCreate(self):
            return namespace.get("spark")

        create = getOrCreate

        def __getattr__(self, name):
            return lambda *args, **kwargs: self

    builder = Builder()

"""A plain Python file publishes a value too."""
try:
    from databricks.sdk.runtime import dbutils
except ImportError:  # no databricks-sdk in this Python: flowctl has put dbutils here already
    pass

dbutils.jobs.taskValues.set(key="lines", value=sum(1 for _ in open(__file__)))

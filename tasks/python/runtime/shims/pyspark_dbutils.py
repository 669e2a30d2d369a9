"""pyspark.dbutils, as a Databricks runtime has it."""
from flowctl_rt import namespace


def DBUtils(spark=None, *ignored):
    """The task's dbutils."""
    return namespace.get("dbutils")

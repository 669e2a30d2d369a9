"""Stands where databricks-sdk is not installed, so that databricks.sdk.runtime can be imported."""


def __getattr__(name):
    raise ImportError(
        "databricks.sdk.%s: databricks-sdk is not installed; add it to the task's libraries or its environment" % name
    )

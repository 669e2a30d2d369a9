# Databricks notebook source
# MAGIC %md
# MAGIC # What all notebooks of the pipeline share
# MAGIC
# MAGIC Run by the others with `%run ./common`. In a job the values come from the job's parameters and the
# MAGIC task's `base_parameters`; the widgets' defaults below serve whoever runs a notebook by hand.

# COMMAND ----------

import json
from datetime import date, datetime, timedelta, timezone

from recsys.store import Store, code_hash

WIDGETS = {
    "storage_path": "/Volumes/main/recsys/recommendation_engine",
    "training_dataset": "raw/ratings.csv",
    "model_name": "recommendation_engine",
    "deploy_target": "staging",
    "test_fraction": "0.2",
    "date": date.today().isoformat(),
}
for name, default in WIDGETS.items():
    dbutils.widgets.text(name, default)

# COMMAND ----------


def number(name, kind, lowest=None, highest=None):
    """A parameter as a number; the error says what it was and what it may be."""
    text = dbutils.widgets.get(name)
    allowed = "a whole number" if kind is int else "a number"
    if lowest is not None:
        allowed += ", at least %s" % lowest
    if highest is not None:
        allowed += ", at most %s" % highest
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or value != value or (lowest is not None and value < lowest) or (highest is not None and value > highest):
        raise ValueError("parameter %s is %r; allowed is %s" % (name, text, allowed))
    return value


def publish(**values):
    """Set task values, and show them."""
    for key, value in values.items():
        dbutils.jobs.taskValues.set(key=key, value=value)
        print("%-18s %s" % (key, value))


# COMMAND ----------

storage_path = dbutils.widgets.get("storage_path")
if not storage_path.startswith("/"):
    raise ValueError("parameter storage_path is %r; allowed is an absolute path such as /Volumes/main/recsys/x" % storage_path)
if storage_path.startswith("/Volumes/"):
    dbutils.fs.mkdirs(storage_path)  # on a workspace this says so at once if there is no such volume
store = Store(storage_path)

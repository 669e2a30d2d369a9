# Databricks notebook source
# MAGIC %md
# MAGIC # A refused model
# MAGIC
# MAGIC Runs when validation did not pass, and fails with its reasons. So the run ends FAILED: a schedule
# MAGIC notifies, a CI job turns red, and the reasons are the first thing one reads. The champion stays.

# COMMAND ----------

import json

dbutils.widgets.text("run_id", "")
dbutils.widgets.text("reasons", "[]")


class ModelRejected(Exception):
    """Validation refused the model."""


raise ModelRejected("; ".join(json.loads(dbutils.widgets.get("reasons"))) + " [run %s]" % dbutils.widgets.get("run_id"))

# Databricks notebook source
# MAGIC %md
# MAGIC A task that succeeds, or fails if it is told to.

# COMMAND ----------

dbutils.widgets.dropdown("fail", "no", ["no", "yes"])
if dbutils.widgets.get("fail") == "yes":
    raise RuntimeError("this task was told to fail")

# Databricks notebook source
# MAGIC %md
# MAGIC Values keep their JSON type on the way.

# COMMAND ----------

values = dbutils.jobs.taskValues
values.set(key="count", value=42)
values.set(key="ratio", value=0.25)
values.set(key="done", value=True)
values.set(key="name", value="ratings")
values.set(key="parts", value=["a", "b", {"c": None}])
values.set(key="count", value=43)  # the last one counts

# Databricks notebook source
# MAGIC %md
# MAGIC The list to go over is made at run time: a task value that holds an array of objects.

# COMMAND ----------

shops = [{"name": name, "rows": 100 * n} for n, name in enumerate(["aarhus", "bergen", "cadiz", "delft", "espoo"], 1)]
dbutils.jobs.taskValues.set(key="shops", value=shops)

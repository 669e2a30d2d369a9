# Databricks notebook source
# MAGIC %md
# MAGIC Publishes how many rows there are, as a number, and what it is worth as text.

# COMMAND ----------

dbutils.jobs.taskValues.set(key="rows", value=int(dbutils.widgets.get("rows")))
dbutils.jobs.taskValues.set(key="price", value="12.0")

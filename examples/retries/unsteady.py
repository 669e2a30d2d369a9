# Databricks notebook source
# MAGIC %md
# MAGIC Fails until it has been tried often enough. `{{task.execution_count}}` says which try this is.

# COMMAND ----------

attempt, needed = int(dbutils.widgets.get("attempt")), int(dbutils.widgets.get("needed"))
dbutils.jobs.taskValues.set(key="attempt", value=attempt)
if attempt < needed:
    raise ConnectionError("try %d of %d: no answer" % (attempt, needed))
dbutils.notebook.exit("answered at try %d" % attempt)

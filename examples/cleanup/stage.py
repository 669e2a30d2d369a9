# Databricks notebook source
# MAGIC %md
# MAGIC Makes a scratch folder and says where it is, before anything can go wrong.

# COMMAND ----------

path = "dbfs:/tmp/example_cleanup/" + dbutils.widgets.get("run_id")
dbutils.fs.put(path + "/rows.csv", "a,b\n1,2\n", overwrite=True)
dbutils.jobs.taskValues.set(key="scratch", value=path)

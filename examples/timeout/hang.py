# Databricks notebook source
# MAGIC %md
# MAGIC Hangs the first time, as a connection might, and ends at once when it is tried again.

# COMMAND ----------

import threading

if dbutils.widgets.get("attempt") == "1":
    print("waiting for an answer that does not come")
    threading.Event().wait()

dbutils.notebook.exit("done at try " + dbutils.widgets.get("attempt"))

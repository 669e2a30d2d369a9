# Databricks notebook source
# MAGIC %md
# MAGIC Every job parameter is a widget here without being passed (push-down), and beats the task's own
# MAGIC parameter of the same name. The widgets' defaults count only for who runs this by hand.

# COMMAND ----------

import json

dbutils.widgets.text("region", "default in the notebook")
dbutils.widgets.text("note", "default in the notebook")
dbutils.widgets.text("unset", "default in the notebook")

if dbutils.widgets.get("day") != dbutils.widgets.get("started"):
    raise ValueError("a reference in a job parameter's default was not expanded: %r" % dbutils.widgets.get("day"))

names = ("region", "note", "unset", "sentence", "task")
dbutils.notebook.exit(json.dumps({name: dbutils.widgets.get(name) for name in names}))

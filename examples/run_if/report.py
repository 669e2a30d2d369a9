# Databricks notebook source
# MAGIC %md
# MAGIC Ends with how every other task ended: its parameters are `{{tasks.T.result_state}}`.

# COMMAND ----------

import json

dbutils.notebook.exit(json.dumps(dbutils.widgets.getAll(), sort_keys=True))

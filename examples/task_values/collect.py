# Databricks notebook source
# MAGIC %md
# MAGIC Reads the values of the tasks before, in both ways: by `taskValues.get`, and as parameters that were
# MAGIC written as `{{tasks.T.values.K}}`. There everything is text: a string as it is, the rest as JSON.

# COMMAND ----------

import json

values = dbutils.jobs.taskValues
got = {key: values.get(taskKey="from_notebook", key=key, debugValue=0) for key in ("count", "ratio", "done", "name", "parts")}
got["lines"] = values.get("from_script", "lines") > 0
got["answer"] = values.get("from_process", "answer")
got["missing"] = values.get("from_notebook", "no such key", default="the default")

try:
    values.get("from_notebook", "no such key")
except ValueError as e:
    print("as it should be:", e)
else:
    raise AssertionError("a value that was never set was read")

# COMMAND ----------

got["as_text"] = [dbutils.widgets.get(name) for name in ("count", "done", "name", "parts")]
dbutils.notebook.exit(json.dumps(got))

# Databricks notebook source
# MAGIC %md
# MAGIC One iteration. Each has its own attempts: `unsteady` fails the first time, `broken` every time.

# COMMAND ----------

name, attempt = dbutils.widgets.get("shop"), int(dbutils.widgets.get("attempt"))

if name == dbutils.widgets.get("broken"):
    raise RuntimeError("shop %s is broken" % name)
if name == dbutils.widgets.get("unsteady") and attempt == 1:
    raise RuntimeError("shop %s did not answer" % name)

print("%s: %s rows, attempt %d" % (name, dbutils.widgets.get("rows"), attempt))

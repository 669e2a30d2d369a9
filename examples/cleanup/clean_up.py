# Databricks notebook source
# MAGIC %md
# MAGIC Runs whatever happened (ALL_DONE), and so must not assume that anything went well.

# COMMAND ----------

scratch = dbutils.jobs.taskValues.get("stage", "scratch", default="")
if scratch:
    dbutils.fs.rm(scratch, recurse=True)
    left = [f.name for f in dbutils.fs.ls("dbfs:/tmp/example_cleanup")]
    if scratch.rsplit("/", 1)[-1] + "/" in left:
        raise RuntimeError("%s is still there" % scratch)
dbutils.notebook.exit("removed" if scratch else "nothing to remove")

# Databricks notebook source
# MAGIC %md
# MAGIC A source notebook that the Jupyter notebook runs: its functions are there afterwards.

# COMMAND ----------

import statistics


def summary(numbers):
    return {"count": len(numbers), "mean": statistics.mean(numbers), "median": statistics.median(numbers)}

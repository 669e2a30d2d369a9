# Databricks notebook source
x = 1

# COMMAND ----------

# MAGIC %md
# MAGIC # Title
# MAGIC
# MAGIC text

# COMMAND ----------

# MAGIC %sql
# MAGIC select 1

# COMMAND ----------

# MAGIC %pip install x

# COMMAND ----------

def f():
    # MAGIC is not all of it
    return "\n"

# Databricks notebook source
# A notebook that others run with %run. What it defines is theirs afterwards.

# COMMAND ----------

greeting = dbutils.widgets.get("greeting")


def greet(name):
    return "%s, %s" % (greeting, name)

# Databricks notebook source
text = dbutils.fs.head(dbutils.widgets.get("scratch") + "/rows.csv")
if dbutils.widgets.get("fail") == "yes":
    raise ValueError("cannot make sense of %r" % text)

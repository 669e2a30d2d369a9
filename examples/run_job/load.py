# Databricks notebook source
region, day = dbutils.widgets.get("region"), dbutils.widgets.get("day")
if region not in ("north", "south"):
    raise ValueError("parameter region is %r; allowed are north and south" % region)
print("loading", region, "of", day)
dbutils.notebook.exit("%s %s" % (region, day))

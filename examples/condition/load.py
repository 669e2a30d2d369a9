# Databricks notebook source
way = dbutils.widgets.get("way")
print("loading", dbutils.widgets.get("rows"), "rows the", way, "way")
dbutils.notebook.exit(way)

# Databricks notebook source
dbutils.widgets.text("question", "1 + 1")
left, op, right = dbutils.widgets.get("question").split()
dbutils.notebook.exit(str(int(left) * int(right) if op == "*" else int(left) // int(right)))

# Databricks notebook source
rows = spark.table("main.shop.customers").orderBy("customer").collect()
dbutils.notebook.exit(", ".join("%s: %d orders, %.0f" % (r.customer, r.orders, r.amount) for r in rows))

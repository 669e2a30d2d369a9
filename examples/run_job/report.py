# Databricks notebook source
dbutils.notebook.exit("both regions of %s are there" % dbutils.widgets.get("day"))

# Databricks notebook source
import json

shops = json.loads(dbutils.widgets.get("shops"))
dbutils.notebook.exit(str(sum(shop["rows"] for shop in shops)))

# Databricks notebook source
print("primary:", dbutils.widgets.get("primary"), "- fallback:", dbutils.widgets.get("fallback"))

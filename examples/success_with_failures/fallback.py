# Databricks notebook source
dbutils.notebook.exit("from the fallback")

-- Databricks notebook source
select 1;

select 2

-- COMMAND ----------

-- MAGIC %python
-- MAGIC print(1)

# Databricks notebook source
# MAGIC %md
# MAGIC # Data preparation
# MAGIC Checks the raw ratings, cleans them and writes them to a Delta table. Which version of it this was goes to the
# MAGIC tasks that come after.

# COMMAND ----------

dbutils.widgets.text("data_source_path", "dbfs:/recommendation_spark/raw_ratings")
dbutils.widgets.text("processed_data_path", "dbfs:/recommendation_spark/ratings")
dbutils.widgets.text("target_date", "2026-01-01")

data_source_path = dbutils.widgets.get("data_source_path")
processed_data_path = dbutils.widgets.get("processed_data_path")
target_date = dbutils.widgets.get("target_date")

# COMMAND ----------

# MAGIC %run ./raw_ratings

# COMMAND ----------

import mlflow
from delta.tables import DeltaTable
from pyspark.sql.functions import col, current_timestamp
from pyspark.sql.functions import sum as sum_

ensure_raw_ratings(data_source_path)

mlflow.start_run(run_name="data_preparation")
mlflow.log_param("data_source", data_source_path)
mlflow.log_param("target_date", target_date)

raw_data = spark.read.format("delta").load(data_source_path)

# COMMAND ----------

# MAGIC %md ## Schema

# COMMAND ----------

expected_columns = ["user_id", "item_id", "rating", "timestamp"]
missing = sorted(set(expected_columns) - set(raw_data.columns))
mlflow.log_metric("schema_validation", 0.0 if missing else 1.0)
if missing:
    raise ValueError(f"Schema validation failed. Missing columns: {missing}; expected: {expected_columns}")

# COMMAND ----------

# MAGIC %md ## Quality

# COMMAND ----------

null_counts = raw_data.select([sum_(col(c).isNull().cast("int")).alias(c) for c in raw_data.columns]).first().asDict()
mlflow.log_metrics({"null_" + c: n for c, n in null_counts.items()})

rating_stats = {r["summary"]: float(r["rating"]) for r in raw_data.select("rating").summary().collect()}
mlflow.log_metrics({"rating_min": rating_stats["min"], "rating_max": rating_stats["max"], "rating_mean": rating_stats["mean"]})

records = raw_data.count()
if null_counts["rating"] > 0.05 * records:
    raise ValueError(f"{null_counts['rating']} of {records} ratings are null; at most 5 % may be")
if not 1 <= rating_stats["min"] <= rating_stats["max"] <= 5:
    raise ValueError(f"ratings lie between {rating_stats['min']} and {rating_stats['max']}; they must be between 1 and 5")

# COMMAND ----------

# MAGIC %md ## A version

# COMMAND ----------

processed_data = (
    raw_data.filter(col("rating").isNotNull())
    .filter(col("user_id").isNotNull())
    .filter(col("item_id").isNotNull())
    .withColumn("processed_at", current_timestamp())
)

output_path = f"{processed_data_path}/date={target_date}"
in_turn(lambda: processed_data.write.format("delta").mode("overwrite").save(output_path))

version = DeltaTable.forPath(spark, output_path).history(1).select("version").collect()[0][0]

mlflow.log_param("output_path", output_path)
mlflow.log_param("output_version", version)
mlflow.log_metric("record_count", processed_data.count())
mlflow.end_run()

# COMMAND ----------

dbutils.jobs.taskValues.set("output_path", output_path)
dbutils.jobs.taskValues.set("output_version", version)

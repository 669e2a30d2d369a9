# Databricks notebook source
# MAGIC %md
# MAGIC # Model validation
# MAGIC Loads the model as it was logged, and judges it on ratings that it has not seen: it must be good enough, and better
# MAGIC than giving everybody the mean.

# COMMAND ----------

dbutils.widgets.text("run_id", "")
dbutils.widgets.text("max_rmse", "0.95")

run_id = dbutils.widgets.get("run_id") or dbutils.jobs.taskValues.get("model_training", "run_id")
max_rmse = float(dbutils.widgets.get("max_rmse"))

# COMMAND ----------

import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient()
tags = client.get_run(run_id).data.tags
ratings = spark.read.format("delta").option("versionAsOf", int(tags["data_version"])).load(tags["data_path"])
test = ratings.filter("abs(hash(user_id, item_id)) % 5 = 0").toPandas()

model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
guesses = model.predict(test[["user_id", "item_id"]])
rmse = float(((test["rating"] - guesses) ** 2).mean() ** 0.5)
baseline = float(test["rating"].std(ddof=0))

# COMMAND ----------

reasons = []
if rmse > max_rmse:
    reasons.append(f"rmse {rmse:.4f} is above {max_rmse} (max_rmse)")
if rmse >= baseline:
    reasons.append(f"rmse {rmse:.4f} is no better than the mean's {baseline:.4f}")

with mlflow.start_run(run_id=run_id):
    mlflow.log_metrics({"validation_rmse": rmse, "baseline_rmse": baseline})
    mlflow.set_tag("validation", "failed" if reasons else "passed")

if reasons:
    raise ValueError("Model validation failed: " + "; ".join(reasons))
dbutils.jobs.taskValues.set("passed", True)

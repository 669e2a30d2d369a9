# Databricks notebook source
# MAGIC %md
# MAGIC # Model training
# MAGIC Reads the very version of the data that the task before has written, trains by alternating least squares, and logs
# MAGIC the model with its signature and its data.

# COMMAND ----------

dbutils.widgets.text("data_path", "")
dbutils.widgets.text("data_version", "")
dbutils.widgets.text("rank", "6")

data_path = dbutils.widgets.get("data_path") or dbutils.jobs.taskValues.get("data_preparation", "output_path")
data_version = int(dbutils.widgets.get("data_version") or dbutils.jobs.taskValues.get("data_preparation", "output_version"))
rank = int(dbutils.widgets.get("rank"))

# COMMAND ----------

import mlflow
from mlflow.models import infer_signature
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.recommendation import ALS

ratings = spark.read.format("delta").option("versionAsOf", data_version).load(data_path).select("user_id", "item_id", "rating")
# A pair is held out by its own hash: in every version of the data it is the same ones.
held_out = "abs(hash(user_id, item_id)) % 5 = 0"
train, test = ratings.filter(f"NOT ({held_out})").cache(), ratings.filter(held_out)

# COMMAND ----------


class Recommender(mlflow.pyfunc.PythonModel):
    """Predicts ratings from the factors of users and items; strangers get the mean."""

    def __init__(self, users, items, mean):
        self.users, self.items, self.mean = users, items, mean

    def predict(self, context, model_input, params=None):
        import numpy

        guesses = []
        for user, item in zip(model_input["user_id"], model_input["item_id"]):
            u, i = self.users.get(int(user)), self.items.get(int(item))
            guesses.append(self.mean if u is None or i is None else float(numpy.dot(u, i)))
        return numpy.array(guesses)


# COMMAND ----------

with mlflow.start_run(run_name="model_training") as run:
    params = {"rank": rank, "maxIter": 6, "regParam": 0.12, "seed": 42}
    mlflow.log_params(params)
    als = ALS(userCol="user_id", itemCol="item_id", ratingCol="rating", coldStartStrategy="drop", **params)
    model = als.fit(train)
    rmse = RegressionEvaluator(labelCol="rating", metricName="rmse").evaluate(model.transform(test))
    mlflow.log_metric("rmse", rmse)

    mlflow.log_input(mlflow.data.from_spark(train, path=data_path, version=str(data_version), name="ratings", targets="rating"), context="training")

    frame = train.toPandas()
    recommender = Recommender(
        {r["id"]: list(r["features"]) for r in model.userFactors.collect()},
        {r["id"]: list(r["features"]) for r in model.itemFactors.collect()},
        float(frame["rating"].mean()),
    )
    example = frame[["user_id", "item_id"]].head(3)
    mlflow.pyfunc.log_model(
        name="model", python_model=recommender, input_example=example,
        signature=infer_signature(example, recommender.predict(None, example)), pip_requirements=["mlflow", "numpy", "pandas"],
    )
    mlflow.set_tags({"data_path": data_path, "data_version": data_version})

# COMMAND ----------

print(f"rmse {rmse:.4f} on version {data_version} of {data_path}")
dbutils.jobs.taskValues.set("run_id", run.info.run_id)
dbutils.jobs.taskValues.set("rmse", rmse)

# Databricks notebook source
# MAGIC %md
# MAGIC # Model training
# MAGIC
# MAGIC Matrix factorisation with biases (`recsys/als.py`) on the version of the data that the task before has
# MAGIC made. One rating in five is held out by a hash of its user and item and never seen here.

# COMMAND ----------

# MAGIC %run ./common

# COMMAND ----------

import sys
import time

from recsys import als, baselines, ratings, split

for name, default in {
    "data_version": "",
    "factors": "8",
    "epochs": "10",
    "regularization": "0.1",
    "seed": "42",
    "job_run_id": "",
}.items():
    dbutils.widgets.text(name, default)

# COMMAND ----------

data_version = dbutils.widgets.get("data_version")
params = {
    "data_version": data_version,
    "test_fraction": number("test_fraction", float, 0.01, 0.9),
    "factors": number("factors", int, 1, 200),
    "epochs": number("epochs", int, 1, 1000),
    "regularization": number("regularization", float, 1e-6),
    "seed": number("seed", int),
}
rows = ratings.from_bytes(store.read("datasets", data_version))
train, test = split.divide(rows, params["test_fraction"])
print("%d ratings to learn from, %d held out; solver: %s" % (len(train), len(test), als.solver()))

# COMMAND ----------

history = []


def after_epoch(epoch, model):
    rmse = baselines.errors(model, test)["rmse"]
    history.append({"epoch": epoch, "rmse": rmse})
    print("epoch %2d  held-out rmse %.4f" % (epoch, rmse))


began = time.time()
model = als.train(train, params["factors"], params["epochs"], params["regularization"], params["seed"], after_epoch)
seconds = time.time() - began

# COMMAND ----------

# MAGIC %md
# MAGIC ## Record the run and store the model
# MAGIC The metrics are those of the model as it is stored, read back from its bytes.

# COMMAND ----------

data = model.to_bytes()
stored = als.Model.from_bytes(data)
held_out = baselines.errors(stored, test)
metrics = {
    "rmse": held_out["rmse"],
    "mae": held_out["mae"],
    "train_rmse": baselines.errors(stored, train)["rmse"],
    "train_rows": len(train),
    "test_rows": len(test),
    "epochs": history,
}
lineage = {
    "code_hash": code_hash(),
    "data_version": data_version,
    "job_run_id": dbutils.widgets.get("job_run_id"),
    "date": dbutils.widgets.get("date"),
    "solver": als.solver(),
    "python": sys.version.split()[0],
    "seconds": round(seconds, 2),
}
model_version = store.publish("models", data, {"params": params, "metrics": metrics, "lineage": lineage})
lineage["model_version"] = model_version
run_id = store.new_run({"params.json": params, "metrics.json": metrics, "lineage.json": lineage})

publish(
    run_id=run_id,
    model_version=model_version,
    model_path=store.path("models", model_version),
    rmse=round(metrics["rmse"], 6),
    mae=round(metrics["mae"], 6),
    train_rmse=round(metrics["train_rmse"], 6),
)

# Databricks notebook source
# MAGIC %md
# MAGIC # Model deployment
# MAGIC Registers the model, moves it to its stage, and serves it: the deployment is good when the endpoint has answered.

# COMMAND ----------

dbutils.widgets.text("run_id", "")
dbutils.widgets.text("deploy_to", "staging")
dbutils.widgets.text("model_name", "recommendation_engine")

run_id = dbutils.widgets.get("run_id") or dbutils.jobs.taskValues.get("model_training", "run_id")
deploy_to = dbutils.widgets.get("deploy_to").lower()
model_name = dbutils.widgets.get("model_name")
if deploy_to not in ("staging", "production"):
    raise ValueError(f"deploy_to is {deploy_to!r}; it is staging or production")

# COMMAND ----------

import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient()
model_details = mlflow.register_model(f"runs:/{run_id}/model", model_name)
client.update_model_version(model_name, model_details.version, description=f"Trained by run {run_id}")
client.set_model_version_tag(model_name, model_details.version, "data_version", client.get_run(run_id).data.tags["data_version"])

# COMMAND ----------

# MAGIC %md ## Does it serve?

# COMMAND ----------

import json
import os
import subprocess
import sys
import time
import urllib.request
from socket import socket


def free_port():
    with socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answer(url, payload, process, seconds=90):
    """The answer of an endpoint that may still be starting."""
    request = urllib.request.Request(url, json.dumps(payload).encode(), {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.time() + seconds
    while True:
        try:
            with opener.open(request, timeout=30) as response:
                return json.load(response)
        except OSError:
            if process.poll() is not None or time.time() > end:
                raise
            time.sleep(0.25)


port = free_port()
endpoint = subprocess.Popen(
    [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{model_name}/{model_details.version}",
     "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
    env={**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]},
)
try:
    payload = {"dataframe_records": [{"user_id": 1, "item_id": 2}, {"user_id": 3, "item_id": 999999}]}
    predictions = answer(f"http://127.0.0.1:{port}/invocations", payload, endpoint)["predictions"]
finally:
    endpoint.terminate()
    endpoint.wait()
assert len(predictions) == 2 and all(0 < p < 6 for p in predictions), predictions

# COMMAND ----------

# MAGIC %md ## Promotion

# COMMAND ----------

client.transition_model_version_stage(model_name, model_details.version, stage=deploy_to.capitalize(), archive_existing_versions=True)
client.set_registered_model_alias(model_name, deploy_to, model_details.version)

dbutils.notebook.exit(json.dumps({"model": model_name, "version": int(model_details.version), "target": deploy_to, "answered": len(predictions)}))

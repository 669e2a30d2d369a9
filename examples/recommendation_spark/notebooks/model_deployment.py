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

# MAGIC %md
# MAGIC ## Deployment
# MAGIC The endpoint of this stage answers with the new version; as long as that is being started, with the one of before.
# MAGIC Another run may be deploying to it at the same time: then this one waits for its turn.

# COMMAND ----------

import json
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceAlreadyExists, ResourceConflict
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

w = WorkspaceClient()
endpoint_name = f"recommendation-{deploy_to}"
entity = ServedEntityInput(
    entity_name=model_name, entity_version=model_details.version, workload_size="Small", scale_to_zero_enabled=True
)


def deploy(seconds=600):
    """Have the endpoint serve the new version, and wait until it does."""
    end = time.time() + seconds
    while True:
        try:
            w.serving_endpoints.get(endpoint_name)
            return w.serving_endpoints.update_config_and_wait(endpoint_name, served_entities=[entity])
        except NotFound:
            config = EndpointCoreConfigInput(name=endpoint_name, served_entities=[entity])
            try:
                return w.serving_endpoints.create_and_wait(name=endpoint_name, config=config)
            except ResourceAlreadyExists:
                pass  # another run was quicker
        except ResourceConflict:
            if time.time() > end:
                raise
            time.sleep(1)


print(deploy().state)

# COMMAND ----------

# MAGIC %md ## Does it answer?

# COMMAND ----------

questions = [{"user_id": 1, "item_id": 2}, {"user_id": 3, "item_id": 999999}]
predictions = w.serving_endpoints.query(endpoint_name, dataframe_records=questions).predictions
assert len(predictions) == 2 and all(0 < p < 6 for p in predictions), predictions

# COMMAND ----------

# MAGIC %md ## Promotion

# COMMAND ----------

client.transition_model_version_stage(model_name, model_details.version, stage=deploy_to.capitalize(), archive_existing_versions=True)
client.set_registered_model_alias(model_name, deploy_to, model_details.version)

dbutils.notebook.exit(json.dumps({
    "model": model_name, "version": int(model_details.version), "target": deploy_to, "endpoint": endpoint_name, "answered": len(predictions),
}))

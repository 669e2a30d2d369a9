"""What a client outside of tasks does with models, as on a workspace."""
from collections import Counter

import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.serving import EndpointCoreConfigInput, Route, ServedEntityInput, TrafficConfig
from mlflow import MlflowClient
from mlflow.deployments import get_deploy_client
from mlflow.models import infer_signature


class Double(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * float(x) for x in model_input["x"]]


mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
mlflow.set_experiment("/Users/ann@example.com/outside")
frame = pd.DataFrame({"x": [1.0, 3.0]})
name = "main.ml.double"
with mlflow.start_run() as run:
    mlflow.log_param("p", 1)
    mlflow.log_metric("m", 0.5)
    mlflow.log_text("hello", "notes/a.txt")
    info = mlflow.pyfunc.log_model(
        name="model", python_model=Double(), signature=infer_signature(frame, [2.0]), pip_requirements=["mlflow", "pandas"],
    )
assert mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/a.txt") == "hello"
for _ in range(2):
    version = mlflow.register_model(info.model_uri, name)
client = MlflowClient()
client.set_registered_model_alias(name, "champion", version.version)
assert client.get_model_version_by_alias(name, "champion").version == "2"
assert list(mlflow.pyfunc.load_model("models:/%s@champion" % name).predict(frame)) == [2.0, 6.0]

w = WorkspaceClient()
assert "/Users/ann@example.com/outside" in [e.name for e in w.experiments.list_experiments()]
for _ in range(2):
    again = w.experiments.create_experiment("/Users/ann@example.com/again").experiment_id
    w.experiments.delete_experiment(again)
w.model_registry.create_model(name="legacy")
w.model_registry.delete_model("legacy")
assert "legacy" not in [m.name for m in w.model_registry.list_models()]
try:
    w.api_client.do("GET", "/api/2.0/mlflow/no/such/path")
except NotFound as e:
    assert "No API found for 'GET /api/2.0/mlflow/no/such/path'" in str(e), e
else:
    raise AssertionError("answered")
assert [v.version for v in w.model_versions.list(name)] == [2, 1]
entities = [ServedEntityInput(entity_name=name, entity_version=str(v), workload_size="Small", scale_to_zero_enabled=True, name="v%d" % v) for v in (1, 2)]
routes = [Route(served_entity_name="v1", traffic_percentage=90), Route(served_entity_name="v2", traffic_percentage=10)]
config = EndpointCoreConfigInput(name="double", served_entities=entities, traffic_config=TrafficConfig(routes=routes))
print(w.serving_endpoints.create_and_wait(name="double", config=config).state)
who = Counter(w.serving_endpoints.query("double", dataframe_records=[{"x": 1}]).served_model_name for _ in range(10))
print("served %d and %d" % (who["v1"], who["v2"]))
print("answered", get_deploy_client("databricks").predict(endpoint="double", inputs={"dataframe_split": {"columns": ["x"], "data": [[1], [3]]}})["predictions"])
w.serving_endpoints.delete("double")

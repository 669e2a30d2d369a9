# packages: apache-airflow-providers-databricks==7.23.0 apache-airflow==3.3.2
"""Airflow's Databricks hook and operators, without a scheduler."""
import json
import os
from unittest.mock import MagicMock

os.environ["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = json.dumps({
    "conn_type": "databricks", "schema": "http", "host": "127.0.0.1", "port": int(os.environ["FLOWCTL_PORT"]), "password": os.environ["DATABRICKS_TOKEN"],
})
from airflow.providers.databricks.hooks.databricks import DatabricksHook  # noqa: E402
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator, DatabricksSubmitRunOperator  # noqa: E402

hook = DatabricksHook(retry_limit=1)
hook._do_api_call(("POST", "2.0/workspace/mkdirs"), {"path": "/Shared/airflow"})
for name, source in {"nb": "dbutils.notebook.exit('airflow')", "broken": "raise ValueError('bad rating')"}.items():
    import base64

    hook._do_api_call(("POST", "2.0/workspace/import"), {
        "path": "/Shared/airflow/" + name, "language": "PYTHON", "overwrite": True, "content": base64.b64encode(source.encode()).decode(),
    })


def execute(operator):
    """Run an operator as its task runner would."""
    context = {"ti": MagicMock(), "dag_run": None}
    type(operator).execute.__wrapped__(operator, context)
    return operator


one = {"notebook_task": {"notebook_path": "/Shared/airflow/nb"}, "existing_cluster_id": "0000-000000-flowctl0"}
op = execute(DatabricksSubmitRunOperator(task_id="submit", json=one, polling_period_seconds=1))
assert hook.get_run_state(op.run_id).is_successful
op = execute(DatabricksSubmitRunOperator(task_id="many", tasks=[dict(one, task_key="a"), dict(one, task_key="b", depends_on=[{"task_key": "a"}])], polling_period_seconds=1))
assert hook.get_run_state(op.run_id).is_successful
try:
    execute(DatabricksSubmitRunOperator(task_id="bad", notebook_task={"notebook_path": "/Shared/airflow/broken"}, existing_cluster_id="x", polling_period_seconds=1))
except Exception as e:
    assert "ValueError: bad rating" in str(e), e
else:
    raise AssertionError("a failed run is an error")

job_id = hook.create_job({"name": "airflow job", "tasks": [dict(one, task_key="a")]})
assert hook.find_job_id_by_name("airflow job") == job_id
op = execute(DatabricksRunNowOperator(task_id="now", job_name="airflow job", polling_period_seconds=1))
assert hook.get_run_state(op.run_id).is_successful
assert hook.get_job_id(op.run_id) == job_id
hook.reset_job(job_id, {"name": "airflow again", "tasks": [dict(one, task_key="a")]})
assert hook.find_job_id_by_name("airflow again") == job_id
hook.cancel_all_runs(job_id)
print("all is well")

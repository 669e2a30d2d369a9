# packages: databricks-cli==0.18.0 setuptools==80.9.0
"""The legacy command line's own code, with both versions of the Jobs API."""
import os
import tempfile

from databricks_cli.dbfs.api import DbfsApi
from databricks_cli.dbfs.dbfs_path import DbfsPath
from databricks_cli.jobs.api import JobsApi
from databricks_cli.runs.api import RunsApi
from databricks_cli.sdk.api_client import ApiClient
from databricks_cli.secrets.api import SecretApi
from databricks_cli.workspace.api import WorkspaceApi


def client(version):
    c = ApiClient(host=os.environ["DATABRICKS_HOST"], token=os.environ["DATABRICKS_TOKEN"], jobs_api_version=version)
    c.url = os.environ["DATABRICKS_HOST"] + "/api/"  # it forgets the port of its host
    return c


def ended(runs, run_id):
    while True:
        run = runs.get_run(run_id)
        if run["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
            return run


with tempfile.NamedTemporaryFile("w", suffix=".py") as f:
    f.write("dbutils.notebook.exit('legacy')\n")
    f.flush()
    WorkspaceApi(client("2.0")).mkdirs("/Shared/legacy")
    WorkspaceApi(client("2.0")).import_workspace(f.name, "/Shared/legacy/nb", "PYTHON", "SOURCE", True)
    DbfsApi(client("2.0")).put_file(f.name, DbfsPath("dbfs:/tmp/legacy.py"), True)
assert [str(o.path) for o in WorkspaceApi(client("2.0")).list_objects("/Shared/legacy")] == ["/Shared/legacy/nb"]
assert [o.dbfs_path.absolute_path for o in DbfsApi(client("2.0")).list_files(DbfsPath("dbfs:/tmp/legacy.py"))] == ["dbfs:/tmp/legacy.py"]

task = {"notebook_task": {"notebook_path": "/Shared/legacy/nb"}, "existing_cluster_id": "0000-000000-flowctl0"}
for version, body in {"2.0": dict(task, name="single"), "2.1": {"name": "multi", "tasks": [dict(task, task_key="a")]}}.items():
    jobs, runs = JobsApi(client(version)), RunsApi(client(version))
    job_id = jobs.create_job(body)["job_id"]
    assert job_id in [j["job_id"] for j in jobs.list_jobs()["jobs"]]
    assert jobs.get_job(job_id)["settings"]["name"] == body["name"]
    run = ended(runs, jobs.run_now(job_id, None, {"who": "x"}, None, None)["run_id"])
    assert run["state"]["result_state"] == "SUCCESS", run["state"]
    assert runs.get_run_output(run["run_id"])["notebook_output"]["result"] == "legacy"
    assert len(runs.list_runs(job_id, None, None, None, None)["runs"]) == 1
    once = ended(runs, runs.submit_run(dict(task, run_name="once"))["run_id"])
    assert once["state"]["result_state"] == "SUCCESS", once["state"]
    jobs.reset_job({"job_id": job_id, "new_settings": dict(body, name="again")})
    assert jobs.get_job(job_id)["settings"]["name"] == "again"
    runs.cancel_run(run["run_id"])
    jobs.delete_job(job_id)

secrets = SecretApi(client("2.0"))
secrets.create_scope("legacy", "users", "DATABRICKS", None)
secrets.put_secret("legacy", "k", "v", None)
assert [s["key"] for s in secrets.list_secrets("legacy")["secrets"]] == ["k"]
print("all is well")

# packages: databricks-sdk==0.133.0
"""The Python SDK: waiters, iterators, error types, files, secrets, permissions."""
import io

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import OperationFailed, PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service import compute, iam, jobs, workspace

w = WorkspaceClient()
me = w.current_user.me().user_name
folder = f"/Users/{me}/sdk"
w.workspace.mkdirs(folder)


def notebook(name, source):
    w.workspace.upload(f"{folder}/{name}", io.BytesIO(source.encode()), language=workspace.Language.PYTHON, overwrite=True)
    return jobs.NotebookTask(notebook_path=f"{folder}/{name}")


def refused(error, fn, *args):
    try:
        fn(*args)
    except error as e:
        return str(e)
    raise AssertionError(f"{error} was expected")


hello = notebook("hello", "dbutils.notebook.exit('hello ' + dbutils.widgets.get('who'))")
run = w.jobs.submit_and_wait(run_name="once", tasks=[jobs.SubmitTask(task_key="a", notebook_task=jobs.NotebookTask(notebook_path=hello.notebook_path, base_parameters={"who": "sdk"}))])
assert run.state.result_state == jobs.RunResultState.SUCCESS, run.state
assert run.run_type == jobs.RunType.SUBMIT_RUN and run.run_name == "once"
assert w.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "hello sdk"

cluster = w.clusters.create(spark_version="18.0.x-scala2.13", cluster_name="made", num_workers=1, node_type_id="local", spark_env_vars={"COLOUR": "red"}).result().cluster_id
colour = notebook("colour", "import os\ndbutils.notebook.exit(os.environ.get('COLOUR', 'none'))")
for cluster_id, want in ((cluster, "red"), ("0000-000000-elsewhere", "none")):
    run = w.jobs.submit_and_wait(run_name="on a cluster", tasks=[jobs.SubmitTask(task_key="a", existing_cluster_id=cluster_id, notebook_task=colour)])
    assert w.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == want, (cluster_id, run.state)
w.clusters.permanent_delete(cluster)

broken = notebook("broken", "raise ValueError('bad rating')")
job = w.jobs.create(name="sdk job", parameters=[jobs.JobParameterDefinition(name="who", default="you")], tasks=[
    jobs.Task(task_key="a", notebook_task=hello),
    jobs.Task(task_key="b", notebook_task=broken, depends_on=[jobs.TaskDependency("a")]),
])
assert "Workload failed" in refused(OperationFailed, lambda: w.jobs.run_now(job.job_id).result())
failed = next(w.jobs.list_runs(job_id=job.job_id, expand_tasks=True))
assert [(t.task_key, t.state.result_state.value) for t in failed.tasks] == [("a", "SUCCESS"), ("b", "FAILED")]
output = w.jobs.get_run_output(failed.tasks[1].run_id)
assert output.error == "ValueError: bad rating" and "Traceback" in output.error_trace, output
notebook("broken", "print('mended')")
repaired = w.jobs.repair_run_and_wait(failed.run_id, rerun_all_failed_tasks=True)
assert repaired.state.result_state == jobs.RunResultState.SUCCESS, repaired.state
assert [r.type.value for r in w.jobs.get_run(failed.run_id, include_history=True).repair_history] == ["ORIGINAL", "REPAIR"]

w.jobs.update(job.job_id, new_settings=jobs.JobSettings(name="renamed", tags={"a": "b"}), fields_to_remove=["tasks/b"])
settings = w.jobs.get(job.job_id).settings
assert settings.name == "renamed" and settings.tags == {"a": "b"} and [t.task_key for t in settings.tasks] == ["a"], settings
w.jobs.reset(job.job_id, jobs.JobSettings(name="reset", tasks=[jobs.Task(task_key="c", notebook_task=jobs.NotebookTask(notebook_path=hello.notebook_path, base_parameters={"who": "c"}))]))
assert w.jobs.get(job.job_id).settings.tags is None
assert [j.job_id for j in w.jobs.list(name="RESET")] == [job.job_id]

first = w.jobs.run_now(job.job_id, idempotency_token="one").run_id
assert w.jobs.run_now(job.job_id, idempotency_token="one").run_id == first
w.jobs.wait_get_run_job_terminated_or_skipped(first)

levels = [x.permission_level.value for x in w.jobs.get_permission_levels(str(job.job_id)).permission_levels]
assert levels == ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"], levels
w.permissions.update("jobs", str(job.job_id), access_control_list=[iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_VIEW)])
granted = {a.group_name or a.user_name for a in w.permissions.get("jobs", str(job.job_id)).access_control_list}
assert {"users", "admins", me} <= granted, granted

w.dbfs.put("/sdk/x.txt", contents="aGVsbG8=", overwrite=True)
with w.dbfs.open("/sdk/x.txt", read=True) as f:
    assert f.read() == b"hello"
w.files.upload("/Volumes/main/default/sdk/y.txt", io.BytesIO(b"there"), overwrite=True) if w.files.create_directory("/Volumes/main/default/sdk") is None else None
assert w.files.download("/Volumes/main/default/sdk/y.txt").contents.read() == b"there"
w.secrets.create_scope("sdk")
w.secrets.put_secret("sdk", "k", string_value="v")
assert w.dbutils.secrets.get("sdk", "k") == "v"

w.jobs.delete(job.job_id)
assert refused(ResourceDoesNotExist, w.jobs.get, job.job_id) == f"Job {job.job_id} does not exist."
assert refused(ResourceDoesNotExist, w.jobs.get_run, 1) == "Run 1 does not exist."
assert refused(ResourceDoesNotExist, w.jobs.delete, job.job_id)
stranger = w.tokens.create(comment="short", lifetime_seconds=60)
w.tokens.delete(stranger.token_info.token_id)
refused(Exception, WorkspaceClient(host=w.config.host, token=stranger.token_value).current_user.me)
print("all is well")

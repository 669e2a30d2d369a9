"""The context that libraries such as MLflow read their run tags from."""
import os
from types import SimpleNamespace


def get_context():
    from flowctl_rt.dbutils import context

    c = context()
    if not c:
        return None
    return SimpleNamespace(
        isInNotebook=c.get("kind") == "notebook", isInJob=True, jobId=str(c.get("job_id", "")), idInJob=str(c.get("job_run_id", "")),
        jobTaskType=c.get("kind"), jobType="NORMAL", notebookId=None, notebookPath=c.get("notebook_path") or None,
        apiUrl=os.environ.get("DATABRICKS_HOST"), apiToken=os.environ.get("DATABRICKS_TOKEN"),
        workspaceUrl=None, workspaceId=str(c.get("workspace_id", "")), browserHostName=None, clusterId="flowctl",
        aclPathOfAclRoot=None, jobGroupId=str(c.get("run_id", "")), replId=None, commandRunId=None,
        currentRunId=str(c.get("run_id", "")), taskKey=c.get("task_key", ""), sslTrustAll=False,
    )

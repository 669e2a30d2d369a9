"""How the SDK authenticates inside a runtime: with the task's own token."""
import os


def init_runtime_native_auth():
    host, token = os.environ.get("DATABRICKS_HOST"), os.environ.get("DATABRICKS_TOKEN")
    if not host or not token:
        return None, None
    return host, lambda: {"Authorization": "Bearer " + token}


def init_runtime_native_unified():
    host, headers = init_runtime_native_auth()
    return host, None, os.environ.get("DATABRICKS_WORKSPACE_ID"), headers

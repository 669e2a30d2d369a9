"""The notebook context, in the shape of the JVM object that code expects."""
import os

from flowctl_rt.dbutils import context


class Option:
    """A value that may be absent, as Scala says it."""

    def __init__(self, value):
        self._value = value

    def get(self):
        if self._value is None:
            raise ValueError("None.get")
        return self._value

    def getOrElse(self, default):
        if self._value is not None:
            return self._value
        return default() if callable(default) else default

    def isDefined(self):
        return self._value is not None

    def isEmpty(self):
        return self._value is None

    def toString(self):
        return "None" if self._value is None else "Some(%s)" % (self._value,)

    __str__ = __repr__ = toString


class Map(dict):
    def get(self, key, *default):
        if default:
            return dict.get(self, key, *default)
        return Option(dict.get(self, key))

    def apply(self, key):
        return self[key]

    def contains(self, key):
        return key in self


class Context:
    """What a run knows of itself."""

    def __init__(self):
        self._c = context()

    def _text(self, key):
        value = self._c.get(key)
        return None if value in (None, "") else str(value)

    def notebookPath(self):
        return Option(self._text("notebook_path"))

    def apiUrl(self):
        return Option(os.environ.get("DATABRICKS_HOST"))

    def apiToken(self):
        return Option(os.environ.get("DATABRICKS_TOKEN"))

    def browserHostName(self):
        host = os.environ.get("DATABRICKS_HOST", "")
        return Option(host.split("://")[-1] or None)

    def userName(self):
        return Option(self._text("user"))

    def workspaceId(self):
        return Option(self._text("workspace_id"))

    def clusterId(self):
        return Option("flowctl")

    def jobId(self):
        return Option(self._text("job_id"))

    def idInJob(self):
        return Option(self._text("job_run_id"))

    def currentRunId(self):
        return Option(self._text("run_id"))

    def rootRunId(self):
        return Option(self._text("job_run_id"))

    def jobGroup(self):
        return Option(self._text("run_id"))

    def tags(self):
        return Map(self._tags())

    def extraContext(self):
        return Map({"notebook_path": self._c.get("notebook_path", ""), "api_url": os.environ.get("DATABRICKS_HOST", "")})

    def _tags(self):
        return {
            "orgId": str(self._c.get("workspace_id", "")),
            "user": self._c.get("user", ""),
            "jobId": str(self._c.get("job_id", "")),
            "runId": str(self._c.get("run_id", "")),
            "multitaskParentRunId": str(self._c.get("job_run_id", "")),
            "taskKey": self._c.get("task_key", ""),
            "jobName": self._c.get("job_name", ""),
            "clusterId": "flowctl",
            "browserHostName": os.environ.get("DATABRICKS_HOST", "").split("://")[-1],
        }

    def toJson(self):
        import json

        run = self._c.get("run_id")
        return json.dumps({
            "currentRunId": None if run is None else {"id": run},
            "rootRunId": None if run is None else {"id": self._c.get("job_run_id")},
            "tags": self._tags(),
            "extraContext": dict(self.extraContext()),
            "attributes": dict(self._tags(), **self.extraContext()),
        })

    safeToJson = toSafeJson = toJson

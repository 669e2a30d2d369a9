"""dbutils.jobs.taskValues: values that pass between the tasks of a run."""
from flowctl_rt import attempt, quote
from flowctl_rt.dbutils import Group

LIMIT = 48 * 1024  # bytes of JSON (Databricks' page on task values)


class Jobs(Group):
    def __init__(self):
        self.taskValues = TaskValues()


class TaskValues(Group):
    def __init__(self):
        self._own = {}

    def set(self, key, value):
        """Publish a value for the tasks that come after this one."""
        import json

        if not isinstance(key, str) or not key:
            raise TypeError("the key of a task value is text: %r" % (key,))
        try:
            text = json.dumps(value, allow_nan=False)
        except ValueError as e:
            raise ValueError("task value %r: %s" % (key, e)) from None
        except TypeError as e:
            raise TypeError("task value %r: %s" % (key, e)) from None
        if len(text.encode()) > LIMIT:
            raise ValueError(
                "task value %r is %d bytes as JSON; at most %d (48 KiB) are allowed. Store it and set its path instead"
                % (key, len(text.encode()), LIMIT)
            )
        a = attempt()
        if a is None:
            return  # outside of a job the call does nothing
        a.emit('{"t":"value","key":%s,"value":%s}' % (quote(key), text))
        self._own[key] = json.loads(text)

    def get(self, taskKey, key=None, default=None, debugValue=None):
        """Read a value that a task of this run has published."""
        a = attempt()
        if a is None:
            if debugValue is None:
                raise TypeError("Must pass debugValue when calling get outside of a job context. debugValue cannot be None.")
            return debugValue
        values = self._own if taskKey == a.context.get("task_key") else self._read(a, taskKey)
        if values is not None and key in values:
            return values[key]
        if default is not None:
            return default
        if values is None:
            raise ValueError("Task key does not exist in run, or has set no value: %s" % taskKey)
        raise ValueError("Task value does not exist: task %s has not set %r; it has set %r" % (taskKey, key, sorted(values)))

    def _read(self, a, task):
        import json
        import os

        if not isinstance(task, str) or os.sep in task:
            return None
        try:
            with open(os.path.join(a.context["values_dir"], task + ".json"), encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return None

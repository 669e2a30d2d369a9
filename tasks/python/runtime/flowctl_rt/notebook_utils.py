"""dbutils.notebook: end this notebook, run another, and what it knows of itself."""
from flowctl_rt import notebook, warn
from flowctl_rt.dbutils import Group, context


class WorkflowException(Exception):
    """A notebook started by dbutils.notebook.run that did not succeed."""


class Notebook(Group):
    def __init__(self):
        self._count = 0

    def exit(self, value=None):
        """End the notebook with a value."""
        leave = notebook.NotebookExit("" if value is None else str(value))
        if notebook.runner is not None:
            notebook.runner.exit = leave
        raise leave

    def run(self, path, timeout_seconds=0, arguments=None):
        """Run another notebook in a process of its own and return its exit value."""
        from flowctl_rt import child

        args = {}
        for k, v in (arguments or {}).items():
            if not isinstance(v, str):
                warn("dbutils.notebook.run: argument %s is no text; it is passed as %r" % (k, str(v)))
            args[str(k)] = str(v)
        return child.run(path, timeout_seconds, args)

    def getContext(self):
        """What this run is: ids, path, user."""
        from flowctl_rt.repl import Context

        return Context()

    @property
    def entry_point(self):
        return EntryPoint()


class EntryPoint:
    """The way old code takes to the context."""

    def getDbutils(self):
        return self

    def notebook(self):
        return self

    def getContext(self):
        from flowctl_rt.repl import Context

        return Context()

    # What MLflow asks before it takes the token of the context.

    def getLogger(self):
        return self

    def logUsage(self, *args):
        pass

    def getNonUcApiToken(self):
        return self.getContext().apiToken().get()

    def getDriverConf(self):
        return self

    def workflowSslTrustAll(self):
        return False

    def getCurrentBindings(self):
        return dict(context().get("bindings", {}))

    def getJobId(self):
        return str(context().get("job_id", ""))

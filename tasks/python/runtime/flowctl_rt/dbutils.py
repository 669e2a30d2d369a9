"""dbutils, as far as a job can use it."""
from flowctl_rt import FlowctlUnsupported, attempt


class Group:
    """One of dbutils' groups: help() lists what it can do."""

    def help(self, name=None):
        lines = []
        for key in sorted(dir(type(self))):
            if key.startswith("_") or key == "help" or name not in (None, key):
                continue
            doc = (getattr(type(self), key).__doc__ or "").strip().split("\n")[0]
            lines.append("%s: %s" % (key, doc))
        if not lines:
            lines = ["no method %r here" % name]
        print("\n".join(lines))


class DBUtils(Group):
    """The utilities that a notebook finds under the name dbutils."""

    def __init__(self, spark=None, *ignored):
        pass

    def _group(name, module):  # noqa: N805  (a factory for the properties below)
        def load(self):
            found = self.__dict__.get("_" + name)
            if found is None:
                import importlib

                found = getattr(importlib.import_module("flowctl_rt." + module), name.capitalize())()
                self.__dict__["_" + name] = found
            return found

        load.__doc__ = "dbutils." + name
        return property(load)

    widgets = _group("widgets", "widgets")
    jobs = _group("jobs", "jobs")
    notebook = _group("notebook", "notebook_utils")
    fs = _group("fs", "fs")
    secrets = _group("secrets", "secrets")
    library = _group("library", "library")
    del _group

    def help(self, name=None):
        """What there is."""
        print("widgets, jobs.taskValues, notebook, fs, secrets, library: each has help()")

    @property
    def data(self):
        """Summaries of data frames."""
        return Data()

    @property
    def entry_point(self):
        """The way old code takes to the context; MLflow 2 is such code."""
        return self.notebook.entry_point

    @property
    def credentials(self):
        """Credentials of cloud services: not here."""
        raise FlowctlUnsupported("dbutils.credentials: cloud credentials come from a workspace; there is none here")

    def __getattr__(self, name):
        if name in ("meta", "preview", "api", "feature_store"):
            raise FlowctlUnsupported("dbutils.%s is not part of the local runtime" % name)
        raise AttributeError("dbutils has no %r" % name)


class Data(Group):
    """Summaries of data frames."""

    def summarize(self, df, precise=False):
        """Print a summary of a data frame's columns."""
        from flowctl_rt import display

        display.display(df.describe())


def context():
    """The attempt's context; {} outside of an attempt."""
    a = attempt()
    return a.context if a is not None else {}

"""Runs one attempt: python main.py ATTEMPT_DIR [--resume].

A plain script must cost next to nothing beyond the script itself, so this
file imports only what the interpreter has loaded already; everything else is
loaded when it is first used.
"""
import os
import sys
import _signal


class Attempt:
    """The attempt that this process runs: its context and its way to report."""

    def __init__(self, directory):
        self.dir = directory
        with open(os.path.join(directory, "context.json"), encoding="utf-8") as f:
            # Written by the engine's JSON encoder, which is a Python literal
            # but for these three words; importing json costs milliseconds.
            self.context = eval(f.read(), {"__builtins__": {}, "true": True, "false": False, "null": None})
        self.events = os.open(os.path.join(directory, "events.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def emit(self, line):
        """Append one event, already JSON, in a single write."""
        os.write(self.events, line.encode("utf-8", "backslashreplace") + b"\n")

    def finish(self, text):
        """Write the result, all at once; its presence is a clean end."""
        path = os.path.join(self.dir, "result.json")
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            data = text.encode("utf-8", "backslashreplace")
            while data:
                data = data[os.write(fd, data):]
        finally:
            os.close(fd)
        os.rename(path + ".new", path)


class Lazy:
    """Stands for a runtime object until somebody touches it."""

    def __init__(self, name):
        object.__setattr__(self, "_lazy_name", name)

    def _lazy_real(self):
        from flowctl_rt import namespace

        return namespace.get(object.__getattribute__(self, "_lazy_name"))

    def __getattr__(self, name):
        if name.startswith("_lazy"):
            raise AttributeError(name)
        return getattr(self._lazy_real(), name)

    def __setattr__(self, name, value):
        setattr(self._lazy_real(), name, value)

    def __call__(self, *args, **kwargs):
        return self._lazy_real()(*args, **kwargs)

    def __repr__(self):
        return repr(self._lazy_real())

    def __dir__(self):
        return dir(self._lazy_real())

    @property
    def __class__(self):
        """isinstance(spark, SparkSession) asks for this."""
        if object.__getattribute__(self, "_lazy_name") not in ("spark", "sc", "sqlContext"):
            return Lazy
        return type(self._lazy_real())


NAMES = ("dbutils", "spark", "sc", "sqlContext", "sql", "table", "udf", "display", "displayHTML", "getArgument")


class Shims:
    """Modules that Databricks adds to packages of others, and the SDK's runtime
    module where the SDK is not installed. Asked last, so it costs others nothing."""

    names = ("pyspark.dbutils", "databricks.connect", "databricks", "databricks.sdk", "databricks.sdk.runtime", "dlt")

    def find_spec(self, name, path=None, target=None):
        if name not in self.names:
            return None
        from importlib.util import spec_from_file_location

        here = os.path.dirname(os.path.abspath(__file__))
        package = [] if name in ("databricks", "databricks.sdk") else None
        return spec_from_file_location(
            name, os.path.join(here, "shims", name.replace(".", "_") + ".py"), submodule_search_locations=package
        )


class Hooks:
    """Modules of others that behave otherwise inside of a run: each is changed
    right after it has been loaded, by the module of ours that is named here."""

    names = {
        "pyspark.context": "spark_import", "pyspark.sql.utils": "spark_import", "pyspark.sql.session": "spark_import",
        "pyspark.sql.connect.session": "spark_import", "pyspark.ml.util": "spark_ml", "pyspark.ml.connect.readwrite": "spark_ml",
        "delta.tables": "spark_delta", "mlflow": "mlflow_import", "mlflow.spark": "mlflow_spark", "mlflow.utils.virtualenv": "mlflow_virtualenv",
        "pyspark.pipelines": "pipeline_define",
    }

    def find_spec(self, name, path=None, target=None):
        if name not in self.names:
            return None
        ours = self.names.pop(name)
        from importlib import import_module, util

        spec = util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        real = spec.loader.exec_module

        def exec_module(module):
            real(module)
            import_module("flowctl_rt." + ours).change(module)

        spec.loader.exec_module = exec_module
        return spec


def stop(signum, frame):
    if os.getpid() != process:  # a fork of ours: the signal is for it alone
        _signal.signal(signum, _signal.SIG_DFL)
        os.kill(os.getpid(), signum)
        return
    raise KeyboardInterrupt()


def main():
    global attempt, process
    for lock in (3, 4):  # what says that we are alive, and that the environment is in use
        try:
            os.set_inheritable(lock, False)
        except OSError:
            break
        locks.append(lock)
    attempt, process = Attempt(sys.argv[1]), os.getpid()
    context = attempt.context
    resumed = "--resume" in sys.argv
    sys.path[:0] = context.get("sys_path", ())
    sys.meta_path.append(Shims())
    if context.get("spark"):
        sys.meta_path.insert(0, Hooks())
        if context["spark"].get("connect"):
            os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # what PySpark itself asks: its functions and types are Connect's then
        for name, value in context["spark"].get("env", {}).items():
            if "{{" in value:  # the engine has set the others
                from flowctl_rt import spark_profile

                os.environ[name] = spark_profile.secret(value)
    if not resumed:
        attempt.emit('{"t":"started","pid":%d}' % os.getpid())
    _signal.signal(_signal.SIGTERM, stop)
    _signal.signal(_signal.SIGINT, stop)
    roots = context.get("fs")
    if roots:
        from flowctl_rt import paths

        paths.install(roots)
    from flowctl_rt import facts

    if not resumed:
        facts.begin()
    kind = context["kind"]
    status = 0
    try:
        if kind == "script":
            run_script(context, facts)
            result = '{"outcome":"SUCCESS"}'
        elif kind == "wheel":
            from flowctl_rt import wheel

            result = wheel.run(context)
        elif kind == "sql":
            from flowctl_rt import spark_file

            result = spark_file.run(context)
        elif kind == "pipeline":
            from flowctl_rt import pipeline

            result = pipeline.run(context)
        elif kind in ("jar", "submit"):
            from flowctl_rt import spark_submit

            result = spark_submit.run(context)
        elif kind == "dbt":
            from flowctl_rt import dbt_task

            result = dbt_task.run(context)
        else:
            from flowctl_rt import notebook

            result = notebook.run(context, resumed)
    except BaseException as e:  # the user's code may raise anything
        from flowctl_rt import failure

        result, status = failure.result(e)
    flush()
    facts.end()
    spark = sys.modules.get("flowctl_rt.spark_attach")
    if spark:
        spark.detach(status == 0)
    attempt.finish(result)
    if sys.dont_write_bytecode:
        compile_runtime()
    sys.exit(status)


def compile_runtime():
    """Where the user wants no compiled files beside his own code, ours still
    are compiled once: the next start is faster by some milliseconds."""
    here = os.path.dirname(os.path.abspath(__file__))
    marker = os.path.join(here, "compiled." + sys.implementation.cache_tag)
    if os.path.exists(marker):
        return
    try:
        import compileall

        if compileall.compile_dir(here, quiet=2):
            os.close(os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        pass  # a runtime that cannot be written to stays as it is


def run_script(context, facts):
    path = context["path"]
    with open(path, "rb") as f:
        source = f.read()
    facts.source(path, source, "script")
    sys.argv = [path] + context["argv"]
    sys.path.insert(0, os.path.dirname(path))
    module = type(sys)("__main__")
    module.__file__ = path
    module.__builtins__ = __builtins__
    for name in NAMES:
        setattr(module, name, Lazy(name))
    sys.modules["__main__"] = module
    exec(compile(source, path, "exec"), module.__dict__)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    redact = sys.modules.get("flowctl_rt.redact")
    if redact:
        redact.drain()


attempt = process = None  # set by main
locks = []  # descriptors that we inherited, and pass on when Python restarts

"""foreachBatch under Spark Connect: its function runs in a process beside the
server, where names, paths and Delta's classes are to be the task's as well."""
import os
import sys


def shipped(function):
    """A function for that process, which makes itself at home there before it calls the task's own."""
    from pyspark.serializers import CloudPickleSerializer

    from flowctl_rt import attempt, spark_attach

    body, folder, life, paths = CloudPickleSerializer().dumps(function), attempt().dir, spark_attach.life(), list(sys.path)

    def run(frame, batch):  # pickled as it is: of this module it knows nothing
        import sys

        sys.path.extend(p for p in paths if p not in sys.path)
        from flowctl_rt import spark_batch

        return spark_batch.entered(folder, life, frame.sparkSession, body)(frame, batch)

    return run


_functions = {}


def entered(folder, life, session, body):
    """The task's own function, in the process that it was sent to."""
    if body not in _functions:
        _settle(folder, life, session)
        from pyspark.serializers import CloudPickleSerializer

        _functions[body] = CloudPickleSerializer().loads(body)
    return _functions[body]


def _settle(folder, life, session):
    """What a task's process does at its start and when it first touches Spark."""
    from flowctl_rt import spark

    if spark._session is session:
        return
    os.environ["FLOWCTL_TASK_DIR"] = folder
    import flowctl_attempt

    from flowctl_rt import attempt, paths, spark_attach

    sys.meta_path.append(flowctl_attempt.Shims())
    sys.meta_path.insert(0, flowctl_attempt.Hooks())
    if attempt().context.get("fs"):
        paths.install(attempt().context["fs"])
    spark_attach.join(life, session)
    spark._session = session

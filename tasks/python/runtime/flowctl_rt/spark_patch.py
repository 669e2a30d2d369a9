"""What is different about PySpark here, put onto its classes once a session is there."""
from flowctl_rt import warn

_done = False


def install(session):
    """Change PySpark's classes; done once in a process."""
    global _done
    if _done:
        return
    _done = True
    _keep_running(session)


def _keep_running(session):
    """The driver is not this task's alone: stop() of session or context does nothing but say so."""
    told = []

    def stop(self):
        if not told:
            told.append(True)
            warn("spark.stop() does nothing here: the driver is shared with the other tasks of the run and ends with it")

    type(session).stop = stop
    type(session.sparkContext).stop = stop

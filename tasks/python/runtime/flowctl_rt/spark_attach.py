"""Finds the Spark driver of this attempt, starts it where nobody has, and
makes a session of it.

A driver is a folder (context.json names it) with a numbered folder for each
life: spec.json, the files that spark_driver.py writes, and in tasks/ a locked
file for each process that is attached. Whoever comes first starts it, under
the folder's lock; it belongs to no task and lives on when that one ends.
"""
import fcntl
import json
import os
import sys
import time

from flowctl_rt import attempt, spark_profile

_life = None  # the folder of the driver's life that this process is attached to
_lock = None  # held as long as this process is attached
_connection = None  # (port, secret) of the driver's own gateway
_java = None  # (the JVM, our session in it)


class SparkDriverDied(RuntimeError):
    """The driver is gone; what ran on it is lost. Another try gets a new one."""


class SparkUnavailable(RuntimeError):
    """There can be no Spark session, for a reason that the message tells."""


def settings():
    """What the engine says of this attempt's Spark."""
    a = attempt()
    found = a.context.get("spark") if a is not None else None
    if not found:
        raise SparkUnavailable("this process belongs to no task that has Spark")
    return found


def connects():
    """Whether the task's session is one of Spark Connect."""
    return bool(settings().get("connect"))


def life():
    """The folder of the driver's life that this process is attached to."""
    return _life


def lives():
    """Whether the driver is there."""
    return alive(_life)


def java():
    """The JVM, and the session in it that is behind the task's: for our own machinery."""
    return _java


def java_frame(frame):
    """What a data frame is in the JVM; None if it has nothing there."""
    if not connects():
        return getattr(frame, "_jdf", None)
    from flowctl_rt import spark_connect

    return spark_connect.bridge.java_frame(frame)


def start():
    """See to it that the driver runs or is being started; its folder. Does not wait for it."""
    want = settings()
    home = spark_profile.home()
    if connects():
        from flowctl_rt import spark_connect

        spark_connect.fits(home)
    base = os.path.join(want["dir"], spark_profile.key(home))
    if want.get("isolated"):
        base = os.path.join(attempt().dir, "spark")
    os.makedirs(base, mode=0o700, exist_ok=True)
    with open(os.path.join(base, "lock"), "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lives = sorted(int(n) for n in os.listdir(base) if n.isdigit())
        if lives:
            life = os.path.join(base, str(lives[-1]))
            if alive(life) and not os.path.exists(os.path.join(life, "end")):
                return life
        life = os.path.join(base, str(lives[-1] + 1 if lives else 1))
        os.makedirs(os.path.join(life, "tasks"), mode=0o700)
        with open(os.path.join(life, "spec.json"), "w", encoding="utf-8") as f:
            os.chmod(f.name, 0o600)
            json.dump(spark_profile.spec(home, dict(want, dir=base)), f)
        _spawn(life)
        return life


def alive(life):
    """Whether a driver's keeper lives: it holds a lock as long as it does."""
    try:
        with open(os.path.join(life, "alive"), "a+") as f:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True


def _spawn(life):
    """Start the driver's keeper, in a session of its own: no end of this task ends it."""
    import subprocess

    ours = ("FLOWCTL_TASK_DIR", "FLOWCTL_CONTEXT", "FLOWCTL_EVENTS", "FLOWCTL_VALUES", "SPARK_CONNECT_MODE_ENABLED")
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spark_driver.py")
    held = open(os.path.join(life, "alive"), "a+")
    log = open(os.path.join(life, "driver.log"), "ab")
    with held, log:
        fcntl.flock(held, fcntl.LOCK_EX)
        subprocess.Popen(
            [sys.executable, "-I", "-S", here, life], env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, pass_fds=(held.fileno(),),
        )


def _wait(life):
    """The driver's gateway, when it is there: (port, secret)."""
    import struct

    told, began, delay = False, time.time(), 0.01
    while True:
        living = alive(life)  # asked first: what it left behind is there by then
        try:
            with open(os.path.join(life, "conn"), "rb") as f:
                data = f.read()
            port, n = struct.unpack(">ii", data[:8])
            return port, data[8:8 + n].decode()
        except FileNotFoundError:
            pass
        if not living:
            raise SparkUnavailable(_why(life) or "the Spark driver did not start; its last lines:\n" + log_tail(life))
        if not told and time.time() - began > 20:
            told = True
            print("waiting for the Spark driver to start (the first start in a data directory downloads jars)", file=sys.stderr)
        time.sleep(delay)
        delay = min(delay * 1.5, 0.1)


def _why(life):
    try:
        with open(os.path.join(life, "failed"), encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def log_tail(life, lines=20):
    """The last lines of the driver's log."""
    try:
        with open(os.path.join(life, "driver.log"), "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - 16384))
            return "\n".join(f.read().decode("utf-8", "replace").rstrip().split("\n")[-lines:])
    except OSError:
        return ""


def _gateway(port, secret):
    from py4j.clientserver import ClientServer, JavaParameters, PythonParameters

    return ClientServer(
        java_parameters=JavaParameters(port=port, auth_token=secret, auto_convert=True),
        python_parameters=PythonParameters(port=0, eager_load=False),
    )


def name():
    """How this attempt's session and its jobs are known in the driver."""
    return "flowctl-" + attempt().dir


def own_jobs(context):
    """What this thread starts from here on is the task's, and is cancelled with it. context: Spark's, here or in the JVM."""
    context.setJobGroup(name(), "task " + str(attempt().context.get("task_key", "")), False)


def session():
    """Attach: a gateway of our own in the driver, so that calls back to Python reach this process, and our session."""
    global _life, _connection
    _life = start()
    import pyspark.sql  # noqa: F401  (it takes a while, in which the driver starts)

    _connection = _wait(_life)
    try:
        return _attach()
    except Exception as e:
        died = explain(e)
        if died is e:
            raise
        raise died from e


def join(life, session):
    """In a process that is none of the task's own, with a session of Spark Connect that is: know what is behind it."""
    global _life, _connection, _java
    from flowctl_rt import spark_connect, spark_patch

    _life, _connection = life, _wait(life)
    _java = spark_connect.join(session, _gateway(*_connection))
    spark_patch.install(session, _java)


def _attach():
    global _lock, _java
    _lock = open(os.path.join(_life, "tasks", "%d-%d" % (os.getpid(), time.time() * 1000)), "w")
    fcntl.flock(_lock, fcntl.LOCK_EX)
    _lock.write(name())
    _lock.flush()
    control = _gateway(*_connection)
    if connects():
        from flowctl_rt import spark_connect as kind
    else:
        from flowctl_rt import spark_classic as kind
    from flowctl_rt import spark_converters, spark_facts, spark_patch

    spark_converters.install()
    session, _java = kind.attach(control)
    spark_patch.install(session, _java)
    spark_facts.attached(*_java, name(), spark_profile.warehouse(settings()))
    return session


def detach(clean):
    """Let go of the driver at the end of the task; what it still runs for us is cancelled."""
    if _connection is None:
        return
    if "flowctl_rt.spark_connect" in sys.modules:
        sys.modules["flowctl_rt.spark_connect"].close()
    if settings().get("isolated"):
        open(os.path.join(_life, "end"), "w").close()
        return
    try:
        control = _gateway(*_connection)
        cancel(control.jvm, name())
        control.close()
    except Exception as e:  # the driver may be the very thing that is gone
        if clean and alive(_life):
            print("warning: the task's Spark session could not be closed: %s" % e, file=sys.stderr)


def cancel(jvm, who):
    """End the jobs, streams and session of a task."""
    kept = jvm.System.getProperties()
    jsession = kept.remove(who)
    kept.remove(who + ".reads")
    holder = kept.remove(who + ".connect")
    context = jvm.org.apache.spark.SparkContext.getOrCreate()
    if context.version().startswith("3."):
        context.cancelJobGroup(who)
    else:  # a thread of the JVM may be on the way to its first job yet
        context.cancelJobGroupAndFutureJobs(who)
    if jsession is None:
        return
    if holder is not None:  # ends what it runs, too
        from flowctl_rt import spark_connect

        spark_connect.close_session(jvm, holder)
    if not jsession.sharedState().activeStreamingQueries().isEmpty():
        for query in jsession.streams().active():
            query.stop()
    if not jsession.version().startswith("3."):  # a session of Spark 3 has only its job group; hasattr is true of every Java method
        jsession.interruptAll()


def explain(error):
    """The error itself; if the driver is gone, that is the error, with its last lines."""
    if _connection is None or isinstance(error, (SparkDriverDied, SparkUnavailable)) or not _gone(error):
        return error
    why = _why(_life) or "it ended without a word"
    return SparkDriverDied("DRIVER_DIED: the Spark driver of this task is gone: %s\n%s" % (why, log_tail(_life)))


def _gone(error):
    """Whether the driver is gone. One that cannot be reached is on its way: its keeper is given time to say why."""
    lost = False
    seen = error
    while seen is not None and not lost:
        lost = isinstance(seen, ConnectionError) or type(seen).__name__ == "Py4JNetworkError"
        seen = seen.__cause__ or seen.__context__
    limit = time.time() + (10 if lost else 0)
    while alive(_life):
        if time.time() >= limit:
            return False
        time.sleep(0.05)
    return True

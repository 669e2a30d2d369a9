"""Keeps one Spark driver alive: python spark_driver.py FOLDER.

The driver is Spark's own gateway process, which ends when its standard input
does: this process holds the other end, so that none outlives it. It ends the
driver when the folder's "end" appears or the folder goes, or when no task has
been attached for a while; a task that went without a word loses its jobs.

Files: spec.json (what to start; gone once read), driver.log, conn (port and secret, written
by the driver), failed (why there is none, or none any more).
"""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time

POLL = 0.25  # seconds between two looks at the folder


class Failure(Exception):
    """Why there is no driver, for people."""


def main(folder):
    os.chdir(folder)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: open("end", "w").close())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open("spec.json", encoding="utf-8") as f:
        spec = json.load(f)
    os.remove("spec.json")  # it may hold secrets, and has been read
    sys.path[:0] = spec["sys_path"]
    try:
        java(spec)
        status = Keeper(spec).keep()
        if status is not None:
            raise Failure("it ended with %s" % describe(status))
    except Failure as e:
        tell(str(e))
        return 1
    except OSError as e:
        tell("%s: %s" % (type(e).__name__, e))
        return 1
    return 0


def tell(why):
    """Leave the reason, all at once."""
    try:
        with open("failed.new", "w", encoding="utf-8") as f:
            f.write(why)
        os.rename("failed.new", "failed")
    except OSError:
        pass  # a full disk, or the folder is gone: the log has what there is


def describe(status):
    if status < 0:
        return "signal %d%s" % (-status, " (killed, for example because memory ran out)" if status == -9 else "")
    return "exit status %d" % status


def java(spec):
    """Refuse a machine without a Java that this Spark can use."""
    home = spec["env"].get("JAVA_HOME") or os.environ.get("JAVA_HOME")
    program = os.path.join(home, "bin", "java") if home else "java"
    need = spec["java"]
    mend = "install a JDK or JRE %d (for example the package openjdk-%d-jre-headless) and put java on PATH, or set JAVA_HOME" % (need, need)
    try:
        out = subprocess.run([program, "-version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).stdout.decode("utf-8", "replace")
    except OSError:
        where = "JAVA_HOME is %s, which has no bin/java" % home if home else "there is no java on PATH and JAVA_HOME is not set"
        raise Failure("Spark needs Java %d, and %s: %s" % (need, where, mend)) from None
    version = out.partition('version "')[2].partition('"')[0]
    parts = version.split(".")
    major = parts[1] if parts[0] == "1" and len(parts) > 1 else parts[0].split("-")[0]
    if not major.isdigit() or int(major) < need:
        raise Failure("Spark needs Java %d or newer, and %s is %s: %s" % (need, program, version or "no Java that runs", mend))


def jars(spec):
    """The jars of the packages that the driver needs beside Spark's own: fetched
    once into the cache by Spark's own resolver, for all drivers."""
    found, cache = [], spec["cache"]
    if not spec["packages"]:
        return found
    os.makedirs(cache, mode=0o700, exist_ok=True)
    with open(os.path.join(cache, "lock"), "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for group in spec["packages"]:
            found += fetch(spec, group, cache)
    return found


def fetch(spec, group, cache):
    """The jars of one group of packages: a list of coordinates that are tried in order, the first that is to be had."""
    import hashlib

    lines = []
    for packages in group["any"]:
        mark = "\n".join([packages] + [group.get("excludes", ""), group.get("repositories", "")])
        folder = os.path.join(cache, hashlib.sha256(mark.encode()).hexdigest()[:16])
        if broken(folder):
            sys.stderr.write("%s holds a broken jar; it is fetched anew\n" % folder)
            shutil.rmtree(folder)
        if not os.path.exists(os.path.join(folder, "done")):
            argv = [spec["submit"], "--packages", packages, "--conf", "spark.jars.ivy=" + folder]
            for flag, word in (("--exclude-packages", "excludes"), ("--repositories", "repositories")):
                if group.get(word):
                    argv += [flag, group[word]]
            env = dict(os.environ, **spec["env"])
            env["_PYSPARK_DRIVER_CONN_INFO_PATH"] = os.path.join(folder, "conn")
            os.makedirs(folder, exist_ok=True)
            done = subprocess.run(argv + ["pyspark-shell"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            out = done.stdout.decode("utf-8", "replace")
            sys.stderr.write(out)
            if done.returncode != 0:
                lines += [l.strip() for l in out.split("\n") if "not found" in l or "unresolved" in l.lower() or "Exception" in l][:4]
                continue
            open(os.path.join(folder, "done"), "w").close()
        return own(spec, os.path.join(folder, "jars"))
    raise Failure(
        "the jars of %s could not be fetched (%s). They come from Maven Central on the first start, and are kept in %s: "
        "see that this machine reaches it once, or copy that folder from one that has" % (" or ".join(group["any"]), "; ".join(lines[:3]) or "no answer", cache)
    )


def broken(folder):
    """Whether a jar of a folder cannot be read: Spark would go on without what is in it."""
    import zipfile

    jars = os.path.join(folder, "jars")
    return os.path.isdir(jars) and any(n.endswith(".jar") and not zipfile.is_zipfile(os.path.join(jars, n)) for n in os.listdir(jars))


def own(spec, folder):
    """The jars of a folder that Spark has not got itself."""
    def stem(name):
        words = name[:-4].split("-")
        for i, w in enumerate(words):
            if w[:1].isdigit():
                return "-".join(words[:i])
        return name

    have = {stem(n) for n in os.listdir(spec["spark_jars"]) if n.endswith(".jar")}
    names = [n for n in sorted(os.listdir(folder)) if n.endswith(".jar")]
    return [os.path.join(folder, n) for n in names if stem(n.partition("_")[2] or n) not in have]


class Keeper:
    """One driver process, from its start to its end."""

    def __init__(self, spec):
        self.spec = spec
        self.known = {}  # task file → the name of its session
        self.idle_since = time.time()
        conf = dict(spec["conf"])
        extra = jars(spec) + spec["jars"]
        if extra:
            conf["spark.jars"] = ",".join(extra)
        with open("spark.properties", "w", encoding="utf-8") as f:  # for nobody else to read, and gone once Spark has read it
            for key, value in sorted(conf.items()):
                f.write("%s=%s\n" % (escape(key), escape(value)))
        env = dict(os.environ, **spec["env"])
        env["_PYSPARK_DRIVER_CONN_INFO_PATH"] = os.path.abspath("conn")
        self.process = subprocess.Popen([spec["submit"], "--properties-file", "spark.properties", "pyspark-shell"], env=env, stdin=subprocess.PIPE)

    def keep(self):
        """Until it ends. None: because it was told to; else its exit status."""
        warmed = False
        while self.process.poll() is None:
            if self.over():
                self.stop()
                return None
            if not warmed and os.path.exists("conn"):
                warmed = True
                os.remove("spark.properties")
                self.with_driver(lambda jvm: jvm.org.apache.spark.SparkContext.getOrCreate())
            self.tasks()
            try:
                self.process.wait(POLL if warmed else 0.02)
            except subprocess.TimeoutExpired:
                pass
        return self.process.returncode

    def over(self):
        if not os.path.exists(self.spec["folder"]) or os.path.exists("end"):
            return True
        if self.known:
            self.idle_since = time.time()
        return time.time() - self.idle_since > self.spec["idle"]

    def tasks(self):
        """Learn who is attached, and cancel what the gone ones left running."""
        try:
            names = os.listdir("tasks")
        except FileNotFoundError:
            return
        for n in names:
            path = os.path.join("tasks", n)
            with open(path, "a+", encoding="utf-8") as f:
                try:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.known[n] = True
                    continue
                f.seek(0)
                who = f.read()
            if n in self.known or time.time() - os.stat(path).st_mtime > 5:
                self.known.pop(n, None)
                os.remove(path)
                if who and not self.attached(who):
                    if self.spec.get("isolated"):
                        open("end", "w").close()  # nobody else has it, and what it runs may not be in a job group
                    self.with_driver(lambda jvm, who=who: self.cancel(jvm, who))

    def attached(self, who):
        """Whether a session goes on in another process: that of a notebook that restarted Python."""
        try:
            with open(os.path.join(who[len("flowctl-"):], "lock"), "a+") as f:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False

    def cancel(self, jvm, who):
        from flowctl_rt.spark_attach import cancel

        cancel(jvm, who)

    def with_driver(self, fn):
        """Ask the driver something; that it cannot answer is seen by its end."""
        import struct

        try:
            with open("conn", "rb") as f:
                data = f.read()
            port, n = struct.unpack(">ii", data[:8])
            from flowctl_rt.spark_attach import _gateway

            gateway = _gateway(port, data[8:8 + n].decode())
            fn(gateway.jvm)
            gateway.close()
        except Exception as e:
            print("driver: %s: %s" % (type(e).__name__, e), file=sys.stderr)

    def stop(self):
        self.process.stdin.close()
        for sig in (None, signal.SIGTERM, signal.SIGKILL):
            if sig is not None:
                self.process.send_signal(sig)
            try:
                self.process.wait(10)
                return
            except subprocess.TimeoutExpired:
                pass


def escape(text):
    """A word of a Java properties file."""
    return "".join("\\" + c if c in "\\=: #!" else {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c, c) for c in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""dbutils.library and %pip: what a notebook installs for itself."""
import os
import sys

from flowctl_rt import FlowctlUnsupported, attempt
from flowctl_rt.dbutils import Group


class RestartPython(BaseException):
    """The notebook goes on with the next cell in a fresh interpreter."""


class Library(Group):
    def restartPython(self):
        """Start Python anew; the notebook goes on with the next cell."""
        raise RestartPython()

    def install(self, *args, **kwargs):
        """Use %pip."""
        raise FlowctlUnsupported("dbutils.library.install is gone; use %pip install")

    installPyPI = install


def overlay():
    """The folder of what %pip installed in this attempt."""
    return os.path.join(attempt().dir, "overlay")


def use_overlay():
    """Make the overlay importable, here and in child processes."""
    folder = overlay()
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.insert(0, folder)
        old = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = folder + (os.pathsep + old if old else "")


def pip(line):
    """Run a %pip line: install goes to the overlay, all else to pip as it is."""
    import importlib
    import shlex
    import subprocess

    args = shlex.split(line, comments=True)
    if not args:
        raise ValueError("%pip: say what to do, for example %pip install PACKAGE")
    command = [sys.executable, "-m", "pip", args[0], "--disable-pip-version-check"]
    if args[0] == "install":
        command += ["--no-input", "--target", overlay(), "--upgrade"]
        args = [a for a in args if a not in ("-q", "--quiet", "-U", "--upgrade", "--user")]
    elif args[0] in ("list", "freeze") and os.path.isdir(overlay()):
        command += ["--path", overlay()]
    sys.stdout.flush()
    done = subprocess.run(command + args[1:])
    if done.returncode != 0:
        raise RuntimeError("%%pip %s failed with exit status %d" % (line.strip(), done.returncode))
    use_overlay()
    importlib.invalidate_caches()

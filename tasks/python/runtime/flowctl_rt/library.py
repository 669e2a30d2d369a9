"""dbutils.library and %pip: what a notebook installs for itself."""
import sys

from flowctl_rt import FlowctlUnsupported
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


def pip(line):
    """Run a %pip line: install makes an overlay, all else is left to pip."""
    import shlex
    import subprocess

    from flowctl_rt import overlay, warn

    args = [_local(a) for a in shlex.split(line, comments=True)]
    for i in range(1, len(args)):
        if args[i - 1] in ("-r", "--requirement"):
            args[i] = _localized(args[i])
    if not args:
        raise ValueError("%pip: say what to do, for example %pip install PACKAGE")
    sys.stdout.flush()
    if args[0] == "uninstall":
        # The environment is not this notebook's alone.
        warn("%%pip %s: packages stay installed here; import order decides, install another version instead" % line.strip())
        return
    if args[0] == "install":
        status = overlay.install([a for a in args[1:] if a != "--user"])
    else:
        status = subprocess.run(overlay.pip_command(sys.executable) + [args[0], "--disable-pip-version-check"] + args[1:]).returncode
    if status != 0:
        raise RuntimeError("%%pip %s failed with exit status %d" % (line.strip(), status))


def _local(word):
    """A path of a workspace or a volume as it is here; all else as it is."""
    from flowctl_rt import paths

    bare = word[5:] if word.startswith("dbfs:/") else word
    if word.startswith("dbfs:/") and not bare.startswith("/Volumes/"):
        bare = "/dbfs" + bare
    return paths.local(bare) or word if bare.startswith("/") else word


def _localized(path):
    """A requirements file in which the paths are as they are here."""
    import hashlib
    import os

    from flowctl_rt import attempt

    try:
        with open(path, encoding="utf-8-sig") as f:
            text = f.read()
    except OSError:
        return path  # pip says what is wrong
    if not any(p in text for p in ("/Workspace/", "/Volumes/", "/dbfs/", "dbfs:/")):
        return path
    text = "\n".join(" ".join(_local(w) for w in line.split(" ")) for line in text.split("\n"))
    folder = os.path.join(attempt().dir, "requirements-" + hashlib.sha256(path.encode()).hexdigest()[:8])
    os.makedirs(folder, exist_ok=True)
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "w", encoding="utf-8") as f:
        f.write(text)
    return copy

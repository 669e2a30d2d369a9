"""What %pip installs: a virtual environment over the attempt's own for each
%pip install, named by all that goes into it, kept and used again. On disk it
is like the environments that the engine makes (env.json, lock.txt, used, and
a lock file beside it), so that one command lists and removes them all."""
import os
import sys

from flowctl_rt import attempt

_held = []  # locks of the overlays in use, open as long as this process lives
_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "PIP_PRE", "PIP_NO_BINARY", "PIP_ONLY_BINARY")
_FILES = ("-r", "--requirement", "-c", "--constraint")
_MADE = ("__pycache__", "build", "dist", "venv", "node_modules")


def use():
    """Make what this attempt has installed importable, here and in children."""
    for site in _sites():
        _enter(site)


def install(args):
    """Carry out %pip install with these arguments. False: pip refused."""
    import importlib

    folder = os.path.join(_store(), _key(args))
    lock = _lock(folder, False)
    while not os.path.exists(os.path.join(folder, "env.json")):
        os.close(lock)
        status = _make(folder, args)
        if status != 0:
            return status
        lock = _lock(folder, False)
    _held.append(lock)
    _stamp(folder)
    site = _site(folder)
    if site not in _sites():
        with open(_list(), "a", encoding="utf-8") as f:
            f.write(site + "\n")
    _enter(site)
    importlib.invalidate_caches()
    with open(os.path.join(folder, "env.json"), encoding="utf-8") as f:
        attempt().emit('{"t":"fact","kind":"environment","data":%s}' % f.read().replace("\n", " "))
    return 0


def _store():
    a = attempt()
    return a.context.get("envs_dir") or os.path.join(a.dir, "envs")


def _list():
    return os.path.join(attempt().dir, "overlays")


def _sites():
    """The folders of this attempt's overlays, oldest first."""
    try:
        with open(_list(), encoding="utf-8") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def _site(folder):
    return os.path.join(folder, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def _enter(site):
    """Put an overlay before all others on the path."""
    import site as sites

    before = [p for p in sys.path if p != site]  # after a restart it is there, from PYTHONPATH
    sys.path[:] = before
    sites.addsitedir(site)
    new = [p for p in sys.path if p not in before]
    sys.path[:] = new + before
    _prepend("PYTHONPATH", new)
    _prepend("PATH", [os.path.join(_folder(site), "bin")])
    lock = _folder(site) + ".lock"
    if not any(os.fstat(fd).st_ino == _inode(lock) for fd in _held):
        _held.append(_lock(_folder(site), False))


def _prepend(name, folders):
    old = os.environ.get(name, "").split(os.pathsep) if os.environ.get(name) else []
    os.environ[name] = os.pathsep.join(folders + [p for p in old if p not in folders])


def _folder(site):
    return os.path.dirname(os.path.dirname(os.path.dirname(site)))


def _inode(path):
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


def _key(args):
    """The name of the overlay that these arguments make here."""
    import hashlib

    h = hashlib.sha256()
    add = lambda *parts: h.update(("\0".join(map(str, parts)) + "\n").encode("utf-8", "backslashreplace"))
    add("flowctl overlay 2", sys.executable, sys.version)
    import site

    for folder in site.getsitepackages():
        if os.path.isdir(folder):
            add(*sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info", ".egg-link", ".pth"))))
    add(*_sites())
    add(*(os.environ.get(name, "") for name in _SETTINGS))
    editable = False
    for i, arg in enumerate(args):
        path = arg.split("[")[0]
        if not os.path.isfile(path):
            add(arg)
        if os.path.isfile(path):
            _add_file(add, h, path, i > 0 and args[i - 1] in _FILES)
        elif os.path.isdir(path) and (path.startswith((".", "/")) or os.sep in path or editable):
            _add_tree(add, h, path)
        editable = arg in ("-e", "--editable")
    return "pip-" + h.hexdigest()[:24]


def _add_file(add, h, path, is_list=False, depth=0):
    with open(path, "rb") as f:
        data = f.read()
    add(os.path.basename(path), len(data))
    h.update(data)
    if not is_list or depth > 20:
        return
    for line in data.decode("utf-8", "replace").splitlines():  # what the list names counts too
        words = line.split(" #")[0].split()
        for i, word in enumerate(words):
            nested = i > 0 and words[i - 1] in _FILES
            for file in (os.path.join(os.path.dirname(path), word), word):
                if os.path.isfile(file) and (nested or os.sep in word or word.endswith(".whl")):
                    _add_file(add, h, file, nested, depth + 1)
                    break


def _add_tree(add, h, path):
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(d for d in folders if d not in _MADE and not d.startswith(".") and not d.endswith(".egg-info"))
        for name in sorted(files):
            file = os.path.join(folder, name)
            if not name.startswith(".") and not name.endswith(".pyc") and os.path.isfile(file):
                add(os.path.relpath(file, path))
                _add_file(add, h, file)


def _lock(folder, exclusive):
    """Lock an overlay; nobody builds or removes it as long as this is open."""
    import fcntl

    how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    path = folder + ".lock"
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(fd, how | fcntl.LOCK_NB)
            except BlockingIOError:
                print("flowctl: waiting for another task that installs the same packages", file=sys.stderr)
                fcntl.flock(fd, how)
            if os.fstat(fd).st_ino == _inode(path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # who removes an overlay removes its lock too


def _make(folder, args):
    """Build an overlay that nobody else has built meanwhile; pip's exit status."""
    import shutil

    lock = _lock(folder, True)
    try:
        if os.path.exists(os.path.join(folder, "env.json")):
            return 0
        shutil.rmtree(folder, ignore_errors=True)
        status = 1
        try:
            status = _build(folder, args, lock)
        finally:
            if status != 0:
                shutil.rmtree(folder, ignore_errors=True)
        return status
    finally:
        os.close(lock)


def _build(folder, args, lock):
    import json
    import site
    import subprocess
    import time

    began = time.time()
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX")}
    env["PIP_USER"] = "0"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", folder],
                   env=env, check=True, pass_fds=(lock,), cwd=_store())
    below = _sites()[::-1] + [s for s in site.getsitepackages() if os.path.isdir(s)]
    if site.ENABLE_USER_SITE:
        below.append(site.getusersitepackages())
    with open(os.path.join(_site(folder), "_flowctl_base.pth"), "w", encoding="utf-8") as f:
        f.write("import site; " + "; ".join("site.addsitedir(%s)" % ascii(s) for s in below) + "\n")
    python = os.path.join(folder, "bin", "python")
    try:
        command = _installer(python, env, lock) + args
    except FileNotFoundError as e:
        print("%%pip: %s" % e, file=sys.stderr)
        return 1
    status = subprocess.run(command, env=env, pass_fds=(lock,)).returncode
    if status != 0:
        return status
    _leave_spark_out(_site(folder), below)
    lines = _packages(_site(folder))
    with open(os.path.join(folder, "lock.txt"), "w", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in lines))
    _stamp(folder)
    manifest = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)), "took_ms": int((time.time() - began) * 1000),
        "interpreter": sys.executable, "python": "%d.%d.%d" % sys.version_info[:3], "made_by": "%pip",
        "requirements": ["%pip install " + " ".join(_hidden(a) for a in args)], "site": os.path.relpath(_site(folder), folder),
        "packages": lines, "overlay": True, "key": os.path.basename(folder),
    }
    os.sync()  # after a power cut no package may be empty under a manifest
    path = os.path.join(folder, "env.json")
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(manifest, f)
    os.rename(path + ".new", path)
    return 0


# What the runtime's Spark is, by distribution and by module.
_SPARK = {"pyspark": "pyspark", "py4j": "py4j", "delta_spark": "delta"}


def _leave_spark_out(site, below):
    """Take Spark out of a new overlay if there is one below: on a cluster the
    runtime's own comes before all that a notebook installs, and so it does here."""
    import shutil
    from importlib import metadata

    from flowctl_rt import warn

    for dist, module in _SPARK.items():
        kept = next(iter(metadata.distributions(name=dist, path=below)), None)
        if kept is None or not any(os.path.isdir(os.path.join(b, module)) for b in below):
            continue
        for new in metadata.distributions(name=dist, path=[site]):
            if new.version != kept.version:
                warn("%%pip: %s %s is left out: the runtime's own comes first, and that is %s" % (dist, new.version, kept.version))
            shutil.rmtree(str(new.locate_file("%s-%s.dist-info" % (dist, new.version))), ignore_errors=True)
        shutil.rmtree(os.path.join(site, module), ignore_errors=True)


def _installer(python, env, lock):
    """pip as the interpreter has it; else uv; else the pip that comes with Python."""
    import importlib.util
    import shutil
    import subprocess

    pip = pip_command(python) + ["install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    if not sys.dont_write_bytecode:
        pip.append("--no-compile")  # the first import does, what it needs
    if importlib.util.find_spec("pip") is not None:
        return pip
    if shutil.which("uv"):
        return ["uv", "pip", "install", "--python", python, "--no-progress"]
    done = subprocess.run([python, "-m", "ensurepip", "--default-pip"], env=env, cwd=_store(),
                          pass_fds=(lock,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        raise FileNotFoundError("there is no installer: %s has neither pip nor ensurepip, and uv is not on PATH" % sys.executable)
    return pip


def pip_command(python):
    """How to start pip, whatever modules lie in the working folder: a notebook
    may well be called pip, or as one of pip's own modules."""
    return [python, "-c", "import sys; del sys.path[0]; sys.argv[0] = 'pip'; import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)"]


def _packages(site):
    """What lies in a folder of packages, as lines of a lock."""
    from importlib import metadata

    found = {"%s==%s" % (d.metadata["Name"], d.version) for d in metadata.distributions(path=[site])}
    return sorted(found, key=str.lower)


def _hidden(text):
    """An address without the name and the password in it."""
    head, sep, rest = text.partition("://")
    user, at, place = rest.partition("@")
    return head + sep + (place if at and "/" not in user else rest)


def _stamp(folder):
    try:
        with open(os.path.join(folder, "used"), "a"):
            os.utime(os.path.join(folder, "used"))
    except OSError:
        pass  # it is found unused too early, no more

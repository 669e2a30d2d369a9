"""dbutils.fs over the local file tree."""
import os
import shutil
from collections import namedtuple

from flowctl_rt import FlowctlUnsupported, paths
from flowctl_rt.dbutils import Group, context


class ExecutionError(Exception):
    """What dbutils.fs raises: its text carries the Java exception's name."""


class FileInfo(namedtuple("FileInfo", "path name size modificationTime")):
    def isDir(self):
        return self.name.endswith("/")

    def isFile(self):
        return not self.isDir()


class MountInfo(namedtuple("MountInfo", "mountPoint source encryptionType")):
    pass


def _local(url):
    if not isinstance(url, str) or not url:
        raise ExecutionError("java.lang.IllegalArgumentException: a path is text: %r" % (url,))
    if not paths._roots:
        paths._roots.update(context().get("fs") or {})
    path = paths.of_url(url)
    if path is None:
        raise FlowctlUnsupported("no local folder for %r outside of a task" % url)
    return path


def _missing(url):
    return ExecutionError("java.io.FileNotFoundException: No such file or directory: %s" % url)


def _display(url):
    """A path as fs.ls shows it: with its scheme."""
    if url.startswith(("dbfs:", "file:")):
        return url
    return "dbfs:" + (url if url.startswith("/") else "/" + url)


class Fs(Group):
    def ls(self, dir):
        """List a directory."""
        local = _local(dir)
        if os.path.isfile(local):
            return [self._info(_display(dir), local)]
        try:
            names = sorted(os.listdir(local))
        except FileNotFoundError:
            raise _missing(dir) from None
        base = _display(dir).rstrip("/")
        return [self._info(base + "/" + n, os.path.join(local, n)) for n in names]

    def _info(self, shown, local):
        st = os.stat(local)
        folder = os.path.isdir(local)
        name = shown.rstrip("/").rsplit("/", 1)[-1] + ("/" if folder else "")
        return FileInfo(shown.rstrip("/") + ("/" if folder else ""), name, 0 if folder else st.st_size, int(st.st_mtime * 1000))

    def mkdirs(self, dir):
        """Make a directory and those above it."""
        os.makedirs(_local(dir), exist_ok=True)
        return True

    def put(self, file, contents, overwrite=False):
        """Write text to a file."""
        local = _local(file)
        if os.path.exists(local) and not overwrite:
            raise ExecutionError("java.nio.file.FileAlreadyExistsException: %s; pass overwrite=True to replace it" % file)
        os.makedirs(os.path.dirname(local), exist_ok=True)
        data = contents.encode()
        with open(local, "wb") as f:
            f.write(data)
        print("Wrote %d bytes." % len(data))
        return True

    def head(self, file, maxBytes=65536):
        """The beginning of a file, as text."""
        try:
            with open(_local(file), "rb") as f:
                data = f.read(maxBytes + 1)
        except FileNotFoundError:
            raise _missing(file) from None
        if len(data) > maxBytes:
            print("[Truncated to first %d bytes]" % maxBytes)
        return data[:maxBytes].decode("utf-8", "replace")

    def rm(self, dir, recurse=False):
        """Remove a file, or a directory with recurse."""
        local = _local(dir)
        if os.path.isdir(local):
            if not recurse and os.listdir(local):
                raise ExecutionError("java.io.IOException: Cannot delete a non-empty directory without recurse=True: %s" % dir)
            shutil.rmtree(local)
            return True
        try:
            os.remove(local)
        except FileNotFoundError:
            return False
        return True

    def cp(self, source, dest, recurse=False):
        """Copy a file, or a directory with recurse."""
        src, dst = _local(source), _local(dest)
        if os.path.isdir(src):
            if not recurse:
                raise ExecutionError("java.io.IOException: %s is a directory; pass recurse=True" % source)
            shutil.copytree(src, dst, dirs_exist_ok=True)
            return True
        if os.path.isdir(dst):
            dst = os.path.join(dst, os.path.basename(src))
        os.makedirs(os.path.dirname(dst), exist_ok=True)
        try:
            shutil.copyfile(src, dst)
        except FileNotFoundError:
            raise _missing(source) from None
        return True

    def mv(self, source, dest, recurse=False):
        """Move a file, or a directory with recurse."""
        self.cp(source, dest, recurse)
        return self.rm(source, recurse)

    def mounts(self):
        """List what is mounted."""
        return [MountInfo("/", "DatabricksRoot", "")]

    def refreshMounts(self):
        """Nothing to do here."""
        return True

    def mount(self, source, mountPoint, *args, **kwargs):
        """Cloud storage cannot be mounted here."""
        raise FlowctlUnsupported(
            "dbutils.fs.mount(%r): cloud storage is not mounted here; put the files under dbfs:%s" % (source, mountPoint)
        )

    updateMount = mount

    def unmount(self, mountPoint):
        """Nothing is mounted here."""
        raise ExecutionError("java.rmi.RemoteException: Directory not mounted: %s" % mountPoint)

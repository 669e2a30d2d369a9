"""Datasets, models, training runs and deployments, as files in folders.

    datasets/<sha256>/   ratings.csv, manifest.json   immutable, named by content
    models/<sha256>/     model.json, manifest.json    immutable, named by content
    runs/<run id>/       params.json, metrics.json, validation.json, ...
    deployments/<target>/000007/champion.json         one folder for each promotion

Nothing is ever changed in place. A folder is filled under another name and
then renamed, so readers see all of it or nothing. The champion of a target is
the newest promotion; the older ones are its history, and a rollback is one
more promotion, of an older model.
"""
import hashlib
import json
import os
import uuid

FILES = {"datasets": "ratings.csv", "models": "model.json"}


class Damaged(Exception):
    """A stored file is not what its name promises."""


class ChampionChanged(Exception):
    """Somebody else promoted a model in the meantime."""


class Store:
    """All versions below one folder."""

    def __init__(self, root):
        self.root = root

    def path(self, *parts):
        return "/".join((self.root.rstrip("/"),) + parts)

    # Immutable versions.

    def publish(self, kind, data, manifest):
        """Store data as a version and return the version: its sha256. Data
        that is there already is not written again; its manifest stays."""
        version = hashlib.sha256(data).hexdigest()
        try:
            self.read(kind, version)
            return version
        except (FileNotFoundError, NotADirectoryError):
            pass
        manifest = dict(manifest, version=version, bytes=len(data))
        _place(self.path(kind, version), {FILES[kind]: data, "manifest.json": _json(manifest)}, missing_ok=True)
        return version

    def read(self, kind, version):
        """The data of a version, checked against its name."""
        path = self.path(kind, version, FILES[kind])
        with open(path, "rb") as f:
            data = f.read()
        found = hashlib.sha256(data).hexdigest()
        if found != version:
            raise Damaged("%s has the sha256 %s: somebody changed it" % (path, found))
        return data

    def manifest(self, kind, version):
        return _load(self.path(kind, version, "manifest.json"))

    # Training runs.

    def new_run(self, files):
        """Record a training run: {file name: object}. Returns its id."""
        run_id = uuid.uuid4().hex
        _place(self.path("runs", run_id), {name: _json(body) for name, body in files.items()})
        return run_id

    def add_to_run(self, run_id, name, body):
        """Add a file to a run, or replace it."""
        replace(self.path("runs", run_id, name), _json(body))

    def run(self, run_id, name):
        return _load(self.path("runs", run_id, name))

    # Deployments.

    def champion(self, target):
        """The newest promotion of a target, or None."""
        history = self.history(target, limit=1)
        return history[0] if history else None

    def history(self, target, limit=None):
        """The promotions of a target, newest first."""
        try:
            names = os.listdir(self.path("deployments", target))
        except FileNotFoundError:
            return []
        numbers = sorted((n for n in names if n.isdigit()), reverse=True)
        return [self.promotion(target, int(n)) for n in numbers[:limit]]

    def promotion(self, target, number):
        """One of a target's promotions: the record, and its number."""
        return dict(_load(self._promotion(target, number) + "/champion.json"), number=number)

    def _promotion(self, target, number):
        return self.path("deployments", target, "%06d" % number)

    def promote(self, target, record, after):
        """Make a record the champion; returns the number of the promotion.

        after is the number of the promotion that the decision was based on (0
        for none). If another one was made since, that raises ChampionChanged
        and nothing happens: renaming onto a folder that is there fails.
        """
        try:
            _place(self._promotion(target, after + 1), {"champion.json": _json(record)})
        except FileExistsError:
            raise ChampionChanged(
                "%s got another champion while this model was being judged; run the job again" % target
            ) from None
        return after + 1


def replace(path, data):
    """Write a file so that readers see all of it or, until then, the old one."""
    partial = "%s.%s.new" % (path, uuid.uuid4().hex[:8])
    try:
        _write(partial, data)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def _place(folder, files, missing_ok=False):
    """Make a folder with these files, whole or not at all. One that is there
    already is an error, or with missing_ok as good."""
    parent, name = folder.rsplit("/", 1)
    partial = "%s/.%s.%s" % (parent, name[:12], uuid.uuid4().hex[:8])
    os.makedirs(partial)
    try:
        for file, data in files.items():
            _write(partial + "/" + file, data)
        if os.path.exists(folder):
            raise FileExistsError(folder)
        os.rename(partial, folder)
    except OSError:
        if not os.path.exists(folder):
            raise
        if not missing_ok:
            raise FileExistsError(folder) from None
    finally:
        _remove(partial, files)


def _remove(folder, files):
    """Take a folder away, if it is still there."""
    if os.path.exists(folder):
        for file in files:
            if os.path.exists(folder + "/" + file):
                os.remove(folder + "/" + file)
        os.rmdir(folder)


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def _load(path):
    with open(path, "rb") as f:
        return json.load(f)


def _json(body):
    return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode()


def code_hash():
    """The sha256 of this package's own source."""
    folder = os.path.dirname(os.path.abspath(__file__))
    digest = hashlib.sha256()
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".py")):
        with open(os.path.join(folder, name), "rb") as f:
            digest.update(b"%s %s\n" % (name.encode(), hashlib.sha256(f.read()).hexdigest().encode()))
    return digest.hexdigest()

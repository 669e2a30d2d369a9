"""What tables, views and functions there are: a folder that all drivers share.

Each driver has a catalog in memory only, so that any number of them run at
once on one data directory. The truth is the folder warehouse/CATALOG/SCHEMA:
a Delta table is the folder of its name; whatever else (a view, a function, a
table that lies elsewhere or is no Delta table) is a note .flowctl/NAME.json
with the statement that makes it. A name is made known to the driver right
before a statement uses it, and what another driver has dropped is forgotten.
"""
import contextlib
import fcntl
import json
import os
import shutil

from flowctl_rt import spark_facts
from flowctl_rt.spark_names import PLAIN, Names, back, encoded, folded
from flowctl_rt.spark_tokens import quoted


def is_table(folder):
    """Whether a folder is a Delta table: its log has a commit or a checkpoint."""
    try:
        with os.scandir(os.path.join(folder, "_delta_log")) as log:
            return any(entry.name.endswith((".json", ".parquet")) for entry in log)
    except OSError:
        return False


CURRENT = "spark.flowctl.current"  # a session's setting: its catalog and schema, as USE has them


class Catalog:
    def __init__(self, session, root, java):
        self.session = session  # what answers with rows
        self.root = root
        self.jvm, self.java = java  # the JVM, and the session there
        left = self.java.conf().getOption(CURRENT)  # by this process before Python restarted, or by the task's own
        self.names = Names(*left.get().split("\n")) if left.isDefined() else Names()
        self.external = self.java.sharedState().externalCatalog()
        self.properties = self.jvm.System.getProperties()
        self._other = None

    def enter(self, catalog, schema):
        """Make a schema the current one, of names and of Spark."""
        self.names.catalog, self.names.schema = catalog, schema
        self.java.sql("USE " + back(folded(catalog, schema)))
        self.java.conf().set(CURRENT, "%s\n%s" % (catalog, schema))

    def sql(self, text, use=None):
        """Run a statement in a session apart, whose current schema is nobody's."""
        if self._other is None:
            self._other = self.java.newSession()
        if use:
            self._other.sql("USE " + back(use))
        return self._other.sql(text)

    # Where things are.

    def folder(self, catalog, schema=None):
        top = os.path.join(self.root, "hive_metastore" if catalog.lower() in PLAIN else encoded(catalog))
        return os.path.join(top, encoded(schema)) if schema else top

    def note(self, catalog, schema, name):
        return os.path.join(self.folder(catalog, schema), ".flowctl", encoded(name) + ".json")

    def data(self, catalog, schema, name):
        return os.path.join(self.folder(catalog, schema), encoded(name))

    def catalogs(self):
        have = {"hive_metastore", self.names.catalog}
        if os.path.isdir(self.root):
            have.update(os.listdir(self.root))
        return sorted(have)

    def schemas(self, catalog):
        have = {"default"}
        if os.path.isdir(self.folder(catalog)):
            have.update(n for n in os.listdir(self.folder(catalog)) if not n.startswith("."))
        return sorted(have)

    def tables(self, catalog, schema):
        """The names of all tables and views."""
        found, folder = set(), self.folder(catalog, schema)
        if os.path.isdir(folder):
            found.update(n for n in os.listdir(folder) if is_table(os.path.join(folder, n)))
            notes = os.path.join(folder, ".flowctl")
            if os.path.isdir(notes):
                found.update(n[:-5] for n in os.listdir(notes) if n.endswith(".json") and self._read(os.path.join(notes, n)).get("kind") != "function")
        return sorted(found)

    def notes(self, catalog, schema):
        """Each table and view with what is noted of it: nothing of a Delta table in its own folder."""
        for name in self.tables(catalog, schema):
            yield name, self._read(self.note(catalog, schema, name))

    def functions(self, catalog, schema):
        """The names of all functions that stay."""
        notes = os.path.join(self.folder(catalog, schema), ".flowctl")
        names = sorted(os.listdir(notes)) if os.path.isdir(notes) else []
        return [n[:-5] for n in names if n.endswith(".json") and self._read(os.path.join(notes, n)).get("kind") == "function"]

    # Making the driver know what there is.

    def schema(self, catalog, schema):
        """Make a schema known; whether there is one."""
        name, folder = self.names.fold(catalog, schema), self.folder(catalog, schema)
        there = os.path.isdir(folder)
        if not there and schema.lower() == "default":
            os.makedirs(folder, exist_ok=True)
            there = True
        known = self.external.databaseExists(name)
        if there and not known:
            self.sql("CREATE DATABASE IF NOT EXISTS %s LOCATION %s" % (back(name), quoted("file:" + folder)))
        elif known and not there and name != "default":
            self.external.dropDatabase(name, True, True)
        return there

    def table(self, catalog, schema, name):
        """Make a table, view or function known, if there is one of that name."""
        if schema.lower() == "information_schema":
            from flowctl_rt import spark_information

            spark_information.make(self, catalog, name)
            return
        if catalog.lower() == "system":
            from flowctl_rt import FlowctlUnsupported

            raise FlowctlUnsupported("system.%s.%s: system tables are kept by a workspace alone; here there is system.information_schema" % (schema, name))
        if catalog.lower() == "samples":
            from flowctl_rt import spark_samples

            spark_samples.make(self, schema, name)
        if not self.schema(catalog, schema):
            return
        db, note, data = folded(catalog, schema), self.note(catalog, schema, name), self.data(catalog, schema, name)
        known = self.external.tableExists(db, name.lower())
        spark_facts.touch(data, "%s.%s.%s" % (catalog, schema, name))
        mark = "flowctl.note.%s.%s" % (db, name.lower())
        if os.path.exists(note):
            stamp, kept = str(os.stat(note).st_mtime_ns), self._read(note)
            spark_facts.touch(kept.get("location"), "%s.%s.%s" % (catalog, schema, name))
            for other in kept.get("tables", ()):
                if other != [catalog, schema, name]:
                    self.table(*other)
            if self.properties.getProperty(mark) != stamp:
                self._from_note(kept, db, name, known)
                self.properties.setProperty(mark, stamp)
        elif not os.path.isdir(data):
            if known:
                self.external.dropTable(db, name.lower(), True, True)
        elif not known and is_table(data):
            self.sql("CREATE TABLE IF NOT EXISTS %s.%s USING delta LOCATION %s" % (back(db), back(name), quoted("file:" + data)))

    def _from_note(self, note, db, name, known):
        if known:
            self.external.dropTable(db, name.lower(), True, True)
        if note.get("kind") == "function":
            self.sql("DROP FUNCTION IF EXISTS %s.%s" % (back(db), back(name)))
        if note.get("sql"):
            self.sql(note["sql"], note.get("use"))

    def all_of(self, catalog, schema):
        if self.schema(catalog, schema):
            for name in self.tables(catalog, schema):
                self.table(catalog, schema, name)

    # Remembering what a statement has made.

    def _there(self, catalog, schema, name):
        """Whether there is a table of that name, or a note of one."""
        return is_table(self.data(catalog, schema, name)) or os.path.exists(self.note(catalog, schema, name))

    @contextlib.contextmanager
    def writing(self, *where):
        """What is done to a table within is kept. Who makes it is alone; many may write to one that is there."""
        with contextlib.nullcontext() if self._there(*where) else self.alone(*where):
            yield
            self.made(*where)

    @contextlib.contextmanager
    def alone(self, catalog, schema, name):
        """No other task on this data directory makes the table meanwhile. What
        one that was killed has left of it is no table, and in the way of one."""
        if not os.path.isdir(self.folder(catalog, schema)):
            yield  # Spark will say that there is no such schema
            return
        path = self.note(catalog, schema, name)[:-len("json")] + "lock"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._there(catalog, schema, name):
                shutil.rmtree(self.data(catalog, schema, name), ignore_errors=True)
            yield

    def made(self, catalog, schema, name):
        """A table has been made or changed: keep what its folder does not tell."""
        db = folded(catalog, schema)
        if not self.external.tableExists(db, name.lower()):
            return
        meta = self.external.getTable(db, name.lower())
        if meta.tableType().name() == "VIEW":
            return
        where = meta.storage().locationUri()
        where = where.get().getPath().rstrip("/") if where.isDefined() else ""
        provider = meta.provider().get().lower() if meta.provider().isDefined() else "hive"
        spark_facts.touch(where, "%s.%s.%s" % (catalog, schema, name))
        if provider == "delta" and where == self.data(catalog, schema, name):
            self.forget(catalog, schema, name)
            return
        target = "%s.%s" % (back(db), back(name))
        if provider == "delta":
            text = "CREATE TABLE IF NOT EXISTS %s USING delta LOCATION %s" % (target, quoted("file:" + where))
        else:
            text = self.sql("SHOW CREATE TABLE " + target).collectAsList().get(0).getString(0)
            if "\nLOCATION " not in text and where:
                text = text.rstrip() + "\nLOCATION " + quoted("file:" + where)
        self.remember(catalog, schema, name, {"kind": "table", "sql": text, "location": where})

    def remember(self, catalog, schema, name, note):
        path = self.note(catalog, schema, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(note, f)
        os.rename(path + ".new", path)
        self.properties.setProperty("flowctl.note.%s.%s" % (folded(catalog, schema), name.lower()), str(os.stat(path).st_mtime_ns))

    def forget(self, catalog, schema, name):
        try:
            os.remove(self.note(catalog, schema, name))
        except FileNotFoundError:
            pass

    def dropped(self, catalog, schema, name):
        """A table, view or function is gone; what lay in its own folder too."""
        self.forget(catalog, schema, name)
        shutil.rmtree(self.data(catalog, schema, name), ignore_errors=True)

    def _read(self, path):
        try:
            with open(path, encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return {}

"""COPY INTO: files into a Delta table, each file once.

Which files a table has is kept beside its log, in _delta_log/_copy_into_log:
one file for each statement, with the number of the transaction that the rows
went in with. A list counts only if the table knows of that transaction, so
that a statement that is broken off anywhere is as if it had never been.

Source: Databricks' SQL reference, "COPY INTO".
"""
import json
import os

from flowctl_rt import FlowctlUnsupported, spark_paths
from flowctl_rt.spark_names import back, chain_at, folded
from flowctl_rt.spark_statement import refusal
from flowctl_rt.spark_tokens import SPACE, TEXT, joined

_APPLICATION = "flowctl-copy-into"
_FORMATS = ("csv", "json", "parquet", "avro", "orc", "text", "binaryfile", "xml")
_COPY_OPTIONS = ("force", "mergeschema")
_PREVIEW = 50  # rows that VALIDATE answers, if it names no number
_count = 0


def run(s):
    """Carry out the statement; its answer is how many rows went in."""
    copy = Copy(s)
    where = copy.where()
    if copy.preview is not None:
        return copy.rows(copy.files(set())).limit(copy.preview)
    with copy.alone():
        log = Log(s.catalog, where)
        files = copy.files(set() if copy.options.get("force") == "true" else log.files())
        rows = 0
        if files:
            with log.entry(files) as version:
                rows = copy.write(copy.rows(files), version)
    return s.real("SELECT %dL AS num_affected_rows, %dL AS num_inserted_rows, 0L AS num_skipped_corrupt_files" % (rows, rows))


class Copy:
    """What a COPY INTO statement says."""

    def __init__(self, s):
        self.s, self.catalog, self.session = s, s.catalog, s.catalog.session
        self.toks = [t for t in s.rewriter.toks if t.kind != SPACE]
        self.at = 2
        self.columns, self.by_position, self.preview = None, False, None
        self.some, self.pattern, self.reader, self.options = None, None, {}, {}
        self._target()
        self._source()
        while self.at < len(self.toks):
            self._clause()
        if not self.format:
            raise self.wrong("FILEFORMAT = ... is missing")
        if self.some is not None and self.pattern is not None:
            raise self.wrong("FILES and PATTERN exclude each other")

    def wrong(self, why):
        return refusal("PARSE_SYNTAX_ERROR", "COPY INTO: " + why)

    # Reading the statement.

    def take(self, *words):
        """Whether the next words are these; they are passed then."""
        if [t.upper or t.text for t in self.toks[self.at:self.at + len(words)]] != list(words):
            return False
        self.at += len(words)
        return True

    def need(self, *words):
        if not self.take(*words):
            have = self.toks[self.at].text if self.at < len(self.toks) else "the end"
            raise self.wrong("%s is expected at %r" % (" ".join(words), have))

    def text(self):
        if self.at >= len(self.toks) or self.toks[self.at].kind != TEXT:
            raise self.wrong("a text in quotes is expected at %r" % (self.toks[self.at].text if self.at < len(self.toks) else "the end"))
        self.at += 1
        return self.toks[self.at - 1].value

    def inside(self):
        """The tokens in the brackets that begin here."""
        self.need("(")
        depth, start = 1, self.at
        while self.at < len(self.toks):
            depth += {"(": 1, ")": -1}.get(self.toks[self.at].text, 0)
            self.at += 1
            if depth == 0:
                return self.toks[start:self.at - 1]
        raise self.wrong("a closing bracket is missing")

    def _target(self):
        chain = chain_at(self.toks, self.at)
        if chain is None:
            raise self.wrong("the table's name is missing")
        self.path = spark_paths.local(chain.parts[1]) if len(chain.parts) == 2 and chain.parts[0].lower() == "delta" else None
        self.target = None if self.path else self.s.names.table(chain.parts)
        self.at = chain.end
        if self.take("BY", "POSITION"):
            self.by_position = True
        elif self.at < len(self.toks) and self.toks[self.at].text == "(":
            self.columns = [t.value for t in self.inside() if t.text != ","]

    def _source(self):
        self.need("FROM")
        self.select = None
        if self.at < len(self.toks) and self.toks[self.at].text == "(":
            query = self.inside()
            rest = self.at
            place = next((i for i in range(len(query) - 1, 0, -1) if query[i].kind == TEXT and query[i - 1].upper == "FROM"), None)
            if place is None:
                raise self.wrong("the SELECT in brackets reads FROM a path in quotes")
            self.select = (query[:place], query[place + 1:])
            self.source, self.at = query[place].value, rest
        else:
            self.source = self.text()
        if self.take("WITH"):
            raise FlowctlUnsupported("COPY INTO ... WITH (CREDENTIAL or ENCRYPTION): cloud storage needs its own connector and credentials here, in the cluster's spark_conf")
        self.format = None

    def _clause(self):
        if self.take("FILEFORMAT", "="):
            self.format = self.toks[self.at].value.lower()
            self.at += 1
            if self.format not in _FORMATS:
                raise self.wrong("FILEFORMAT %s is none of %s" % (self.format.upper(), ", ".join(f.upper() for f in _FORMATS)))
        elif self.take("VALIDATE"):
            self.preview = _PREVIEW
            if self.at < len(self.toks) and self.toks[self.at].text.isdigit():
                self.preview = int(self.toks[self.at].text)
                self.at += 1
                self.need("ROWS")
            else:
                self.take("ALL")
        elif self.take("FILES", "="):
            self.some = [t.value for t in self.inside() if t.kind == TEXT]
        elif self.take("PATTERN", "="):
            self.pattern = self.text()
        elif self.take("FORMAT_OPTIONS"):
            self.reader.update(self.pairs())
        elif self.take("COPY_OPTIONS"):
            self.options.update({k.lower(): v.lower() for k, v in self.pairs().items()})
            for k in self.options:
                if k not in _COPY_OPTIONS:
                    raise self.wrong("COPY_OPTIONS has no %r; there are force and mergeSchema" % k)
        else:
            raise self.wrong("%r is not understood" % self.toks[self.at].text)

    def pairs(self):
        """'name' = 'value', ... in brackets; a Boolean or a number may stand without quotes."""
        made, words = {}, [t for t in self.inside() if t.text != ","]
        while words:
            if len(words) < 3 or words[1].text != "=":
                raise self.wrong("options are 'name' = 'value', found %r" % words[0].text)
            made[words[0].value], words = words[2].value, words[3:]
        return made

    # Doing it.

    def where(self):
        """The folder of the table."""
        if self.path:
            return self.path[len("file:"):] if self.path.startswith("file:") else self.path
        if self.target is None:
            raise self.wrong("the target is the name of a table, or delta.`path`")
        self.catalog.table(*self.target)
        self.name = "%s.%s" % (back(folded(*self.target[:2])), back(self.target[2]))
        kind, location = self.s.real("DESCRIBE DETAIL " + self.name).select("format", "location").first()
        if kind != "delta":
            raise FlowctlUnsupported("COPY INTO %s: the table is %s, and only Delta tables keep which files they have" % (".".join(self.target), kind))
        from urllib.parse import unquote

        return "/" + unquote(location[len("file:"):]).lstrip("/") if location.startswith("file:") else location

    def alone(self):
        import contextlib

        return self.catalog.alone(*self.target) if self.target else contextlib.nullcontext()

    def files(self, loaded):
        """The source's files that are not loaded yet, as Spark lists them."""
        base = self.source.rstrip("/")
        paths = [base + "/" + f.lstrip("/") for f in self.some] if self.some is not None else [base + "/" + self.pattern] if self.pattern else [self.source]
        reader = self.session.read.format("binaryFile")
        for k, v in self.reader.items():
            if k.lower() in ("recursivefilelookup", "pathglobfilter", "modifiedbefore", "modifiedafter"):
                reader = reader.option(k, v)
        found = [r[0] for r in reader.load(paths).select("path").collect()]
        return sorted(f for f in found if f not in loaded)

    def rows(self, files):
        """What is in the files, with the columns that go into the table."""
        global _count
        reader = self.session.read.format(self.format)
        if self.format == "csv" and self.options.get("mergeschema") == "true" and not _has(self.reader, "inferSchema"):
            reader = reader.option("inferSchema", "true" if _has(self.reader, "header") else "false")
        if any("=" in f[len(self.source):] for f in files) and os.path.isdir(spark_paths.local(self.source)):
            reader = reader.option("basePath", spark_paths.local(self.source))
        for k, v in self.reader.items():
            if k.lower() not in ("recursivefilelookup", "pathglobfilter", "mergeschema"):
                reader = reader.option(k, v)
        frame = reader.load(files)
        if self.select is not None:
            _count += 1
            view = "flowctl_copy_%d" % _count
            plain = frame.columns
            frame = frame.select("*", "_metadata")  # a view does not show it by itself
            frame.createOrReplaceTempView(view)
            frame = self.session.sql("%s %s %s" % (joined(self.select[0]), view, joined(self.select[1])))
            if "_metadata" not in plain and "*" in [t.text for t in self.select[0]]:
                frame = frame.drop("_metadata")
        return self._fitted(frame)

    def _fitted(self, frame):
        """The columns in the table's order or under its names, texts as its types."""
        from pyspark.sql import functions as F

        table = (self.session.read.format("delta").load(self.path) if self.path else self.session.table(".".join(back(p) for p in self.target))).schema
        names = self.columns or (table.names if self.by_position else None)
        if names:
            if len(names) != len(frame.columns):
                raise self.wrong("the source has %d columns for %d of the table" % (len(frame.columns), len(names)))
            frame = frame.toDF(*names)
        types = {f.name.lower(): f.dataType for f in table.fields}
        texts = {n for n, kind in frame.dtypes if kind == "string"}
        return frame.select(*[
            F.col(back(n)).cast(types[n.lower()]).alias(n) if n in texts and n.lower() in types else F.col(back(n)) for n in frame.columns
        ])

    def write(self, frame, version):
        """Append the rows in the transaction of that number; how many they are."""
        writer = frame.write.format("delta").mode("append").option("txnAppId", _APPLICATION).option("txnVersion", str(version))
        if self.options.get("mergeschema") == "true":
            writer = writer.option("mergeSchema", "true")
        before = self._newest()
        if self.path:
            writer.save(self.path)
        else:
            writer.saveAsTable(".".join(back(p) for p in self.target))
        newest = self._newest()
        metrics = newest.get("operationMetrics") or {}
        return int(metrics.get("numOutputRows", 0)) if newest.get("version") != before.get("version") else 0

    def _newest(self):
        from delta.tables import DeltaTable

        table = DeltaTable.forPath(self.session, self.path) if self.path else DeltaTable.forName(self.session, ".".join(back(p) for p in self.target))
        return table.history(1).select("version", "operationMetrics").head().asDict()


class Log:
    """Which files a table has."""

    def __init__(self, catalog, table):
        self.folder = os.path.join(table, "_delta_log", "_copy_into_log")
        jvm, session = catalog.jvm, catalog.java
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(session, table)
        nothing = getattr(getattr(jvm.scala, "None$"), "MODULE$")
        known = log.update(False, nothing, nothing).transactions().get(_APPLICATION)
        self.version = known.get() if known.isDefined() else 0

    def files(self):
        """The files of all statements that came to their end."""
        loaded = set()
        for n in range(1, self.version + 1):
            try:
                with open(os.path.join(self.folder, "%020d.json" % n), encoding="utf-8") as f:
                    loaded.update(json.load(f)["files"])
            except FileNotFoundError:
                pass
        return loaded

    def entry(self, files):
        """The number for the next transaction, once its files are written down."""
        import contextlib

        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "%020d.json" % (self.version + 1))
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump({"files": files}, f)
            f.flush()
            os.fsync(f.fileno())
        os.rename(path + ".new", path)
        return contextlib.nullcontext(self.version + 1)


def _has(options, name):
    return name.lower() in [k.lower() for k in options]

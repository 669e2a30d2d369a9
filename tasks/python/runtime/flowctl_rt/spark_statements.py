"""SQL statements as a workspace understands them: names folded, the catalog
kept, and what Spark itself has not got (catalogs, volumes, grants) done here."""
import os
import shutil

from flowctl_rt import FlowctlUnsupported, paths, spark_clone, spark_dialect, spark_live, spark_paths, spark_read_files, spark_show, warn, warn_once
from flowctl_rt.spark_names import Rewriter, back, chain_at, folded
from flowctl_rt.spark_tokens import SPACE, TEXT, joined, quoted


def run(catalog, text, args, real):
    """Run one statement. real(text) is Spark's own way to do it."""
    known = args if isinstance(args, dict) else None
    text = spark_read_files.replaced(catalog.session, spark_dialect.translated(spark_live.as_table(text)), known)
    rewriter = Rewriter(catalog.names, text, known, spark_paths.local, lambda e: real("SELECT %s" % e).first()[0])
    rewriter._identifiers()
    s = Statement(catalog, rewriter, real)
    words = s.words
    for pattern, act in _EMULATED:
        if _matches(words, pattern):
            return act(s)
    return s.plain()


def _matches(words, pattern):
    if len(words) < len(pattern):
        return False
    return all(p == "*" or w in p.split("|") for w, p in zip(words, pattern))


class Statement:
    def __init__(self, catalog, rewriter, real):
        self.catalog = catalog
        self.names = catalog.names
        self.rewriter = rewriter
        self.real = real
        self.toks = [t for t in rewriter.toks if t.kind != SPACE]
        self.words = [t.upper for t in self.toks[:8]]
        self.text = ""  # as Spark gets it

    def plain(self):
        """Names folded and made known, then Spark's own."""
        self.text = self.rewriter.run()
        for c, s in self.rewriter.schemas:
            self.catalog.schema(c, s)
        for t in dict.fromkeys(self.rewriter.tables):
            self.catalog.table(*t)
        return self.real(self.text)

    def name_after(self, *words):
        """The dotted name that follows words and any IF [NOT] EXISTS."""
        i = 0
        while i < len(self.toks) and self.toks[i].upper not in words:
            i += 1
        i += 1
        while i < len(self.toks) and self.toks[i].upper in ("IF", "NOT", "EXISTS", "TABLE"):
            i += 1
        if i < len(self.toks) and self.toks[i].kind == TEXT:
            return [self.toks[i].value]
        c = chain_at(self.toks, i)
        if c is None:
            raise _error("PARSE_SYNTAX_ERROR", "%s: a name is missing" % " ".join(self.words[:3]).strip())
        return c.parts

    def has(self, *words):
        n = len(words)
        return any([t.upper for t in self.toks[i:i + n]] == list(words) for i in range(len(self.toks)))

    def nothing(self):
        """The answer of a statement that answers nothing."""
        return self.catalog.session.range(0).select()

    def rows(self, columns, rows):
        names = ", ".join(columns)
        if not rows:
            return self.real("SELECT %s WHERE false" % ", ".join("CAST(NULL AS STRING) AS " + c for c in columns))
        values = ", ".join("(" + ", ".join(v if v in ("true", "false") else quoted(v) for v in row) + ")" for row in rows)
        return self.real("SELECT * FROM VALUES %s AS t(%s)" % (values, names))

    def like(self):
        """The pattern of SHOW ... [LIKE] 'pattern', as a test."""
        import fnmatch

        texts = [t.value for t in self.toks if t.kind == TEXT]
        if not texts:
            return lambda name: True
        wanted = texts[-1].lower().split("|")
        return lambda name: any(fnmatch.fnmatchcase(name.lower(), w.replace("%", "*").strip()) for w in wanted)


def _error(kind, message):
    """An error as Spark's analysis makes it."""
    from pyspark.errors import AnalysisException

    return AnalysisException("[%s] %s" % (kind, message))


def enter(catalog, name, schema=None):
    """USE: the current catalog and schema, of the statements and of Spark.

    A job finds the schemas of its workspace made by others; here nobody has
    made them, so the one that a job enters is made for it.
    """
    schema = schema or "default"
    if not catalog.schema(name, schema):
        os.makedirs(catalog.folder(name, schema), exist_ok=True)
        catalog.schema(name, schema)
        if name.lower() != "samples":
            warn("schema %s.%s was not here and is made empty; a workspace would refuse to use it" % (name, schema))
    catalog.enter(name, schema)


def _use_catalog(s):
    enter(s.catalog, s.name_after("CATALOG")[0])
    return s.nothing()


def _use(s):
    i = 2 if s.words[1] in ("SCHEMA", "DATABASE") and len(s.toks) > 2 else 1
    c = chain_at(s.toks, i)
    if c is None or len(c.parts) > 2:
        return s.plain()
    enter(s.catalog, *s.names.schema_of(c.parts))
    return s.nothing()


def _create_catalog(s):
    name = s.name_after("CATALOG")[0]
    folder = s.catalog.folder(name)
    if os.path.isdir(folder) and not s.has("IF", "NOT", "EXISTS"):
        raise _error("CATALOG_ALREADY_EXISTS", "Cannot create catalog `%s` because it already exists." % name)
    os.makedirs(os.path.join(folder, "default"), exist_ok=True)
    return s.nothing()


def _drop_catalog(s):
    name = s.name_after("CATALOG")[0]
    if not os.path.isdir(s.catalog.folder(name)):
        if s.has("IF", "EXISTS"):
            return s.nothing()
        raise _error("CATALOG_NOT_FOUND", "The catalog `%s` cannot be found." % name)
    full = [c for c in s.catalog.schemas(name) if c != "default" or s.catalog.tables(name, c)]
    if full and not s.has("CASCADE"):
        raise _error("CATALOG_NOT_EMPTY", "Cannot drop a catalog `%s` because it contains schemas; use CASCADE." % name)
    shutil.rmtree(s.catalog.folder(name))
    if s.names.catalog == name:
        enter(s.catalog, "hive_metastore")
    return s.nothing()


def _show_catalogs(s):
    like = s.like()
    return s.rows(["catalog"], [[c] for c in s.catalog.catalogs() if like(c)])


def _show_schemas(s):
    name = s.names.catalog
    if len(s.words) > 3 and s.words[2] in ("IN", "FROM"):
        name = s.toks[3].value
    like = s.like()
    return s.rows(["databaseName"], [[c] for c in s.catalog.schemas(name) if like(c)])


def _show_tables(s):
    parts = chain_at(s.toks, 3).parts if len(s.toks) > 3 and s.words[2] in ("IN", "FROM") else [s.names.schema]
    c, schema = s.names.schema_of(parts)
    if not s.catalog.schema(c, schema):
        raise _error("SCHEMA_NOT_FOUND", "The schema `%s`.`%s` cannot be found." % (c, schema))
    like = s.like()
    rows = [[schema, t, "false"] for t in s.catalog.tables(c, schema) if like(t)]
    temporary = s.real("SHOW TABLES").filter("isTemporary").collect()
    return s.rows(["database", "tableName", "isTemporary"], rows + [["", r["tableName"], "true"] for r in temporary if like(r["tableName"])])


def _show_table_extended(s):
    """SHOW TABLE EXTENDED IN schema LIKE 'a|b'. Spark's own does not know the columns of Delta tables."""
    i = next((i for i, t in enumerate(s.toks) if t.upper in ("IN", "FROM")), None)
    c, schema = s.names.schema_of(chain_at(s.toks, i + 1).parts if i else [s.names.schema])
    if not s.catalog.schema(c, schema):
        raise _error("SCHEMA_NOT_FOUND", "The schema `%s`.`%s` cannot be found." % (c, schema))
    from flowctl_rt import spark_information

    like, rows = s.like(), []
    for row in spark_information.tables(s.catalog, c, schema):
        if like(row[2]):
            rows.append([schema, row[2], "false", spark_information.described(s.catalog, row)])
    return s.rows(["database", "tableName", "isTemporary", "information"], rows)


def _create_schema(s):
    parts = s.name_after("SCHEMA", "DATABASE")
    c, name = s.names.schema_of(parts)
    try:
        os.makedirs(s.catalog.folder(c, name), exist_ok=s.has("IF", "NOT", "EXISTS"))
    except FileExistsError:
        raise _error("SCHEMA_ALREADY_EXISTS", "Cannot create schema `%s`.`%s` because it already exists." % (c, name)) from None
    s.catalog.schema(c, name)
    return s.nothing()


def _drop_schema(s):
    c, name = s.names.schema_of(s.name_after("SCHEMA", "DATABASE"))
    if not s.catalog.schema(c, name):
        if s.has("IF", "EXISTS"):
            return s.nothing()
        raise _error("SCHEMA_NOT_FOUND", "The schema `%s`.`%s` cannot be found." % (c, name))
    if s.catalog.tables(c, name) and not s.has("CASCADE"):
        raise _error("SCHEMA_NOT_EMPTY", "Cannot drop a schema `%s`.`%s` because it contains objects; use CASCADE." % (c, name))
    s.catalog.external.dropDatabase(folded(c, name), True, True)
    shutil.rmtree(s.catalog.folder(c, name), ignore_errors=True)
    return s.nothing()


def _create_table(s):
    target = s.names.table(s.name_after("TABLE"))
    if target is None:
        return s.plain()
    if spark_clone.wanted(s):
        return s.catalog.session.sql(spark_clone.query(s))
    with s.catalog.alone(*target):  # of two that make it at once, the second finds it
        done = s.plain()
        s.catalog.made(*target)
    return done


def _create_named(s):
    """A view or function that stays: kept as the statement that makes it."""
    if s.has("WITH", "METRICS"):
        raise FlowctlUnsupported("CREATE VIEW ... WITH METRICS cannot run here: Spark has no metric views; run the task on a workspace with --remote")
    kind = "FUNCTION" if "FUNCTION" in s.words[:6] else "VIEW"
    target = s.names.table(s.name_after(kind))
    done = s.plain()
    if target:
        s.catalog.remember(*target, {
            "kind": kind.lower(), "sql": s.text, "use": folded(s.names.catalog, s.names.schema),
            "tables": [list(t) for t in dict.fromkeys(s.rewriter.tables) if t != target],
        })
    return done


def _drop(s):
    kind = s.words[1]
    target = s.names.table(s.name_after(kind))
    temporary = s.catalog.java.catalog()
    if target and kind != "FUNCTION" and len(s.name_after(kind)) == 1 and temporary.tableExists(target[2]) and _is_temporary(s, target[2]):
        return s.plain()
    done = s.plain()
    if target:
        s.catalog.dropped(*target)
    return done


def _is_temporary(s, name):
    return s.catalog.java.catalog().getTable(name).isTemporary()


def _alter_table(s):
    parts = s.name_after("TABLE", "VIEW")
    old = s.names.table(parts)
    if any(s.has(*words) for words in _RIGHTS):
        return _ignored(s)
    if s.has("CLUSTER", "BY", "AUTO") or s.has("PREDICTIVE", "OPTIMIZATION"):
        warn_once("ALTER TABLE: there is no one here who optimizes tables or chooses their columns by himself")
        return s.nothing()
    if any(s.has(*words) for words in (("PRIMARY", "KEY"), ("FOREIGN", "KEY"))):
        warn_once("PRIMARY KEY and FOREIGN KEY are not kept here; on a workspace they inform and are not enforced either")
        return s.nothing()
    if s.has("SET", "NOT", "NULL"):
        return _not_null(s)
    done = s.plain()
    if s.words[1] == "VIEW":
        return _view_altered(s, old, done)
    if s.has("RENAME", "TO") and old:
        new = s.names.table(s.name_after("TO"))
        _renamed(s.catalog, old, new)
    elif old and os.path.exists(s.catalog.note(*old)):
        s.catalog.made(*old)
    return done


_RIGHTS = (("OWNER", "TO"), ("SET", "OWNER"), ("SET", "TAGS"), ("UNSET", "TAGS"), ("SET", "ROW", "FILTER"), ("DROP", "ROW", "FILTER"), ("SET", "MASK"), ("DROP", "MASK"))


def _not_null(s):
    """ALTER COLUMN SET NOT NULL: Delta takes that for new tables only; a constraint does the same for one that is there."""
    column = s.name_after("COLUMN")[0]
    head = joined(s.toks[:next(i for i, t in enumerate(s.toks) if t.upper == "ALTER" and i)])
    return s.catalog.session.sql("%s ADD CONSTRAINT %s CHECK (%s IS NOT NULL)" % (head, back(column + "_not_null"), back(column)))


def _view_altered(s, old, done):
    """A view has another query or name: its note says so."""
    if old is None:
        return done
    if s.has("RENAME", "TO"):
        new = s.names.table(s.name_after("TO"))
        note = s.catalog._read(s.catalog.note(*old))
        s.catalog.forget(*old)
        text = s.catalog.sql("SHOW CREATE TABLE %s.%s" % (back(folded(*new[:2])), back(new[2]))).collectAsList().get(0).getString(0)
        s.catalog.remember(*new, dict(note, sql=text))
    elif s.has("AS"):
        query = s.text[s.text.upper().index("VIEW") + 4:]
        s.catalog.remember(*old, {
            "kind": "view", "sql": "CREATE OR REPLACE VIEW" + query, "use": folded(s.names.catalog, s.names.schema),
            "tables": [list(t) for t in dict.fromkeys(s.rewriter.tables) if t != old],
        })
    return done


def _renamed(catalog, old, new):
    """Spark has given a table a new name; its folder gets it too."""
    before, after = catalog.data(*old), catalog.data(*new)
    if os.path.exists(catalog.note(*old)):
        catalog.forget(*old)
        catalog.made(*new)
    elif os.path.isdir(before) and not os.path.exists(after):
        catalog.external.dropTable(folded(*new[:2]), new[2].lower(), True, True)
        os.rename(before, after)
        catalog.table(*new)


def _volume(s):
    return s.name_after("VOLUME")


def _volume_folder(s):
    parts = _volume(s)
    full = ([s.names.catalog, s.names.schema] + parts)[-3:] if len(parts) < 3 else parts
    if len(parts) == 2:
        full = [s.names.catalog] + parts
    return paths.local("/Volumes/" + "/".join(full)), ".".join(full)


def _create_volume(s):
    folder, name = _volume_folder(s)
    if os.path.isdir(folder) and not s.has("IF", "NOT", "EXISTS"):
        raise _error("VOLUME_ALREADY_EXISTS", "Cannot create volume %s because it already exists." % name)
    os.makedirs(folder, exist_ok=True)
    return s.nothing()


def _drop_volume(s):
    folder, name = _volume_folder(s)
    if not os.path.isdir(folder) and not s.has("IF", "EXISTS"):
        raise _error("VOLUME_NOT_FOUND", "The volume %s cannot be found." % name)
    shutil.rmtree(folder, ignore_errors=True)
    return s.nothing()


def _ignored(s):
    """Rights, owners and tags: there is one user here, so they change nothing."""
    what = " ".join(w for w in s.words[:2] if w)
    warn_once("%s has no effect here: this machine has no permissions, owners or tags of tables" % what)
    return s.nothing()


def _refresh(s):
    raise FlowctlUnsupported("REFRESH cannot run here; the CREATE OR REPLACE statement that made the table makes it anew")


def _no_grants(s):
    return s.rows(["Principal", "ActionType", "ObjectType", "ObjectKey"], [])


def _nothing_to_do(s):
    """FSCK REPAIR TABLE: a table of this machine has no files that somebody else has lost."""
    return s.nothing()


def _analyze(s):
    """ANALYZE TABLE: Delta's log has the statistics that its reader uses; a table of another kind is Spark's matter."""
    target = s.names.table(s.name_after("TABLE"))
    if target and os.path.isdir(os.path.join(s.catalog.data(*target), "_delta_log")):
        return s.nothing()
    return s.plain()


def _immediate(s):
    """EXECUTE IMMEDIATE: the names in the text are folded too."""
    end = next((i for i, t in enumerate(s.toks) if t.upper in ("USING", "INTO")), len(s.toks))
    inner = s.toks[2].value if end == 3 and s.toks[2].kind == TEXT else s.real("SELECT " + joined(s.toks[2:end])).first()[0]
    made = Rewriter(s.names, spark_dialect.translated(inner), None, spark_paths.local)
    text = made.run()
    for t in dict.fromkeys(made.tables):
        s.catalog.table(*t)
    return s.real("EXECUTE IMMEDIATE %s %s" % (quoted(text), joined(s.toks[end:])))


def _comment_on_column(s):
    parts = s.name_after("COLUMN")
    if len(parts) < 2:
        raise _error("PARSE_SYNTAX_ERROR", "COMMENT ON COLUMN: say table.column")
    text = next((t.text for t in s.toks if t.kind == TEXT), "''")
    return s.catalog.session.sql("ALTER TABLE %s ALTER COLUMN %s COMMENT %s" % (".".join(back(p) for p in parts[:-1]), back(parts[-1]), text))


def _undrop(s):
    raise FlowctlUnsupported("UNDROP: what is dropped here is gone; a Delta table's older rows come back with RESTORE TABLE")


def _copy_into(s):
    from flowctl_rt import spark_copy

    return spark_copy.run(s)


_EMULATED = [
    (("USE|SET", "CATALOG"), _use_catalog), (("USE",), _use),
    (("CREATE", "CATALOG"), _create_catalog), (("CREATE", "FOREIGN", "CATALOG"), _ignored), (("DROP", "CATALOG"), _drop_catalog),
    (("SHOW", "CATALOGS"), _show_catalogs), (("SHOW", "SCHEMAS|DATABASES"), _show_schemas), (("SHOW", "TABLES"), _show_tables),
    (("SHOW", "TABLE", "EXTENDED"), _show_table_extended),
    (("CREATE", "SCHEMA|DATABASE"), _create_schema), (("DROP", "SCHEMA|DATABASE"), _drop_schema),
    (("CREATE", "VOLUME"), _create_volume), (("CREATE", "EXTERNAL", "VOLUME"), _create_volume), (("DROP", "VOLUME"), _drop_volume),
    (("GRANT|REVOKE|DENY",), _ignored), (("ALTER", "CATALOG|VOLUME|SCHEMA|DATABASE|SHARE"), _ignored), (("COMMENT", "ON", "CATALOG|VOLUME|SCHEMA|DATABASE"), _ignored),
    (("COPY", "INTO"), _copy_into), (("LIST",), spark_show.files), (("SHOW", "VOLUMES"), spark_show.volumes),
    (("DESCRIBE|DESC", "CATALOG"), spark_show.describe_catalog), (("DESCRIBE|DESC", "VOLUME"), spark_show.describe_volume),
    (("SHOW", "CREATE", "TABLE"), spark_show.create_table), (("DESCRIBE|DESC", "DETAIL"), spark_show.unfolded),
    (("DESCRIBE|DESC", "TABLE|EXTENDED|FORMATTED|SCHEMA|DATABASE"), spark_show.unfolded),
    (("SHOW", "GRANTS"), _no_grants), (("FSCK",), _nothing_to_do), (("ANALYZE", "TABLE"), _analyze), (("EXECUTE", "IMMEDIATE"), _immediate),
    (("COMMENT", "ON", "COLUMN"), _comment_on_column), (("CREATE|ALTER|DROP", "SHARE|RECIPIENT|PROVIDER|CONNECTION"), _ignored),
    (("CREATE|ALTER|DROP", "EXTERNAL|STORAGE", "LOCATION|CREDENTIAL"), _ignored), (("UNDROP",), _undrop),
    (("REFRESH", "MATERIALIZED|STREAMING"), _refresh),
    (("CREATE", "TABLE"), _create_table), (("CREATE", "OR", "REPLACE", "TABLE"), _create_table), (("CREATE", "EXTERNAL", "TABLE"), _create_table),
    (("REPLACE", "TABLE"), _create_table),
    (("CREATE", "VIEW|FUNCTION"), _create_named), (("CREATE", "OR", "REPLACE", "VIEW|FUNCTION"), _create_named),
    (("DROP", "TABLE|VIEW|FUNCTION"), _drop), (("ALTER", "TABLE"), _alter_table), (("ALTER", "VIEW"), _alter_table),
]

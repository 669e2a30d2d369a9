"""SQL statements as a workspace understands them: names folded, the catalog
kept, and what Spark itself has not got (catalogs, volumes, grants) done here."""
import os
import shutil

from flowctl_rt import FlowctlUnsupported, paths, spark_live, spark_paths, spark_read_files, warn
from flowctl_rt.spark_names import Rewriter, back, chain_at, folded
from flowctl_rt.spark_tokens import SPACE, TEXT, quoted, tokens

_told = set()


def run(catalog, text, args, real):
    """Run one statement. real(text) is Spark's own way to do it."""
    text = spark_read_files.replaced(catalog.session, spark_live.as_table(text))
    rewriter = Rewriter(catalog.names, text, args if isinstance(args, dict) else None, spark_paths.local)
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
        warn("schema %s.%s was not here and is made empty; a workspace would refuse to use it" % (name, schema))
    catalog.names.catalog, catalog.names.schema = name, schema
    catalog.session._jsparkSession.sql("USE " + back(folded(name, schema)))


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
    with s.catalog.alone(*target):  # of two that make it at once, the second finds it
        done = s.plain()
        s.catalog.made(*target)
    return done


def _create_named(s):
    """A view or function that stays: kept as the statement that makes it."""
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
    temporary = s.catalog.session._jsparkSession.catalog()
    if target and kind != "FUNCTION" and len(s.name_after(kind)) == 1 and temporary.tableExists(target[2]) and _is_temporary(s, target[2]):
        return s.plain()
    done = s.plain()
    if target:
        s.catalog.dropped(*target)
    return done


def _is_temporary(s, name):
    return s.catalog.session._jsparkSession.catalog().getTable(name).isTemporary()


def _alter_table(s):
    parts = s.name_after("TABLE")
    old = s.names.table(parts)
    if s.has("OWNER", "TO") or s.has("SET", "OWNER") or s.has("SET", "TAGS") or s.has("UNSET", "TAGS"):
        return _ignored(s)
    done = s.plain()
    if s.has("RENAME", "TO") and old:
        new = s.names.table(s.name_after("TO"))
        _renamed(s.catalog, old, new)
    elif old and os.path.exists(s.catalog.note(*old)):
        s.catalog.made(*old)
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
    if what not in _told:
        _told.add(what)
        warn("%s has no effect here: this machine has no permissions, owners or tags of tables" % what)
    return s.nothing()


def _refresh(s):
    raise FlowctlUnsupported("REFRESH cannot run here; the CREATE OR REPLACE statement that made the table makes it anew")


def _copy_into(s):
    raise FlowctlUnsupported("COPY INTO cannot run here; use spark.read and write.mode('append'), or a stream with the cloudFiles format")


_EMULATED = [
    (("USE|SET", "CATALOG"), _use_catalog), (("USE",), _use),
    (("CREATE", "CATALOG"), _create_catalog), (("CREATE", "FOREIGN", "CATALOG"), _ignored), (("DROP", "CATALOG"), _drop_catalog),
    (("SHOW", "CATALOGS"), _show_catalogs), (("SHOW", "SCHEMAS|DATABASES"), _show_schemas), (("SHOW", "TABLES"), _show_tables),
    (("SHOW", "TABLE", "EXTENDED"), _show_table_extended),
    (("CREATE", "SCHEMA|DATABASE"), _create_schema), (("DROP", "SCHEMA|DATABASE"), _drop_schema),
    (("CREATE", "VOLUME"), _create_volume), (("CREATE", "EXTERNAL", "VOLUME"), _create_volume), (("DROP", "VOLUME"), _drop_volume),
    (("GRANT|REVOKE|DENY",), _ignored), (("ALTER", "CATALOG|VOLUME|SCHEMA|DATABASE|SHARE"), _ignored), (("COMMENT", "ON", "CATALOG|VOLUME|SCHEMA|DATABASE"), _ignored),
    (("COPY", "INTO"), _copy_into), (("REFRESH", "MATERIALIZED|STREAMING"), _refresh),
    (("CREATE", "TABLE"), _create_table), (("CREATE", "OR", "REPLACE", "TABLE"), _create_table), (("CREATE", "EXTERNAL", "TABLE"), _create_table),
    (("REPLACE", "TABLE"), _create_table),
    (("CREATE", "VIEW|FUNCTION"), _create_named), (("CREATE", "OR", "REPLACE", "VIEW|FUNCTION"), _create_named),
    (("DROP", "TABLE|VIEW|FUNCTION"), _drop), (("ALTER", "TABLE"), _alter_table), (("ALTER", "VIEW"), _alter_table),
]

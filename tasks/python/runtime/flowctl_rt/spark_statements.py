"""SQL statements as a workspace understands them: names folded, the catalog
kept, and what Spark itself has not got (catalogs, volumes, grants) done here."""
from flowctl_rt import (
    FlowctlUnsupported, spark_alter, spark_clone, spark_dialect, spark_live, spark_paths, spark_read_files, spark_schemas, spark_show, spark_volumes,
)
from flowctl_rt.spark_catalog import is_table
from flowctl_rt.spark_names import Rewriter, chain_at, folded
from flowctl_rt.spark_statement import Statement, refusal
from flowctl_rt.spark_tokens import TEXT, joined, quoted


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


def _show_tables(s):
    parts = chain_at(s.toks, 3).parts if len(s.toks) > 3 and s.words[2] in ("IN", "FROM") else [s.names.schema]
    c, schema = s.names.schema_of(parts)
    if not s.catalog.schema(c, schema):
        raise refusal("SCHEMA_NOT_FOUND", "The schema `%s`.`%s` cannot be found." % (c, schema))
    like = s.like()
    rows = [[schema, t, "false"] for t in s.catalog.tables(c, schema) if like(t)]
    temporary = s.real("SHOW TABLES").filter("isTemporary").collect()
    return s.rows(["database", "tableName", "isTemporary"], rows + [["", r["tableName"], "true"] for r in temporary if like(r["tableName"])])


def _show_table_extended(s):
    """SHOW TABLE EXTENDED IN schema LIKE 'a|b'. Spark's own does not know the columns of Delta tables."""
    i = next((i for i, t in enumerate(s.toks) if t.upper in ("IN", "FROM")), None)
    c, schema = s.names.schema_of(chain_at(s.toks, i + 1).parts if i else [s.names.schema])
    if not s.catalog.schema(c, schema):
        raise refusal("SCHEMA_NOT_FOUND", "The schema `%s`.`%s` cannot be found." % (c, schema))
    from flowctl_rt import spark_information

    like, rows = s.like(), []
    for row in spark_information.tables(s.catalog, c, schema):
        if like(row[2]):
            rows.append([schema, row[2], "false", spark_information.described(s.catalog, row)])
    return s.rows(["database", "tableName", "isTemporary", "information"], rows)


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
    if target and is_table(s.catalog.data(*target)):
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


def _undrop(s):
    raise FlowctlUnsupported("UNDROP: what is dropped here is gone; a Delta table's older rows come back with RESTORE TABLE")


def _copy_into(s):
    from flowctl_rt import spark_copy

    return spark_copy.run(s)


_EMULATED = [
    (("USE|SET", "CATALOG"), spark_schemas.use_catalog), (("USE",), spark_schemas.use),
    (("CREATE", "CATALOG"), spark_schemas.create_catalog), (("CREATE", "FOREIGN", "CATALOG"), Statement.ignored), (("DROP", "CATALOG"), spark_schemas.drop_catalog),
    (("SHOW", "CATALOGS"), spark_schemas.show_catalogs), (("SHOW", "SCHEMAS|DATABASES"), spark_schemas.show_schemas), (("SHOW", "TABLES"), _show_tables),
    (("SHOW", "TABLE", "EXTENDED"), _show_table_extended),
    (("CREATE", "SCHEMA|DATABASE"), spark_schemas.create_schema), (("DROP", "SCHEMA|DATABASE"), spark_schemas.drop_schema),
    (("CREATE", "VOLUME"), spark_volumes.create), (("CREATE", "EXTERNAL", "VOLUME"), spark_volumes.create), (("DROP", "VOLUME"), spark_volumes.drop),
    (("GRANT|REVOKE|DENY",), Statement.ignored), (("ALTER", "CATALOG|VOLUME|SCHEMA|DATABASE|SHARE"), Statement.ignored), (("COMMENT", "ON", "CATALOG|VOLUME|SCHEMA|DATABASE"), Statement.ignored),
    (("COPY", "INTO"), _copy_into), (("LIST",), spark_show.files), (("SHOW", "VOLUMES"), spark_volumes.show),
    (("DESCRIBE|DESC", "CATALOG"), spark_show.describe_catalog), (("DESCRIBE|DESC", "VOLUME"), spark_volumes.describe),
    (("SHOW", "CREATE", "TABLE"), spark_show.create_table), (("DESCRIBE|DESC", "DETAIL"), spark_show.unfolded),
    (("DESCRIBE|DESC", "TABLE|EXTENDED|FORMATTED|SCHEMA|DATABASE"), spark_show.unfolded),
    (("SHOW", "GRANTS"), _no_grants), (("FSCK",), _nothing_to_do), (("ANALYZE", "TABLE"), _analyze), (("EXECUTE", "IMMEDIATE"), _immediate),
    (("COMMENT", "ON", "COLUMN"), spark_alter.comment_on_column), (("CREATE|ALTER|DROP", "SHARE|RECIPIENT|PROVIDER|CONNECTION"), Statement.ignored),
    (("CREATE|ALTER|DROP", "EXTERNAL|STORAGE", "LOCATION|CREDENTIAL"), Statement.ignored), (("UNDROP",), _undrop),
    (("REFRESH", "MATERIALIZED|STREAMING"), _refresh),
    (("CREATE", "TABLE"), _create_table), (("CREATE", "OR", "REPLACE", "TABLE"), _create_table), (("CREATE", "EXTERNAL", "TABLE"), _create_table),
    (("REPLACE", "TABLE"), _create_table),
    (("CREATE", "VIEW|FUNCTION"), _create_named), (("CREATE", "OR", "REPLACE", "VIEW|FUNCTION"), _create_named),
    (("DROP", "TABLE|VIEW|FUNCTION"), _drop), (("ALTER", "TABLE"), spark_alter.table), (("ALTER", "VIEW"), spark_alter.table),
]

"""information_schema of a catalog, and of all catalogs as system.information_schema:
made from what there is, each time a statement asks.

The columns are those of Unity Catalog that have a meaning here. What no table
here can have (keys, rights, tags, masks) is there, and empty: tools ask for it.
"""
import datetime
import os

from flowctl_rt.spark_names import back, folded
from flowctl_rt.spark_tokens import quoted
from flowctl_rt.spark_volumes import volumes_of

_NAME = [("table_catalog", "string"), ("table_schema", "string"), ("table_name", "string")]
_TAGGED = [("catalog_name", "string"), ("schema_name", "string"), ("table_name", "string"), ("tag_name", "string"), ("tag_value", "string")]
_KEY = [("constraint_catalog", "string"), ("constraint_schema", "string"), ("constraint_name", "string")]

_GRANT = [("privilege_type", "string"), ("is_grantable", "string")]

_COLUMNS = {
    "catalogs": [("catalog_name", "string"), ("catalog_owner", "string"), ("comment", "string")],
    "schemata": [("catalog_name", "string"), ("schema_name", "string"), ("schema_owner", "string"), ("comment", "string")],
    "tables": _NAME + [
        ("table_type", "string"), ("data_source_format", "string"), ("table_owner", "string"), ("comment", "string"),
        ("last_altered", "timestamp"), ("storage_path", "string"),
    ],
    "views": _NAME + [("table_type", "string"), ("data_source_format", "string"), ("view_definition", "string"), ("is_materialized", "string")],
    "columns": _NAME + [
        ("column_name", "string"), ("ordinal_position", "int"), ("data_type", "string"), ("full_data_type", "string"),
        ("is_nullable", "string"), ("comment", "string"),
    ],
    "volumes": [
        ("volume_catalog", "string"), ("volume_schema", "string"), ("volume_name", "string"), ("volume_type", "string"), ("volume_owner", "string"),
        ("comment", "string"),
    ],
    "routines": [
        ("routine_catalog", "string"), ("routine_schema", "string"), ("routine_name", "string"), ("routine_type", "string"), ("routine_body", "string"),
    ],
    "catalog_tags": _TAGGED[:1] + _TAGGED[3:],
    "schema_tags": _TAGGED[:2] + _TAGGED[3:],
    "table_privileges": [("grantor", "string"), ("grantee", "string")] + _NAME + _GRANT,
    "schema_privileges": [("grantor", "string"), ("grantee", "string")] + _TAGGED[:2] + _GRANT,
    "table_tags": _TAGGED,
    "column_tags": _TAGGED[:3] + [("column_name", "string")] + _TAGGED[3:],
    "column_masks": _NAME + [("column_name", "string"), ("mask_name", "string"), ("using_columns", "string")],
    "row_filters": _NAME + [("filter_name", "string"), ("target_columns", "string")],
    "table_constraints": _KEY + _NAME + [("constraint_type", "string"), ("enforced", "string")],
    "key_column_usage": _KEY + _NAME + [("column_name", "string"), ("ordinal_position", "int"), ("position_in_unique_constraint", "int")],
    "referential_constraints": _KEY + [("unique_constraint_catalog", "string"), ("unique_constraint_schema", "string"), ("unique_constraint_name", "string")],
}


def make(catalog, name, view):
    """Make the view NAME.information_schema.VIEW. An unknown view is left to Spark's own error."""
    view = view.lower()
    columns = _COLUMNS.get(view)
    if columns is None:
        return
    rows = []
    for c in [c for c in catalog.catalogs() if c != "system"] if name.lower() == "system" else [name]:
        if view == "catalogs":
            rows.append([c, _owner(), None])
        for s in catalog.schemas(c) if view in _ROWS else ():
            rows += _ROWS[view](catalog, c, s)
    db = folded(name, "information_schema")
    catalog.sql("CREATE DATABASE IF NOT EXISTS " + back(db))
    values = ", ".join("(" + ", ".join(_literal(v) for v in row) + ")" for row in rows or [[None] * len(columns)])
    body = "SELECT %s FROM VALUES %s AS t(%s)%s" % (
        ", ".join("CAST(%s AS %s) AS %s" % (n, kind, n) for n, kind in columns), values, ", ".join(n for n, _ in columns),
        "" if rows else " WHERE false",
    )
    catalog.sql("CREATE OR REPLACE VIEW %s.%s AS %s" % (back(db), back(view), body))


def _literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else quoted(value)


def _owner():
    from flowctl_rt.spark_attach import settings

    return settings().get("user") or None


def _schemata(catalog, name, schema):
    return [[name, schema, _owner(), None]]


def _volumes(catalog, name, schema):
    return [[name, schema, v, "MANAGED", _owner(), None] for v in volumes_of(name, schema)]


def _routines(catalog, name, schema):
    return [[name, schema, f, "FUNCTION", "SQL"] for f in catalog.functions(name, schema)]


def tables(catalog, name, schema):
    """The rows of the view tables for a schema."""
    rows, owner = [], _owner()
    for t, note in catalog.notes(name, schema):
        where = catalog.data(name, schema, t)
        elsewhere = note.get("location", where).rstrip("/") != where
        kind = "VIEW" if note.get("kind") == "view" else "EXTERNAL" if elsewhere else "MANAGED"
        path = None if kind == "VIEW" else note.get("location") or where
        rows.append([name, schema, t, kind, "" if kind == "VIEW" else _format(note), owner, None, path and _changed(path), path])
    return rows


def _views(catalog, name, schema):
    rows = []
    for t, note in catalog.notes(name, schema):
        if note.get("kind") == "view":
            rows.append([name, schema, t, "VIEW", "", catalog.names.unfold(_query(note.get("sql", ""))), "false"])
    return rows


def _columns(catalog, name, schema):
    rows = []
    catalog.all_of(name, schema)
    for t in catalog.tables(name, schema):
        fields = catalog.sql("SELECT * FROM %s.%s LIMIT 0" % (back(folded(name, schema)), back(t))).schema().fields()
        for i, f in enumerate(fields):
            kind = f.dataType().catalogString()
            comment = f.getComment().get() if f.getComment().isDefined() else None
            rows.append([name, schema, t, f.name(), i, kind.split("<")[0].split("(")[0].upper(), kind, "YES" if f.nullable() else "NO", comment])
    return rows


def described(catalog, row):
    """A row of tables with its columns, as the text of SHOW TABLE EXTENDED."""
    name, schema, table, kind, provider, owner = row[:6]
    catalog.table(name, schema, table)
    tree = catalog.sql("SELECT * FROM %s.%s LIMIT 0" % (back(folded(name, schema)), back(table))).schema().treeString()
    facts = [("Catalog", name), ("Database", schema), ("Table", table), ("Owner", owner), ("Type", kind), ("Provider", provider.lower())]
    return "".join("%s: %s\n" % (k, v) for k, v in facts if v) + "Schema: " + tree


_ROWS = {"schemata": _schemata, "tables": tables, "views": _views, "columns": _columns, "volumes": _volumes, "routines": _routines}


def _changed(folder):
    """When a Delta table was last written, in UTC."""
    try:
        seconds = os.stat(os.path.join(folder, "_delta_log")).st_mtime
    except OSError:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S+00:00")


def _format(note):
    """What a table consists of, by the statement that makes it."""
    from flowctl_rt.spark_tokens import SPACE, tokens

    words = [t.value for t in tokens(note.get("sql", "")) if t.kind != SPACE]
    for w, following in zip(words, words[1:]):
        if w.upper() == "USING":
            return following.upper()
    return "DELTA"


def _query(statement):
    """The query of a CREATE VIEW."""
    from flowctl_rt.spark_tokens import MARK, tokens

    depth, toks = 0, tokens(statement)
    for i, t in enumerate(toks):
        if t.kind == MARK and t.text in "()":
            depth += 1 if t.text == "(" else -1
        elif t.upper == "AS" and depth == 0:
            return "".join(x.text for x in toks[i + 1:]).strip()
    return statement

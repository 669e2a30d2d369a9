"""information_schema of a catalog: made from what there is, each time a statement asks."""
from flowctl_rt.spark_names import back, folded
from flowctl_rt.spark_tokens import quoted


def make(catalog, name, view):
    """Make the view NAME.information_schema.VIEW. An unknown view is left to Spark's own error."""
    columns, rows = _view(catalog, name, view.lower())
    if columns is None:
        return
    db = folded(name, "information_schema")
    catalog.sql("CREATE DATABASE IF NOT EXISTS " + back(db))
    if rows:
        values = ", ".join("(" + ", ".join(str(v) if isinstance(v, int) else quoted(v) for v in row) + ")" for row in rows)
        body = "SELECT * FROM VALUES %s AS t(%s)" % (values, ", ".join(columns))
    else:
        body = "SELECT %s WHERE false" % ", ".join("CAST(NULL AS STRING) AS " + c for c in columns)
    catalog.sql("CREATE OR REPLACE VIEW %s.%s AS %s" % (back(db), back(view.lower()), body))


def _view(catalog, name, view):
    """The columns and rows of a view."""
    schemas = catalog.schemas(name)
    if view == "schemata":
        return ["catalog_name", "schema_name"], [[name, s] for s in schemas]
    if view in ("tables", "views"):
        rows = [r for r in _tables(catalog, name, schemas) if view == "tables" or r[3] == "VIEW"]
        return ["table_catalog", "table_schema", "table_name", "table_type", "data_source_format"], rows
    if view == "columns":
        names = ["table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "data_type", "full_data_type"]
        return names, _columns(catalog, name, schemas)
    return None, None


def _tables(catalog, name, schemas):
    rows = []
    for s in schemas:
        catalog.all_of(name, s)
        for t in catalog.tables(name, s):
            meta = catalog.external.getTable(folded(name, s), t)
            view = meta.tableType().name() == "VIEW"
            own = not view and meta.storage().locationUri().isDefined() and meta.storage().locationUri().get().getPath().rstrip("/") == catalog.data(name, s, t)
            provider = meta.provider().get().upper() if meta.provider().isDefined() else ""
            rows.append([name, s, t, "VIEW" if view else "MANAGED" if own else "EXTERNAL", provider])
    return rows


def _columns(catalog, name, schemas):
    rows = []
    for s in schemas:
        catalog.all_of(name, s)
        for t in catalog.tables(name, s):
            fields = catalog.sql("SELECT * FROM %s.%s LIMIT 0" % (back(folded(name, s)), back(t))).schema().fields()
            for i, f in enumerate(fields):
                kind = f.dataType().catalogString()
                rows.append([name, s, t, f.name(), i, kind.split("<")[0].split("(")[0].upper(), kind])
    return rows

"""What SHOW, DESCRIBE and LIST answer on a workspace and Spark does not know."""
from flowctl_rt.spark_catalog import is_table
from flowctl_rt.spark_names import back, folded
from flowctl_rt.spark_statement import refusal
from flowctl_rt.spark_tokens import quoted


def describe_catalog(s):
    """DESCRIBE CATALOG [EXTENDED] name."""
    name = s.name_after("EXTENDED" if s.has("CATALOG", "EXTENDED") else "CATALOG")[0]
    if name.lower() not in [c.lower() for c in s.catalog.catalogs()]:
        raise refusal("CATALOG_NOT_FOUND", "The catalog `%s` cannot be found." % name)
    return s.rows(["info_name", "info_value"], [["Catalog Name", name], ["Comment", ""], ["Owner", ""], ["Catalog Type", "Regular"]])


def files(s):
    """LIST 'path' [LIMIT n]."""
    from flowctl_rt import namespace

    found = namespace.get("dbutils").fs.ls(s.name_after("LIST")[0])
    if s.has("LIMIT"):
        found = found[:int(s.toks[-1].text)]
    if not found:
        return s.real("SELECT '' AS path, '' AS name, 0L AS size, 0L AS modification_time WHERE false")
    values = ", ".join("(%s, %s, %dL, %dL)" % (quoted(f.path), quoted(f.name), f.size, f.modificationTime) for f in found)
    return s.real("SELECT * FROM VALUES %s AS t(path, name, size, modification_time)" % values)


def create_table(s):
    """SHOW CREATE TABLE: Delta has no way of its own to tell."""
    target = s.names.table(s.name_after("TABLE"))
    if target is None:
        return s.plain()
    s.catalog.table(*target)
    if not is_table(s.catalog.data(*target)):
        return s.plain()
    name = "%s.%s" % (back(folded(*target[:2])), back(target[2]))
    detail = s.real("DESCRIBE DETAIL " + name).first()
    columns = []
    for f in s.catalog.session.table(".".join(back(p) for p in target)).schema.fields:
        line = "  %s %s" % (f.name if f.name.isidentifier() else back(f.name), f.dataType.simpleString().upper())
        line += ("" if f.nullable else " NOT NULL") + (" COMMENT " + quoted(f.metadata["comment"]) if f.metadata.get("comment") else "")
        columns.append(line)
    text = "CREATE TABLE %s (\n%s)\nUSING delta" % (".".join(target), ",\n".join(columns))
    if detail["partitionColumns"]:
        text += "\nPARTITIONED BY (%s)" % ", ".join(detail["partitionColumns"])
    if detail["clusteringColumns"]:
        text += "\nCLUSTER BY (%s)" % ", ".join(detail["clusteringColumns"])
    if detail["description"]:
        text += "\nCOMMENT " + quoted(detail["description"])
    if detail["properties"]:
        text += "\nTBLPROPERTIES (\n%s)" % ",\n".join("  %s = %s" % (quoted(k), quoted(v)) for k, v in sorted(detail["properties"].items()))
    return s.rows(["createtab_stmt"], [[text + "\n"]])


def unfolded(s):
    """Spark's own answer, with the names as people write them."""
    frame = s.plain()
    names = [t for t in s.rewriter.tables] + [(c, schema, "") for c, schema in s.rewriter.schemas]
    if not names:
        return frame
    from pyspark.sql import functions as F

    c, schema = names[0][:2]
    inner = folded(c, schema)
    texts = [n for n, kind in frame.dtypes if kind == "string"]

    def told(n):
        col = F.replace(F.col(back(n)), F.lit("spark_catalog." + inner), F.lit(c + "." + schema))
        return F.when(col == "spark_catalog", c).when(col == inner, schema).otherwise(col).alias(n)

    return frame.select(*[told(n) if n in texts else F.col(back(n)) for n in frame.columns])

"""DEEP CLONE: a table with the rows, partitions and properties of another.

Delta outside of Databricks has only shallow clones, which break when the
source's files are vacuumed; so the rows are written anew.
"""
from flowctl_rt import warn_once
from flowctl_rt.spark_names import back, chain_at
from flowctl_rt.spark_statement import refusal
from flowctl_rt.spark_tokens import SPACE, joined, quoted, tokens


def wanted(s):
    return s.has("CLONE") and not s.has("SHALLOW", "CLONE")


def query(s):
    """The statement's text with CREATE TABLE ... AS SELECT in the place of the clone."""
    toks = [t for t in tokens("".join(t.text for t in s.rewriter.toks)) if t.kind != SPACE]
    place = next(i for i, t in enumerate(toks) if t.upper == "CLONE")
    source = chain_at(toks, place + 1)
    head = toks[:place - 1] if toks[place - 1].upper == "DEEP" else toks[:place]
    if source is None or len(head) < 3:
        raise refusal("PARSE_SYNTAX_ERROR", "CLONE: a name is missing")
    warn_once("DEEP CLONE writes the source's rows anew here; it has no history of the source")
    name = ".".join(back(p) for p in source.parts)
    detail = s.catalog.session.sql("DESCRIBE DETAIL " + name).first()
    rest = toks[source.end:]
    cut = next((i for i, t in enumerate(rest) if t.upper in ("TBLPROPERTIES", "LOCATION")), len(rest))
    text = joined(head) + " USING delta"
    if detail["partitionColumns"]:
        text += " PARTITIONED BY (%s)" % ", ".join(back(c) for c in detail["partitionColumns"])
    if detail["clusteringColumns"]:
        text += " CLUSTER BY (%s)" % ", ".join(back(c) for c in detail["clusteringColumns"])
    # Constraints and features are properties too; Delta's own counters of columns are not to be copied.
    kept = {k: v for k, v in detail["properties"].items() if not k.startswith(("delta.columnMapping.maxColumnId", "delta.constraints.", "delta.feature.", "delta.rowTracking.", "delta.min"))}
    extra = joined(rest[cut:])
    if kept and "TBLPROPERTIES" not in [t.upper for t in rest[cut:]]:
        text += " TBLPROPERTIES (%s)" % ", ".join("%s = %s" % (quoted(k), quoted(v)) for k, v in sorted(kept.items()))
    return "%s %s AS SELECT * FROM %s %s" % (text, extra, name, joined(rest[:cut]))

"""ALTER TABLE and ALTER VIEW: what Spark does is kept in the catalog, what it has not got is done here."""
import os

from flowctl_rt import warn_once
from flowctl_rt.spark_names import back, folded
from flowctl_rt.spark_statement import refusal
from flowctl_rt.spark_tokens import TEXT, joined


def table(s):
    parts = s.name_after("TABLE", "VIEW")
    old = s.names.table(parts)
    if any(s.has(*words) for words in _RIGHTS):
        return s.ignored()
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


def comment_on_column(s):
    parts = s.name_after("COLUMN")
    if len(parts) < 2:
        raise refusal("PARSE_SYNTAX_ERROR", "COMMENT ON COLUMN: say table.column")
    text = next((t.text for t in s.toks if t.kind == TEXT), "''")
    return s.catalog.session.sql("ALTER TABLE %s ALTER COLUMN %s COMMENT %s" % (".".join(back(p) for p in parts[:-1]), back(parts[-1]), text))

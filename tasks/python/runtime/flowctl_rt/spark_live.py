"""Materialized views and streaming tables, which are tables here, made anew by
each statement that makes or refreshes them."""
from flowctl_rt import warn_once
from flowctl_rt.spark_tokens import SPACE, tokens

_CLAUSES = ("PARTITIONED", "CLUSTER", "COMMENT", "TBLPROPERTIES", "USING", "OPTIONS", "LOCATION")


def as_table(text):
    """A statement that makes or drops one of them as that about a table; any other as it is."""
    toks = tokens(text)
    words = [i for i, t in enumerate(toks) if t.kind != SPACE][:7]
    heads = [toks[i].upper for i in words]
    for n in range(1, min(5, len(heads) - 1)):
        if heads[0] in ("CREATE", "DROP") and (heads[n], heads[n + 1]) in (("MATERIALIZED", "VIEW"), ("STREAMING", "TABLE")):
            rest = toks[words[n + 1] + 1:]
            if heads[0] == "DROP":
                return "DROP TABLE" + "".join(t.text for t in rest)
            what = "%s %s" % (heads[n], heads[n + 1])
            warn_once("CREATE %s makes a table here, whole, from what is there now" % what)
            begin = "CREATE TABLE" if heads[n + 2:n + 5] == ["IF", "NOT", "EXISTS"] else "CREATE OR REPLACE TABLE"
            return begin + "".join(t.text for t in _plain(rest))
    return text


def _plain(toks):
    """What comes after the kind, without what a table made by a query cannot
    have here: a list of columns, a schedule, STREAM before a source."""
    at = _query(toks)
    if at is None:
        return toks
    out, depth, dropping, clause = [], 0, False, ""
    for t in toks[:at]:
        if depth == 0 and t.upper in _CLAUSES + ("SCHEDULE", "TRIGGER"):
            clause = t.upper
        if t.text == "(":
            dropping = dropping or depth == 0 and not clause
            depth += 1
        if not dropping and clause not in ("SCHEDULE", "TRIGGER"):
            out.append(t)
        if t.text == ")":
            depth -= 1
            dropping = dropping and depth > 0
    return out + _unstreamed(toks[at:])


def _query(toks):
    """Where the AS of the query is; None: there is no query."""
    depth = 0
    for i, t in enumerate(toks):
        depth += 1 if t.text == "(" else -1 if t.text == ")" else 0
        if t.upper == "AS" and depth == 0:
            return i
    return None


def _unstreamed(toks):
    """A query that reads STREAM t or STREAM(t) as one that reads t."""
    out, before = [], ""
    for i, t in enumerate(toks):
        after = next((x for x in toks[i + 1:] if x.kind != SPACE), None)
        if t.upper == "STREAM" and before in ("FROM", "JOIN", ",") and after is not None and after.text not in (".", ",", ")", ";"):
            continue
        out.append(t)
        if t.kind != SPACE:
            before = t.upper or t.text
    return out

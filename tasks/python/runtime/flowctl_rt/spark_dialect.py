"""What Databricks' SQL has and Spark's own has not, put into Spark's words.

Each change is one of tokens and asks nobody. What cannot be said otherwise
is left as it is: Spark's own error tells where.
"""
from flowctl_rt import FlowctlUnsupported, warn_once
from flowctl_rt.spark_tokens import MARK, NAME, SPACE, WORD, Token, quoted, tokens

_OPTIONS = {"NOT", "ENFORCED", "DEFERRABLE", "INITIALLY", "DEFERRED", "NORELY", "RELY", "TIMESERIES", "MATCH", "FULL", "ON", "UPDATE", "DELETE", "NO", "ACTION"}
_AFTER_QUALIFY = {"ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "MINUS", "CLUSTER", "DISTRIBUTE", "SORT", "WINDOW"}


def translated(sql):
    """A statement in Spark's words."""
    upper = sql.upper()
    if "@" in sql:
        sql = _versions(sql)
    if "IFF" in upper:
        sql = _renamed(sql, {"IFF": "if"})
    if "QUALIFY" in upper:
        sql = _qualify(sql)
    if " KEY" in upper or "REFERENCES" in upper or "CLUSTER" in upper:
        sql = _table(sql)
    if "LANGUAGE" in upper and "PYTHON" in upper:
        _python_function(sql)
    return sql


def _words(toks):
    """Where the tokens are that say something."""
    return [i for i, t in enumerate(toks) if t.kind != SPACE]


def _versions(sql):
    """table@v3 and table@20240131120000000."""
    toks, out, i = tokens(sql), [], 0
    while i < len(toks):
        t = toks[i]
        if t.text == "@" and out and out[-1].kind in (WORD, NAME) and i + 1 < len(toks):
            which = toks[i + 1].text
            if which[:1] in "vV" and which[1:].isdigit():
                out.append(Token(WORD, " VERSION AS OF " + which[1:]))
                i += 2
                continue
            if which.isdigit() and len(which) == 17:
                d = which
                out.append(Token(WORD, " TIMESTAMP AS OF " + quoted("%s-%s-%s %s:%s:%s.%s" % (d[:4], d[4:6], d[6:8], d[8:10], d[10:12], d[12:14], d[14:]))))
                i += 2
                continue
        out.append(t)
        i += 1
    return "".join(t.text for t in out)


def _renamed(sql, names):
    """Functions that Spark has under another name."""
    toks = tokens(sql)
    for i, t in enumerate(toks[:-1]):
        if t.upper in names and toks[i + 1].text == "(" and (i == 0 or toks[i - 1].text != "."):
            t.text = names[t.upper]
    return "".join(t.text for t in toks)


def _qualify(sql):
    """SELECT ... QUALIFY condition, as a query around the query."""
    toks = tokens(sql)
    place = next((i for i, t in enumerate(toks) if t.upper == "QUALIFY"), None)
    if place is None:
        return sql
    depth, select = 0, None
    for i in range(place - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(toks[i].text, 0)
        if depth < 0:
            break
        if depth == 0 and toks[i].upper == "SELECT":
            select = i
            break
    if select is None:
        return sql
    depth, end = 0, place + 1
    while end < len(toks):
        depth += {"(": 1, ")": -1}.get(toks[end].text, 0)
        if depth < 0 or depth == 0 and toks[end].upper in _AFTER_QUALIFY:
            break
        end += 1
    depth, start = 0, None
    for i in range(select + 1, place):
        depth += {"(": 1, ")": -1}.get(toks[i].text, 0)
        if depth == 0 and toks[i].upper == "FROM":
            start = i
            break
    if start is None:
        return sql
    if any(t.upper == "DISTINCT" for t in toks[select + 1:select + 3]):
        raise FlowctlUnsupported("SELECT DISTINCT ... QUALIFY cannot be put into Spark's words: select from a query with the window function in a column, and filter by that")
    text = lambda a, b: "".join(t.text for t in toks[a:b])  # noqa: E731
    inner = "%s, (%s) AS flowctl_qualify %s" % (text(select, start).rstrip(), text(place + 1, end).strip(), text(start, place))
    made = text(0, select) + "SELECT * EXCEPT (flowctl_qualify) FROM (" + inner.rstrip() + ") WHERE flowctl_qualify " + text(end, len(toks))
    return _qualify(made)


def _table(sql):
    """A table's definition without what only informs: keys, and the choice of the clustering columns."""
    toks = tokens(sql)
    at = _words(toks)
    heads = [toks[i].upper for i in at[:6]]
    if not heads or heads[0] != "CREATE" or "TABLE" not in heads:
        return sql
    for n in range(len(at) - 2):
        if [toks[i].upper for i in at[n:n + 3]] == ["CLUSTER", "BY", "AUTO"]:
            warn_once("CLUSTER BY AUTO: there is no one here who chooses the columns; the table is not clustered")
            for i in at[n:n + 3]:
                toks[i].text = ""
    return "".join(t.text for t in _without_keys(toks))


def _without_keys(toks):
    start = next((i for i, t in enumerate(toks) if t.text == "(" or t.upper == "AS"), None)
    if start is None or toks[start].text != "(":
        return toks
    parts, depth, end = [[]], 1, start + 1
    while end < len(toks):
        depth += {"(": 1, ")": -1}.get(toks[end].text, 0)
        if depth == 0:
            break
        if depth == 1 and toks[end].text == "," and toks[end].kind == MARK:
            parts.append([])
        else:
            parts[-1].append(toks[end])
        end += 1
    kept = [k for k in (_without_key(p) for p in parts) if k is not None]
    if [len(k) for k in kept] == [len(p) for p in parts]:
        return toks
    warn_once("PRIMARY KEY and FOREIGN KEY are not kept here; on a workspace they inform and are not enforced either")
    out = toks[:start + 1]
    for n, k in enumerate(kept):
        out += ([Token(MARK, ",")] if n else []) + k
    return out + toks[end:]


def _without_key(part):
    """A column without its key; None for a key of the whole table."""
    at = _words(part)
    heads = [part[i].upper for i in at]
    for n, word in enumerate(heads):
        key = word in ("PRIMARY", "FOREIGN") and heads[n + 1:n + 2] == ["KEY"] or word == "REFERENCES"
        if not key:
            continue
        first = n - 2 if n >= 2 and heads[n - 2] == "CONSTRAINT" else n
        if first == 0:
            return None
        last = _end_of_key(part, at, n)
        return _without_key(part[:at[first]] + part[at[last]:] if last < len(at) else part[:at[first]])
    return part


def _end_of_key(part, at, n):
    """The place behind a column's key."""
    heads = [part[i].upper for i in at]
    n += 2 if heads[n] == "PRIMARY" else 1
    depth = 0
    while n < len(at):
        text = part[at[n]].text
        depth += {"(": 1, ")": -1}.get(text, 0)
        named = heads[n - 1] == "REFERENCES" or text == "." or part[at[n - 1]].text == "."
        if depth == 0 and text != ")" and heads[n] not in _OPTIONS and not named:
            return n
        n += 1
    return n


def _python_function(sql):
    heads = [t.upper for t in tokens(sql) if t.kind != SPACE]
    if heads[0] == "CREATE" and "FUNCTION" in heads[:6]:
        for a, b in zip(heads, heads[1:]):
            if (a, b) == ("LANGUAGE", "PYTHON"):
                raise FlowctlUnsupported("CREATE FUNCTION ... LANGUAGE PYTHON: functions of a catalog are SQL here; register it for the task with spark.udf.register")

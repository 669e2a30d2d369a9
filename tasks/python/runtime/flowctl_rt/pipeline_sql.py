"""The SQL of a pipeline: Databricks' statements as Spark 4.1 has them.

CREATE OR REFRESH and the older LIVE words go, expectations become conditions
around the query, read_files becomes a view of the pipeline, names are folded.
"""
from flowctl_rt import FlowctlUnsupported, spark_paths
from flowctl_rt.spark_names import Rewriter, chain_at
from flowctl_rt.spark_tokens import SPACE, WORD, statements, tokens

_HEAD = {"OR", "REFRESH", "REPLACE", "TEMPORARY", "TEMP", "PRIVATE", "STREAMING", "LIVE", "MATERIALIZED"}


class Statement:
    """One statement: as it was written, as Spark gets it, and the tables that it makes."""

    def __init__(self, written, text, outputs):
        self.written, self.text, self.outputs = written, text, outputs


def translated(text, path):
    """The statements of a file. It is read whole before any is registered: what cannot be is said at once."""
    return [_statement(s, path) for s in statements(text)]


def _statement(written, path):
    toks = tokens(written)
    words = [t.upper for t in toks if t.kind != SPACE]
    if words[:2] == ["APPLY", "CHANGES"] or "CDC" in words[:8]:
        raise FlowctlUnsupported(
            "%s: %s: change data capture is not there in the declarative pipelines of this Spark, which run here; run the pipeline on a workspace"
            % (path, " ".join(written.split())[:60])
        )
    outputs = []
    if words[:1] == ["CREATE"]:
        kind, at = _head(toks)
        if kind:
            toks, name = _created(toks, kind, at)
            if kind != "TEMPORARY VIEW":
                outputs.append(name)
    return Statement(written, folded("".join(t.text for t in toks)), outputs)


def _next(toks, i):
    while i < len(toks) and toks[i].kind == SPACE:
        i += 1
    return i


def _head(toks):
    """What a CREATE makes, and where its name begins. None: nothing of a pipeline's own."""
    i, seen = _next(toks, _next(toks, 0) + 1), set()
    while i < len(toks) and toks[i].upper in _HEAD:
        seen.add(toks[i].upper)
        i = _next(toks, i + 1)
    what = toks[i].upper if i < len(toks) else ""
    at = _next(toks, i + 1)
    if what == "TABLE" and "STREAMING" in seen:
        return "STREAMING TABLE", at
    if what == "VIEW" and "MATERIALIZED" in seen or what == "TABLE" and "LIVE" in seen:
        return "MATERIALIZED VIEW", at
    if what == "VIEW" and seen & {"TEMPORARY", "TEMP", "LIVE"}:
        return "TEMPORARY VIEW", at
    return None, 0


def _created(toks, kind, at):
    """The statement of a dataset in Spark's form, and the dataset's name."""
    exists = ""
    if toks[at].upper == "IF":
        for _ in range(3):
            at = _next(toks, at + 1)
        exists = "IF NOT EXISTS "
    c = chain_at(toks, at)
    if c is None:
        raise SyntaxError("CREATE %s: a name is missing" % kind)
    name = "".join(t.text for t in toks[c.start:c.end])
    if name[:5].upper() == "LIVE.":
        name = name[5:]
    rest, rules, i = "", [], _next(toks, c.end)
    if i < len(toks) and toks[i].text == "(":
        end = _closing(toks, i)
        columns, rules = _columns(toks[i + 1:end])
        rest = " (%s)" % ", ".join(columns) if columns else ""
        i = end + 1
    body, query = _split(toks, i)
    conditions = _conditions(rules)
    if query and conditions:
        query = "\nSELECT * FROM (%s\n) WHERE %s" % (query.rstrip().rstrip(";"), " AND ".join(conditions))
    elif conditions:
        raise FlowctlUnsupported("CREATE %s %s: expectations of a table that flows write to: put the conditions into the flows' queries" % (kind, name))
    return tokens("CREATE %s %s%s%s %s" % (kind, exists, name, rest, body) + (" AS" + query if query else "")), name


def _conditions(rules):
    from flowctl_rt.pipeline_define import condition

    return [c for c in (condition(*r) for r in rules) if c]


def _closing(toks, i):
    depth = 0
    while i < len(toks):
        depth += {"(": 1, ")": -1}.get(toks[i].text, 0)
        if depth == 0:
            return i
        i += 1
    raise SyntaxError("a closing bracket is missing")


def _columns(toks):
    """The columns of a list, and the expectations among them."""
    items, now, depth = [], [], 0
    for t in toks:
        depth += {"(": 1, ")": -1}.get(t.text, 0)
        if t.text == "," and depth == 0:
            items.append(now)
            now = []
        else:
            now.append(t)
    columns, rules = [], []
    for item in items + [now]:
        said = [t for t in item if t.kind != SPACE]
        if len(said) > 3 and said[0].upper == "CONSTRAINT" and said[2].upper == "EXPECT":
            rules.append(_rule(item))
        elif said:
            columns.append("".join(t.text for t in item).strip())
    return columns, rules


def _rule(item):
    """(action, name, condition) of CONSTRAINT name EXPECT (condition) [ON VIOLATION DROP ROW|FAIL UPDATE]."""
    at = [i for i, t in enumerate(item) if t.text == "("]
    end = _closing(item, at[0]) if at else 0
    name = [t for t in item if t.kind != SPACE][1].value
    if not at:
        raise SyntaxError("CONSTRAINT %s EXPECT: a condition in brackets is missing" % name)
    after = [t.upper for t in item[end + 1:] if t.kind == WORD]
    action = "drop" if "DROP" in after else "fail" if "FAIL" in after else "warn"
    return action, name, "".join(t.text for t in item[at[0] + 1:end]).strip()


def _split(toks, i):
    """What stands before AS, and the query behind it; None without one."""
    depth = 0
    for n in range(i, len(toks)):
        depth += {"(": 1, ")": -1}.get(toks[n].text, 0)
        if depth == 0 and toks[n].upper == "AS":
            return "".join(t.text for t in toks[i:n]), "".join(t.text for t in toks[n + 1:])
    return "".join(t.text for t in toks[i:]), None


def folded(text, args=None):
    """A statement with its names as Spark's catalog has them, and its tables made known to that."""
    from flowctl_rt.spark_patch import catalog

    rewriter = Rewriter(catalog.names, "".join(t.text for t in _streams(_files(_live(tokens(text))))), args, spark_paths.local)
    out = rewriter.run()
    for c, s in rewriter.schemas:
        catalog.schema(c, s)
    for t in dict.fromkeys(rewriter.tables):
        catalog.table(*t)
    return out


def _live(toks):
    """LIVE.name is the name of a dataset of the same pipeline."""
    out, i = [], 0
    while i < len(toks):
        if toks[i].upper == "LIVE" and toks[i + 1:i + 2] and toks[i + 1].text == ".":
            i += 2
            continue
        out.append(toks[i])
        i += 1
    return out


def _streams(toks):
    """STREAM(name) is written STREAM name: behind a bracket the rewriter looks for no table."""
    out, i = [], 0
    while i < len(toks):
        out.append(toks[i])
        opened = _next(toks, i + 1)
        if toks[i].upper == "STREAM" and opened < len(toks) and toks[opened].text == "(":
            c = chain_at(toks, _next(toks, opened + 1))
            end = _next(toks, c.end) if c else len(toks)
            if c and end < len(toks) and toks[end].text == ")":
                out += tokens(" ") + toks[c.start:c.end]
                i = end + 1
                continue
        i += 1
    return out


def _files(toks):
    """read_files(...) becomes the name of a view of the pipeline that reads them."""
    from flowctl_rt import spark_read_files

    out, i = [], 0
    while i < len(toks):
        if toks[i].upper != "READ_FILES":
            out.append(toks[i])
            i += 1
            continue
        end = _closing(toks, _next(toks, i + 1))
        before = [t.upper for t in out if t.kind != SPACE]
        stream = before[-1:] == ["STREAM"] or [t.text.upper() for t in out if t.kind != SPACE][-2:] == ["STREAM", "("]
        args = [t for t in toks[i + 1:end] if t.kind != SPACE][1:]
        out += tokens(_view(stream, *spark_read_files.arguments(args)))
        i = end + 1
    return out


def _view(stream, kind, path, options, schema):
    from flowctl_rt import pipeline, pipeline_define, pipeline_patch

    def query():
        session = pipeline.spark()
        reader = (session.readStream if stream else session.read).format(kind).options(**options)
        return reader.schema(schema or pipeline_patch.schema_of(kind, options, spark_paths.local(path))).load(path)

    name = "flowctl_files_%d" % (len(pipeline_define.definitions) + 1)
    pipeline_define.Definition("view", name, query)
    return name

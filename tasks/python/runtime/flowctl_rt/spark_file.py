"""sql_task: a file's statements, one after the other."""
from flowctl_rt import display, facts, quote, spark, spark_sql, spark_tokens

LIMIT = 64 * 1024  # characters of the text that get-output shows


def run(context):
    """The result line of a SQL task. Each statement's rows go to the log."""
    with open(context["path"], "rb") as f:
        data = f.read()
    facts.source(context["path"], data, "sql")
    text = _filled(data.decode("utf-8-sig").replace("\r\n", "\n"), context.get("bindings", {}))
    statements = spark_tokens.statements(text)
    if not statements:
        raise ValueError("%s holds no SQL statement" % context["path"])
    session = spark.session()
    session.conf.set("spark.sql.ansi.enabled", "true")  # as on every warehouse
    keys = []
    for n, statement in enumerate(statements):
        try:
            frame = spark_sql.one(session, statement, context.get("bindings", {}))
            if frame is not None and frame.columns:
                print(display.render(frame))
        except Exception as e:
            print("statement %d of %d failed: %s" % (n + 1, len(statements), " ".join(statement.split())[:200]))
            raise e
        keys.append('{"lookup_key":"%d-%d"}' % (context["run_id"], n))
    return '{"outcome":"SUCCESS","output":{"sql_output":{"query_output":{"query_text":%s,"warehouse_id":%s,"sql_statements":[%s]}}}}' % (
        quote(text[:LIMIT]), quote(context.get("entry_point", "")), ",".join(keys),
    )


def _filled(text, values):
    """{{name}}, as queries of the SQL editor have their parameters: a text with
    its quotation marks, inside of a literal without them."""
    import re

    def put(token):
        inside = token.kind == spark_tokens.TEXT

        def value(match):
            if match.group(1) not in values:
                return match.group(0)
            quoted = spark_tokens.quoted(str(values[match.group(1)]))
            return quoted[1:-1] if inside else quoted

        return re.sub(r"\{\{\s*(\w+)\s*\}\}", value, token.text)

    # Outside of literals a marker is several tokens: those between two literals are taken together.
    out, plain = [], ""
    for t in spark_tokens.tokens(text):
        if t.kind == spark_tokens.TEXT:
            out.append(put(spark_tokens.Token(spark_tokens.MARK, plain)))
            out.append(put(t))
            plain = ""
        else:
            plain += t.text
    out.append(put(spark_tokens.Token(spark_tokens.MARK, plain)))
    return "".join(out)

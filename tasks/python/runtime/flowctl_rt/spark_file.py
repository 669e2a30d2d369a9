"""sql_task: a file's statements, one after the other."""
from flowctl_rt import display, quote, spark, spark_sql, spark_tokens

LIMIT = 64 * 1024  # characters of the text that get-output shows


def run(context):
    """The result line of a SQL task. Each statement's rows go to the log."""
    with open(context["path"], encoding="utf-8-sig") as f:
        text = _filled(f.read(), context.get("bindings", {}))
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
    """{{name}}, as queries of the SQL editor have their parameters."""
    import re

    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda m: str(values.get(m.group(1), m.group(0))), text)

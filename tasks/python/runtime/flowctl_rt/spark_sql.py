"""SQL cells and files: their statements one after the other, with widgets as parameters."""
from flowctl_rt import display, spark_tokens

_KINDS = {"TEXT": "text", "DROPDOWN": "dropdown", "COMBOBOX": "combobox", "MULTISELECT": "multiselect"}


def cell(runner, session, text):
    """Run a cell's statements. The last one's rows are shown, and stay as _sqldf."""
    frame = None
    widgets = runner.space["dbutils"].widgets
    for statement in spark_tokens.statements(text):
        if _widget(statement, widgets):
            continue
        frame = one(session, statement, widgets.getAll())
    if frame is not None and frame.columns:
        runner.space["_sqldf"] = frame
        print(display.render(frame))


def one(session, statement, values):
    """Run one statement with :name and ${name} filled in."""
    statement = _legacy(statement, values, session)
    args = {}
    for name in spark_tokens.parameters(statement):
        if name in values:
            args[name] = values[name]
    return session.sql(statement, args=args) if args else session.sql(statement)


def _legacy(statement, values, session):
    """${name}: a widget's text, as old notebooks have it; a setting of Spark is left to Spark."""
    out, i = [], 0
    while i < len(statement):
        at = statement.find("${", i)
        if at < 0:
            break
        if at and statement[at - 1] == "\\":
            out.append(statement[i:at - 1] + "${")
            i = at + 2
            continue
        end = statement.find("}", at)
        name = statement[at + 2:end].strip()
        if end < 0:
            break
        out.append(statement[i:at])
        out.append(str(values[name]) if name in values else statement[at:end + 1])
        i = end + 1
    return "".join(out) + statement[i:]


def _widget(statement, widgets):
    """CREATE WIDGET and REMOVE WIDGET. False: it is neither."""
    toks = [t for t in spark_tokens.tokens(statement) if t.kind != spark_tokens.SPACE]
    words = [t.upper for t in toks]
    if words[:2] == ["REMOVE", "WIDGET"] and len(toks) > 2:
        widgets.remove(toks[2].value)
        return True
    if words[:2] != ["CREATE", "WIDGET"] or len(toks) < 4:
        return False
    kind = _KINDS.get(words[2])
    if kind is None:
        raise SyntaxError("CREATE WIDGET %s: it is one of %s" % (toks[2].text, ", ".join(_KINDS)))
    name, default, choices = toks[3].value, "", []
    for i, t in enumerate(toks):
        if t.upper == "DEFAULT" and i + 1 < len(toks):
            default = toks[i + 1].value
        if t.upper == "CHOICES":
            choices = [c.value for c in toks[i + 1:] if c.kind == spark_tokens.TEXT]
    if kind == "text":
        widgets.text(name, default)
    else:
        getattr(widgets, kind)(name, default, choices or [default])
    return True

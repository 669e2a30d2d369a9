"""display and displayHTML: what a cell shows goes to the log as text."""

ROWS = 10_000  # Databricks shows at most so many


def display(*values, **ignored):
    """Show values."""
    for value in values:
        print(render(value))


def displayHTML(html, **ignored):
    """Show a page: its text goes to the log."""
    print(html)


def render(value):
    """A value as text."""
    if getattr(value, "isStreaming", False) is True:
        return "a stream of %s: its rows are shown where it is written to" % ", ".join(value.columns)
    if hasattr(value, "toPandas") and hasattr(value, "limit"):
        return _table(value.limit(ROWS).columns, [tuple(r) for r in value.limit(ROWS).collect()])
    if hasattr(value, "to_string") and hasattr(value, "columns"):
        return value.head(ROWS).to_string()
    if isinstance(value, list) and value and all(isinstance(r, dict) for r in value):
        names = list(dict.fromkeys(k for r in value for k in r))
        return _table(names, [tuple(r.get(n, "") for n in names) for r in value[:ROWS]])
    if isinstance(value, list) and value and all(hasattr(r, "_fields") for r in value):
        return _table(list(value[0]._fields), [tuple(r) for r in value[:ROWS]])
    return value if isinstance(value, str) else repr(value)


def _table(names, rows):
    cells = [[str(n) for n in names]] + [["" if v is None else str(v) for v in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))] if names else []
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)

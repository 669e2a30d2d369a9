"""Columns of made-up tables: an expression where one is given, a value that
fits the type where none is."""


def select(columns, rows, prefix=""):
    """A query of rows rows. columns: text with a column on each line, name, type, and its expression over id if its values matter."""
    exprs = []
    for n, line in enumerate(l for l in columns.strip().splitlines() if l.strip()):
        name, kind, given = (line.split(None, 2) + [""])[:3]
        exprs.append("CAST(%s AS %s) AS %s%s" % (given or _some(kind.upper(), prefix + name, n), kind, prefix, name))
    return "SELECT %s FROM range(%d)" % (", ".join(exprs), rows)


def _some(kind, name, n):
    spread = 7919 + 104 * n  # so that columns do not all go up and down together
    if kind.startswith("DECIMAL"):
        return "(id * %d %% 20000) / 100" % spread
    if kind in ("INT", "BIGINT"):
        return "1 + id * %d %% 1000" % spread
    if kind == "DATE":
        return "date_add(DATE '1998-01-01', CAST(id * %d %% 2000 AS INT))" % spread
    return "concat('%s ', id * %d %% 100)" % (name, spread)

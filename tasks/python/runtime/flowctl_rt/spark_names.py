"""Three-level names on a catalog that has two levels.

The catalog c, its schema s and its table t are kept as the schema c__s and the
table t of Spark's own catalog, so that views, functions, MERGE and time travel
work as they are. Names of hive_metastore keep their two levels. This module
changes the names in SQL text and knows the current catalog and schema; it
never asks Spark anything.
"""
from flowctl_rt.spark_tokens import MARK, NAME, SPACE, TEXT, WORD, Token, joined, quoted, tokens

PLAIN = ("hive_metastore", "spark_catalog")
FORMATS = ("delta", "parquet", "csv", "json", "orc", "text", "avro", "binaryfile", "xml", "iceberg")
_TABLE_AFTER = {
    "FROM", "JOIN", "INTO", "TABLE", "VIEW", "UPDATE", "OPTIMIZE", "VACUUM", "HISTORY", "DETAIL", "DESCRIBE", "DESC", "OVERWRITE",
    "CLONE", "USING", "FUNCTION", "RESTORE", "DELTA", "COLUMNS", "TBLPROPERTIES", "PARTITIONS", "EXTENDED", "FORMATTED", "LIKE", "REFERENCES",
}
_SKIP_AFTER = {"IF", "NOT", "EXISTS", "TABLE", "ONLY", "EXTENDED", "FORMATTED", "OR", "REPLACE", "STREAM", "PURGE"}
_NOT_NAMES = {
    "SELECT", "WITH", "VALUES", "LATERAL", "WHERE", "SET", "ON", "AS", "IF", "TABLE", "IDENTIFIER", "EXTENDED", "FORMATTED", "FUNCTION", "SCHEMA",
    "DATABASE", "CATALOG", "QUERY", "HISTORY", "DETAIL", "IN", "FROM", "STREAM", "EXISTS", "NOT", "OR", "TEMPORARY", "TEMP", "USING", "DIRECTORY",
    "DELETE", "UPDATE", "INSERT", "MATCHED",
}
_END_OF_FROM = {"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "SELECT", "SET", "QUALIFY", "WHEN", "CLUSTER", "DISTRIBUTE", "SORT"}


def encoded(name):
    """A name in the letters that Spark's own catalog takes."""
    return "".join(c if c.isalnum() and c.isascii() or c == "_" else "_x%x_" % ord(c) for c in name.lower())


def folded(catalog, schema):
    """The schema of Spark's catalog that stands for catalog.schema."""
    if catalog.lower() in PLAIN:
        return encoded(schema)
    return encoded(catalog) + "__" + encoded(schema)


class Names:
    """The current catalog and schema of a session, and all names that it has seen."""

    def __init__(self, catalog="hive_metastore", schema="default"):
        self.catalog = catalog
        self.schema = schema
        self.seen = {}  # folded schema → (catalog, schema)

    def fold(self, catalog, schema):
        name = folded(catalog, schema)
        self.seen[name] = (catalog, schema)
        return name

    def table(self, parts):
        """(catalog, schema, table) of a table's name; None for what is no name in a catalog."""
        if len(parts) == 1:
            return self.catalog, self.schema, parts[0]
        if len(parts) == 2:
            if parts[0].lower() in FORMATS or parts[0].lower() in ("global_temp", "system", "session"):
                return None
            return self.catalog, parts[0], parts[1]
        if len(parts) == 3:
            return parts[0], parts[1], parts[2]
        return None

    def schema_of(self, parts):
        """(catalog, schema) of a schema's name."""
        if len(parts) == 1:
            return self.catalog, parts[0]
        return parts[0], parts[1]

    def unfold(self, text):
        """A message with the names as people write them."""
        for name, (catalog, schema) in self.seen.items():
            if catalog.lower() not in PLAIN and name in text:
                text = text.replace("`spark_catalog`.`%s`" % name, "`%s`.`%s`" % (catalog, schema)).replace("spark_catalog.%s" % name, name)
                text = text.replace("`%s`" % name, "`%s`.`%s`" % (catalog, schema)).replace(name, catalog + "." + schema)
        return text


class Chain:
    """A dotted name in a list of tokens: tokens[start:end]."""

    __slots__ = ("start", "end", "parts")

    def __init__(self, start, end, parts):
        self.start, self.end, self.parts = start, end, parts


def chain_at(toks, i):
    """The dotted name that begins at i, or None."""
    if i >= len(toks) or toks[i].kind not in (WORD, NAME):
        return None
    parts, end = [toks[i].value], i + 1
    while end + 1 < len(toks) and toks[end].text == "." and toks[end + 1].kind in (WORD, NAME):
        parts.append(toks[end + 1].value)
        end += 2
    return Chain(i, end, parts)


def back(value):
    return "`" + value.replace("`", "``") + "`"


class Rewriter:
    """Folds the names of one statement. After run(): text, and tables and schemas, what it names."""

    def __init__(self, names, sql, args=None, path=lambda p: p, ask=None):
        self.names = names
        self.args = args or {}
        self.path = path
        self.ask = ask  # the value of an expression of SQL; None: nobody can tell
        self.toks = tokens(sql)
        self.tables = []  # (catalog, schema, table)
        self.schemas = []  # (catalog, schema)
        self.out = []
        self.words = 0
        self.head = self.last = ""

    def run(self):
        self._identifiers()
        self._changes()
        toks, i = self.toks, 0
        self.froms = [False]  # whether a comma at this depth of brackets is followed by a table
        before = ""  # the last word that says what a name is
        while i < len(toks):
            t = toks[i]
            if t.kind == SPACE:
                self.out.append(t.text)
                i += 1
                continue
            if t.kind == MARK:
                before = self._mark(t, before)
                self.out.append(t.text)
                i += 1
                continue
            if t.kind == TEXT:
                self.out.append(self._text(t, before))
                before = ""
                i += 1
                continue
            c = chain_at(toks, i)
            if c is None:
                self.out.append(t.text)
                before = ""
                i += 1
                continue
            before = self._chain(c, before)
            i = c.end
        return "".join(self.out)

    def _mark(self, t, before):
        if t.text == "(":
            if before in ("FROM", "JOIN"):
                self.froms[-1] = True
            self.froms.append(False)
            return "(" if before in ("FROM", "JOIN") else ""
        if t.text == ")":
            if len(self.froms) > 1:
                self.froms.pop()
        elif t.text == "," and self.froms[-1]:
            return "FROM"
        return ""

    def _text(self, t, before):
        if before in ("LOCATION", "PATH", "DIRECTORY", "VACUUM", "OPTIMIZE", "HISTORY", "DETAIL"):
            return quoted(self.path(t.value))
        return t.text

    def _chain(self, c, before):
        """Write a name, folded if it is one of a table; answers what stands before the next."""
        word = c.parts[0].upper() if len(c.parts) == 1 and self.toks[c.start].kind == WORD else ""
        raw = "".join(t.text for t in self.toks[c.start:c.end])
        self.words += 1
        if word in ("LOCATION", "PATH", "DIRECTORY"):
            self.out.append(raw)
            return word
        if self._schema_word(word):
            self.out.append(raw)
            return "SCHEMA"
        if before == "SCHEMA":
            named = word not in _SKIP_AFTER and word not in ("IN", "FROM", "LIKE")
            self.out.append(self._schema(c) if named else raw)
            return "" if named or word == "LIKE" else before
        if word in _END_OF_FROM:
            self.froms[-1] = False
        if before and word not in _NOT_NAMES and not (word in _SKIP_AFTER and before != "FROM"):
            if before == "FROM":
                self.froms[-1] = True
            self.out.append(self._table(c, raw, before))
            return ""
        self.out.append(self._other(c, raw))
        if word == "TO" and self.head == "ALTER" and self.last == "RENAME":
            return "TABLE"
        if word == "IN" and self.head == "SHOW":
            return before  # SHOW COLUMNS IN t
        self.last = word
        if word in _TABLE_AFTER:
            return word
        return before if word in _SKIP_AFTER else ""

    def _schema_word(self, word):
        """Whether what comes next is a schema: at the head of a statement about one, not in a query."""
        if self.words == 1:
            self.head = word
        if self.words > 4 or self.head not in ("CREATE", "DROP", "USE", "ALTER", "DESCRIBE", "DESC", "SHOW", "COMMENT"):
            return False
        if self.words > 1 and word in ("SCHEMA", "DATABASE"):
            return True
        if self.head == "USE":
            return self.words == 1
        if self.head == "SHOW" and self.words == 2 and word == "TABLE":
            return True  # SHOW TABLE EXTENDED IN schema
        return self.head == "SHOW" and self.words in (2, 3) and word in ("TABLES", "VIEWS", "FUNCTIONS", "SCHEMAS", "DATABASES")

    def _schema(self, c):
        catalog, schema = self.names.schema_of(c.parts)
        self.schemas.append((catalog, schema))
        return back(self.names.fold(catalog, schema))

    def _table(self, c, raw, before):
        if len(c.parts) == 2 and c.parts[0].lower() in FORMATS:
            return back(c.parts[0]) + "." + back(self.path(c.parts[1]))
        if before == "USING" and len(c.parts) == 1 and c.parts[0].lower() in FORMATS:
            return raw
        call = before in ("FROM", "JOIN", "(") and self._called(c)
        if call and len(c.parts) < 3:
            return raw  # a table function: explode(...), range(...)
        name = self.names.table(c.parts)
        if name is None:
            return raw
        if not call:
            self.tables.append(name)
        if len(c.parts) == 1:
            return raw
        return back(self.names.fold(name[0], name[1])) + "." + back(name[2])

    def _called(self, c):
        for t in self.toks[c.end:]:
            if t.kind != SPACE:
                return t.text == "("
        return False

    def _other(self, c, raw):
        """A name in an expression: a function of a catalog, or a column of a table that is named by its catalog."""
        parts = c.parts
        if len(parts) == 2 and self._called(c) and parts[0].lower() not in ("system", "builtin", "session"):
            parts = [self.names.catalog] + parts
        if len(parts) == 3 and self._called(c):
            self.tables.append(tuple(parts))  # registered as tables are
            return back(self.names.fold(parts[0], parts[1])) + "." + back(parts[2])
        if len(parts) >= 4 and self._named(parts[:3]):
            return back(self.names.fold(parts[0], parts[1])) + "." + ".".join(back(p) for p in parts[2:])
        if len(parts) == 3 and self.names.catalog.lower() not in PLAIN:
            if self._named([self.names.catalog] + parts[:2]):
                return back(self.names.fold(self.names.catalog, parts[0])) + "." + ".".join(back(p) for p in parts[1:])
        return raw

    def _named(self, parts):
        """Whether the statement names this table: the columns of a SELECT come before its FROM."""
        if any(_same(t, parts) for t in self.tables):
            return True
        for i, t in enumerate(self.toks):
            if t.upper in _TABLE_AFTER:
                while i + 1 < len(self.toks) and self.toks[i + 1].kind == SPACE:
                    i += 1
                c = chain_at(self.toks, i + 1)
                if c is not None and self.names.table(c.parts) and _same(self.names.table(c.parts), parts):
                    return True
        return False

    def _changes(self):
        """table_changes('table', ...): the table's name is in a text."""
        for i, t in enumerate(self.toks):
            if t.upper == "TABLE_CHANGES":
                rest = [x for x in self.toks[i + 1:] if x.kind != SPACE][:2]
                if len(rest) == 2 and rest[0].text == "(" and rest[1].kind == TEXT:
                    c = chain_at(tokens(rest[1].value), 0)
                    name = self.names.table(c.parts) if c else None
                    if name:
                        self.tables.append(name)
                        rest[1].text = quoted(back(self.names.fold(name[0], name[1])) + "." + back(name[2]))

    def _identifiers(self):
        """IDENTIFIER(...) of texts and parameters becomes the name that it says."""
        toks, out, i = self.toks, [], 0
        current = {"CURRENT_CATALOG": self.names.catalog, "CURRENT_SCHEMA": self.names.schema, "CURRENT_DATABASE": self.names.schema}
        while i < len(toks):
            if toks[i].upper in current and [t.text for t in toks[i + 1:i + 3]] == ["(", ")"]:
                out.append(Token(TEXT, quoted(current[toks[i].upper])))
                i += 3
                continue
            if toks[i].upper == "IDENTIFIER":
                name, end = self._identifier(i + 1)
                if name is not None:
                    out += [x for x in tokens(name)]
                    i = end
                    continue
            out.append(toks[i])
            i += 1
        self.toks = out

    def _identifier(self, i):
        name, end = self._literal(i)
        if name is not None or self.ask is None:
            return name, end
        depth, end = 0, i
        while end < len(self.toks):
            depth += {"(": 1, ")": -1}.get(self.toks[end].text, 0)
            end += 1
            if depth == 0 and self.toks[end - 1].text == ")":
                break
        inside = [t for t in self.toks[i:end] if t.kind != SPACE][1:-1]
        if not any(t.kind in (WORD, NAME) for t in inside) or any(t.text == ":" for t in inside):
            return None, i
        try:  # of a variable of the session, for example
            return str(self.ask(joined(inside))), end
        except Exception:
            return None, i  # Spark says what is wrong with it

    def _literal(self, i):
        toks, value, opened = self.toks, "", False
        while i < len(toks):
            t = toks[i]
            if t.text == "(" and not opened:
                opened = True
            elif t.kind == TEXT and opened:
                value += t.value
            elif t.text == ":" and opened and i + 1 < len(toks) and toks[i + 1].text in self.args:
                i += 1
                value += str(self.args[toks[i].text])
            elif t.text == ")" and opened:
                return (value or None), i + 1
            elif t.kind != SPACE and not (t.text == "|" and opened):
                return None, i
            i += 1
        return None, i


def _same(name, parts):
    return [p.lower() for p in name] == [p.lower() for p in parts]

"""SQL text to tokens and statements, as far as names and parameters need it."""

SPACE, WORD, NAME, TEXT, NUMBER, MARK = "space", "word", "name", "text", "number", "mark"


class Token:
    """A piece of SQL text. kind: space (with comments), word, name (in backquotes), text (a literal), number, mark."""

    __slots__ = ("kind", "text")

    def __init__(self, kind, text):
        self.kind = kind
        self.text = text

    @property
    def upper(self):
        return self.text.upper() if self.kind == WORD else ""

    @property
    def value(self):
        """What an identifier or a text literal says."""
        if self.kind == NAME:
            return self.text[1:-1].replace("``", "`")
        if self.kind == TEXT:
            return literal(self.text)
        return self.text


def literal(text):
    """The value of a text literal."""
    if text[:1] in "rR":
        return text[2:-1]
    quote, body, out, i = text[0], text[1:-1], [], 0
    while i < len(body):
        c = body[i]
        if c == "\\" and i + 1 < len(body):
            i += 1
            out.append({"n": "\n", "t": "\t", "r": "\r", "0": "\0", "%": "\\%", "_": "\\_"}.get(body[i], body[i]))
        elif c == quote and body[i + 1:i + 2] == quote:
            i += 1
            out.append(c)
        else:
            out.append(c)
        i += 1
    return "".join(out)


def quoted(value):
    """A value as a text literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def joined(toks):
    """A text of tokens that have lost what was between them: marks that make up an operator stay together."""
    out = ""
    for before, t in zip([None] + toks[:-1], toks):
        close = before is None or before.kind == MARK and t.kind == MARK and (before.text, t.text) != ("-", "-") or "." in (before.text, t.text)
        out += t.text if close else " " + t.text
    return out


def tokens(sql):
    """All of a text, piece by piece; what is not closed goes to the end."""
    out, i, n = [], 0, len(sql)
    while i < n:
        end, kind = _next(sql, i, n)
        if kind == SPACE and out and out[-1].kind == SPACE:
            out[-1].text += sql[i:end]
        else:
            out.append(Token(kind, sql[i:end]))
        i = end
    return out


def _next(sql, i, n):
    c = sql[i]
    if c.isspace():
        return i + 1, SPACE
    if sql.startswith("--", i):
        end = sql.find("\n", i)
        return (n if end < 0 else end), SPACE
    if sql.startswith("/*", i):
        return _comment(sql, i, n), SPACE
    if c in "'\"":
        return _closed(sql, i, n, c), TEXT
    if c in "rR" and sql[i + 1:i + 2] in ("'", '"'):
        end = sql.find(sql[i + 1], i + 2)
        return (n if end < 0 else end + 1), TEXT
    if c == "`":
        end = i + 1
        while end < n:
            if sql[end] == "`":
                if sql[end + 1:end + 2] != "`":
                    return end + 1, NAME
                end += 1
            end += 1
        return n, NAME
    if c.isdigit():
        return _number(sql, i, n)
    if c.isalpha() or c == "_":
        end = i
        while end < n and (sql[end].isalnum() or sql[end] == "_"):
            end += 1
        return end, WORD
    return i + 1, MARK


def _number(sql, i, n):
    end = i
    while end < n and (sql[end].isalnum() or sql[end] == "_" or sql[end] == "." and sql[end + 1:end + 2].isdigit()):
        end += 1
    text = sql[i:end]
    # 2024_sales is a name that begins with digits
    return end, WORD if "_" in text else NUMBER


def _closed(sql, i, n, quote):
    end = i + 1
    while end < n:
        if sql[end] == "\\":
            end += 1
        elif sql[end] == quote:
            if sql[end + 1:end + 2] != quote:
                return end + 1
            end += 1
        end += 1
    return n


def _comment(sql, i, n):
    depth, end = 0, i
    while end < n:
        if sql.startswith("/*", end):
            depth += 1
            end += 2
        elif sql.startswith("*/", end):
            depth -= 1
            end += 2
            if depth == 0:
                return end
        else:
            end += 1
    return n


def statements(sql):
    """The statements of a text, without their semicolons; BEGIN ... END stays one."""
    out, now, depth = [], [], 0
    for t in tokens(sql):
        if t.kind == MARK and t.text == ";" and depth == 0:
            out.append("".join(x.text for x in now))
            now = []
            continue
        begins = t.upper == "BEGIN" and not any(x.kind != SPACE for x in now)
        if begins or depth and t.upper in ("BEGIN", "CASE", "IF", "LOOP", "WHILE", "REPEAT", "FOR") and not _ends(now):
            depth += 1
        elif depth and t.upper == "END":
            depth -= 1
        now.append(t)
    out.append("".join(x.text for x in now))
    return [s for s in out if any(t.kind != SPACE for t in tokens(s))]


def _ends(now):
    """Whether the word before is END: END IF closes, it does not open."""
    words = [t for t in now if t.kind != SPACE]
    return bool(words) and words[-1].upper == "END"


def parameters(sql):
    """The names of the :name markers of a text."""
    toks = tokens(sql)
    return list(dict.fromkeys(toks[i + 1].text for i in range(len(toks) - 1) if marks(toks, i)))


def marks(toks, i):
    """Whether the colon of a :name marker is at a place: not that of a path into a JSON column."""
    if toks[i].text != ":" or i + 1 == len(toks) or toks[i + 1].kind != WORD:
        return False
    before = toks[i - 1] if i else None
    return before is None or before.kind not in (WORD, NAME) and before.text not in (":", "]", ")")


def bound(sql, args, literal):
    """A statement with values in the places of its :name markers, or of its ? in
    their order. literal(value) is a value's text; what has none stays."""
    toks, out, i = tokens(sql), [], 0
    named, rest = args if isinstance(args, dict) else {}, list(args) if isinstance(args, (list, tuple)) else []
    while i < len(toks):
        if marks(toks, i) and toks[i + 1].text in named:
            i += 1
            out.append(literal(named[toks[i].text]))
        elif toks[i].kind == MARK and toks[i].text == "?" and rest:
            out.append(literal(rest.pop(0)))
        else:
            out.append(toks[i].text)
        i += 1
    return "".join(out)

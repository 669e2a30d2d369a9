"""One SQL statement, with what those need who carry it out here."""
from flowctl_rt import warn_once
from flowctl_rt.spark_names import chain_at
from flowctl_rt.spark_tokens import SPACE, TEXT, quoted


class Statement:
    def __init__(self, catalog, rewriter, real):
        self.catalog = catalog
        self.names = catalog.names
        self.rewriter = rewriter
        self.real = real
        self.toks = [t for t in rewriter.toks if t.kind != SPACE]
        self.words = [t.upper for t in self.toks[:8]]
        self.text = ""  # as Spark gets it

    def plain(self):
        """Names folded and made known, then Spark's own."""
        self.text = self.rewriter.run()
        for c, s in self.rewriter.schemas:
            self.catalog.schema(c, s)
        for t in dict.fromkeys(self.rewriter.tables):
            self.catalog.table(*t)
        return self.real(self.text)

    def name_after(self, *words):
        """The dotted name that follows words and any IF [NOT] EXISTS."""
        i = 0
        while i < len(self.toks) and self.toks[i].upper not in words:
            i += 1
        i += 1
        while i < len(self.toks) and self.toks[i].upper in ("IF", "NOT", "EXISTS", "TABLE"):
            i += 1
        if i < len(self.toks) and self.toks[i].kind == TEXT:
            return [self.toks[i].value]
        c = chain_at(self.toks, i)
        if c is None:
            raise refusal("PARSE_SYNTAX_ERROR", "%s: a name is missing" % " ".join(self.words[:3]).strip())
        return c.parts

    def has(self, *words):
        n = len(words)
        return any([t.upper for t in self.toks[i:i + n]] == list(words) for i in range(len(self.toks)))

    def nothing(self):
        """The answer of a statement that answers nothing."""
        return self.catalog.session.range(0).select()

    def ignored(self):
        """Rights, owners and tags: there is one user here, so they change nothing."""
        what = " ".join(w for w in self.words[:2] if w)
        warn_once("%s has no effect here: this machine has no permissions, owners or tags of tables" % what)
        return self.nothing()

    def rows(self, columns, rows):
        names = ", ".join(columns)
        if not rows:
            return self.real("SELECT %s WHERE false" % ", ".join("CAST(NULL AS STRING) AS " + c for c in columns))
        values = ", ".join("(" + ", ".join(v if v in ("true", "false") else quoted(v) for v in row) + ")" for row in rows)
        return self.real("SELECT * FROM VALUES %s AS t(%s)" % (values, names))

    def like(self):
        """The pattern of SHOW ... [LIKE] 'pattern', as a test."""
        import fnmatch

        texts = [t.value for t in self.toks if t.kind == TEXT]
        if not texts:
            return lambda name: True
        wanted = texts[-1].lower().split("|")
        return lambda name: any(fnmatch.fnmatchcase(name.lower(), w.replace("%", "*").strip()) for w in wanted)


def refusal(kind, message):
    """An error as Spark's analysis makes it."""
    from pyspark.errors import AnalysisException

    return AnalysisException("[%s] %s" % (kind, message))

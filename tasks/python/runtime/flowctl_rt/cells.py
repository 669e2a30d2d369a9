"""Notebook files: which there are, and their cells."""
import os

EXTENSIONS = (".py", ".sql", ".scala", ".r", ".R", ".ipynb")
_COMMENT = {".py": "#", ".r": "#", ".sql": "--", ".scala": "//"}
_LANGUAGE = {".py": "python", ".r": "r", ".sql": "sql", ".scala": "scala"}
_WORDS = {
    "md": "md", "md-sandbox": "md", "sql": "sql", "sh": "sh", "scala": "scala", "r": "r", "python": "python",
    "run": "run", "fs": "fs",
}


class Cell:
    """One cell: its language (or md, run, sh, fs) and its source."""

    __slots__ = ("index", "language", "source", "title", "argument")

    def __init__(self, index, language, source, title="", argument=""):
        self.index = index
        self.language = language
        self.source = source
        self.title = title
        self.argument = argument  # what stands behind the magic word on its line


class NotANotebook(ValueError):
    pass


def find(path):
    """The file of a notebook path, which is written without its extension."""
    if os.path.isfile(path):
        return path
    hits = [path + e for e in EXTENSIONS if os.path.isfile(path + e)]
    base, ext = os.path.splitext(path)
    if not hits and ext in EXTENSIONS:
        hits = [base + e for e in EXTENSIONS if os.path.isfile(base + e)]
    hits = hits[:1] if len({os.path.realpath(h) for h in hits}) == 1 else hits
    if len(hits) > 1:
        raise NotANotebook("%s is ambiguous: %s" % (path, ", ".join(hits)))
    if not hits:
        raise FileNotFoundError("no notebook %s (tried %s)" % (path, ", ".join(path + e for e in EXTENSIONS)))
    return hits[0]


def read(path):
    """The bytes of a notebook file."""
    with open(path, "rb") as f:
        return f.read()


def load(path, data=None):
    """The cells of a notebook file; data are its bytes, where they are read already."""
    text = (read(path) if data is None else data).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    ext = os.path.splitext(path)[1].lower()
    if ext == ".ipynb":
        return _jupyter(text, path)
    token = _COMMENT.get(ext)
    first, _, rest = text.partition("\n")
    if token is None or first.rstrip() != token + " Databricks notebook source":
        raise NotANotebook("%s is a file, not a notebook: its first line is not %r" % (path, (token or "#") + " Databricks notebook source"))
    return _source(rest, token, _LANGUAGE[ext])


def _source(text, token, language):
    cells, lines = [], []
    for line in text.split("\n"):
        if _separator(line, token):
            cells.append(lines)
            lines = []
        else:
            lines.append(line)
    cells.append(lines)
    made = [_cell(i, c, token, language) for i, c in enumerate(cells)]
    return [c for c in made if c is not None]


def _separator(line, token):
    line = line.strip()
    if not line.startswith(token):
        return False
    line = line[len(token):].strip()
    if not line.startswith("COMMAND"):
        return False
    dashes = line[len("COMMAND"):].strip()
    return len(dashes) >= 10 and not dashes.strip("-")


def _cell(index, lines, token, language):
    title, code, magic = "", [], False
    prefix = token + " MAGIC"
    for line in lines:
        if line.startswith(token + " DBTITLE "):
            title = line.split(",", 1)[-1].strip()
        elif line == prefix or line.startswith(prefix + " "):
            code.append(line[len(prefix) + 1:])
            magic = True
        else:
            code.append(line)
    text = "\n".join(code).strip("\n")
    if not text.strip():
        return None
    return _by_magic(index, text, language, title, magic or language == "python")


def _by_magic(index, text, language, title, may_be_magic):
    """The language of a cell is its first % word, if that is one for a whole cell."""
    if may_be_magic:
        lines = text.split("\n")
        for n, line in enumerate(lines):
            head = line.strip()
            if not head or (head.startswith("#") and not head.startswith("#!")):
                continue
            if not head.startswith("%") or head.startswith("%%"):
                break
            word, _, rest = head[1:].partition(" ")
            if word in _WORDS:
                body = "\n".join(lines[n + 1:])
                return Cell(index, _WORDS[word], body, title, rest.strip())
            break
    return Cell(index, language, text, title)


def _jupyter(text, path):
    import json

    try:
        book = json.loads(text)
        raw = book["cells"]
    except (ValueError, KeyError, TypeError):
        raise NotANotebook("%s is no Jupyter notebook" % path) from None
    meta = book.get("metadata") or {}
    language = (meta.get("application/vnd.databricks.v1+notebook") or {}).get("language")
    language = language or (meta.get("language_info") or {}).get("name") or (meta.get("kernelspec") or {}).get("language") or "python"
    cells = []
    for i, c in enumerate(raw):
        if c.get("cell_type") != "code":
            continue
        source = c.get("source", "")
        source = source if isinstance(source, str) else "".join(source)
        title = ((c.get("metadata") or {}).get("application/vnd.databricks.v1+cell") or {}).get("title") or ""
        if source.strip():
            cells.append(_by_magic(i, source, language.lower(), title, True))
    return cells

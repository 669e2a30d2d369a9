"""read_files(...) in SQL: the files as Spark itself names them in a query,
format.`path` WITH (options), which has the column _metadata and may stand in a
view that stays. With a schema, or on a Spark before 4, a view for the task."""
from flowctl_rt import spark_paths
from flowctl_rt.spark_names import back
from flowctl_rt.spark_tokens import SPACE, TEXT, WORD, quoted, tokens

_count = 0
_EXTENSIONS = {"csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "ndjson": "json", "parquet": "parquet", "txt": "text", "xml": "xml", "orc": "orc", "avro": "avro"}


def replaced(session, sql, args=None):
    """A statement whose calls of read_files are names of views. STREAM before one is dropped: the files are read as they are now."""
    toks = tokens(sql)
    if not any(t.upper == "READ_FILES" for t in toks):
        return sql
    out, i = [], 0
    while i < len(toks):
        if toks[i].upper != "READ_FILES":
            out.append(toks[i].text)
            i += 1
            continue
        end = _closing(toks, i + 1)
        while out and (out[-1].isspace() or out[-1].upper() == "STREAM"):
            out.pop()
        out.append(" " + _view(session, _filled([t for t in toks[i + 1:end] if t.kind != SPACE][1:], args or {})))
        i = end + 1
    return "".join(out)


def _filled(toks, args):
    """The arguments with the statement's parameters in their places."""
    from flowctl_rt.spark_tokens import Token

    out, i = [], 0
    while i < len(toks):
        if toks[i].text == ":" and i + 1 < len(toks) and toks[i + 1].text in args:
            out.append(Token(TEXT, quoted(str(args[toks[i + 1].text]))))
            i += 2
            continue
        out.append(toks[i])
        i += 1
    return out


def _closing(toks, i):
    depth = 0
    while i < len(toks):
        depth += {"(": 1, ")": -1}.get(toks[i].text, 0)
        if depth == 0 and toks[i].text == ")":
            return i
        i += 1
    raise SyntaxError("read_files: its closing bracket is missing")


def arguments(args):
    """The format, path, options and schema of read_files(path, name => value, ...)."""
    if not args or args[0].kind != TEXT:
        raise SyntaxError("read_files: its first argument is a path in quotes")
    path, options, i = args[0].value, {}, 1
    while i < len(args):
        if args[i].kind == WORD and [a.text for a in args[i + 1:i + 3]] == ["=", ">"] and i + 3 < len(args):
            options[args[i].text] = args[i + 3].value
            i += 3
        i += 1
    kind = options.pop("format", None) or _kind(spark_paths.local(path))
    schema = options.pop("schema", None)
    if kind.lower() == "csv":
        options.setdefault("header", "true")
        options.setdefault("inferSchema", "true")
    return kind, path, options, schema


def _view(session, args):
    """What a query names for read_files: the files themselves, or a view of them."""
    global _count
    kind, path, options, schema = arguments(args)
    if not schema and int(session.version.split(".")[0]) >= 4:
        return named(kind, path, options)
    reader = session.read.format(kind).options(**options)
    _count += 1
    name = "flowctl_files_%d" % _count
    (reader.schema(schema) if schema else reader).load(path).createOrReplaceTempView(name)
    return name


def named(kind, path, options):
    """Files as a query names them."""
    given = ", ".join("%s = %s" % (quoted(k), quoted(str(v))) for k, v in options.items())
    return "%s.%s%s" % (kind, back(spark_paths.local(path)), " WITH (%s)" % given if given else "")


def _kind(path):
    """The format of a folder's files, by the name of one."""
    import glob
    import os

    path = path[5:] if path.startswith("file:") else path
    files = [path] if os.path.isfile(path) else sorted(glob.glob(path) if "*" in path else glob.glob(os.path.join(glob.escape(path), "**"), recursive=True))
    for f in files:
        stem = f[:-3] if f.endswith(".gz") else f
        found = _EXTENSIONS.get(stem.rpartition(".")[2].lower())
        if found and os.path.isfile(f):
            return found
    raise FileNotFoundError("java.io.FileNotFoundException: read_files: no files of a known format under %s; name one with format => 'json'" % path)

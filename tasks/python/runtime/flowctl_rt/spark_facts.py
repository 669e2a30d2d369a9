"""What a task's Spark session reads and writes, for the engine.

Reads are told by the listener in the JVM (spark_listener.py). Writes are read
by the engine in the tables' own logs: it finds the commits by the mark that
each of them carries, and the tables by the list that is kept here, in
tables.jsonl of the attempt's folder.
"""
import json
import os

from flowctl_rt import attempt, facts, file_facts

STAMP = "spark.databricks.delta.commitInfo.userMetadata"
_MOST = 64  # reads of a kind that are told
_DRAIN = 3000  # ms to wait for the last queries to be heard of
_touched = set()
_asks = []  # [matcher, what was asked, version or None]
_java = _reads = None  # (the JVM, the session there), and its listener


def stamp():
    """What each commit of this attempt says of it. An author's own text wins over it."""
    c = attempt().context
    return json.dumps({"flowctl": {"run": c.get("job_run_id"), "task": c.get("task_key"), "attempt": c.get("attempt", 0)}}, separators=(",", ":"))


def note(**line):
    """Append a line to the list that the engine reads at the end."""
    with open(os.path.join(facts.folder(), "tables.jsonl"), "a", encoding="utf-8") as f:
        f.write(json.dumps(line) + "\n")


def touch(path, name=None):
    """A folder that may be a table's was named by the code. Anything else in it does no harm."""
    if isinstance(path, str) and path.startswith("file:"):
        path = "/" + path[5:].lstrip("/")
    if not isinstance(path, str) or not path.startswith("/") or (path, name) in _touched or len(_touched) > 5000:
        return
    _touched.add((path, name))
    try:
        note(path=path, **({"name": name} if name else {}))
    except OSError:
        pass  # a full disk: the task goes on


def attached(jvm, session, who, warehouse):
    """A session of the JVM has been made, or found again after a restart of Python."""
    global _java, _reads
    conf, kept = session.conf(), jvm.System.getProperties()
    if not conf.getOption(STAMP).isDefined():
        conf.set(STAMP, stamp())
    _java = (jvm, session)
    try:
        note(attached=who, warehouse=warehouse)
        _reads = kept.get(who + ".reads")
        if _reads is None:
            from flowctl_rt import spark_listener

            made = spark_listener.make(jvm)
            session.listenerManager().register(made)
            kept.put(who + ".reads", made)
            _reads = made
    except Exception as e:
        facts.gap("read", "what Spark reads is not observed: %s" % (str(e).split("\n")[0] or type(e).__name__))


def opened(frame, asked=(), matcher=None):
    """A table or files were opened as a data frame. asked: {"versionAsOf": 3}, as the code has it."""
    if _reads is None:
        return frame
    from flowctl_rt import spark_attach

    try:
        java = spark_attach.java_frame(frame)
        if java is None:
            return frame
        lines = _lines(_reads.opened(java))
    except Exception:
        return frame  # whatever is wrong with the frame shows when it is used
    for key, value in dict(asked).items():
        here = [l for l in lines if l[0] == "delta" and (matcher is None or matcher(l))]
        exact = [l for l in here if key == "versionAsOf" and l[2] == str(value)]
        found = (exact or here)[:1] if exact or len(here) == 1 else []
        _ask(matcher or _one(found), {key: value}, found[0][2] if found else None)
    return frame


def _ask(matcher, asked, version):
    """Keep what was asked for, until it is known what was read. A loop may ask without end."""
    if len(_asks) < 1000:
        _asks.append([matcher, asked, version])


def _one(lines):
    paths = [l[1] for l in lines]
    return lambda l: l[1] in paths


def named(catalog, parts):
    """Whether a line of the listener is about the table of that name."""
    from flowctl_rt.spark_names import FORMATS, folded

    if len(parts) == 2 and parts[0].lower() in FORMATS:
        from flowctl_rt import spark_paths

        path = spark_paths.local(parts[1])
        path = path[5:] if path.startswith("file:") else path
        return lambda l: l[1].rstrip("/") == path.rstrip("/")
    t = catalog.names.table(parts)
    full = "%s.%s" % (folded(t[0], t[1]), t[2].lower()) if t else None
    return lambda l: full is not None and l[4].lower().endswith("." + full)


def statement(catalog, sql, frame):
    """A SQL statement has run, or was made a frame of."""
    if _reads is not None:
        try:
            _statement(catalog, sql, frame)
        except Exception:
            pass  # it has run: what it asked for is not worth an error


def _statement(catalog, sql, frame):
    from flowctl_rt.spark_names import chain_at
    from flowctl_rt.spark_tokens import SPACE, tokens

    toks = [t for t in tokens(sql) if t.kind != SPACE]
    query = bool(toks) and toks[0].upper in ("SELECT", "WITH", "FROM", "TABLE", "VALUES", "(")
    found = False
    for i in range(1, len(toks) - 3):
        if toks[i].upper in ("VERSION", "TIMESTAMP") and toks[i + 1].upper == "AS" and toks[i + 2].upper == "OF":
            start = i - 1
            while start >= 2 and toks[start - 1].text == ".":
                start -= 2
            name = chain_at(toks, start)
            if name is None:
                continue
            found = True
            asked = {toks[i].text.lower() + "AsOf": toks[i + 3].value}
            if query:
                opened(frame, asked, named(catalog, name.parts))
            else:
                _ask(named(catalog, name.parts), asked, None)
    if query and not found:
        opened(frame)


def end():
    """Tell what was read, when all is over."""
    global _reads
    if _java is None:
        return
    from flowctl_rt import spark_attach

    _versions(*_java)
    if _reads is None:
        return
    try:
        _java[1].sparkContext().listenerBus().waitUntilEmpty(_DRAIN)
    except Exception:
        facts.gap("read", "the last queries may be missing: the driver was still busy with others %d ms after the task's end" % _DRAIN)
    head, _, rest = _reads.report().partition("\n")
    ran, _, seen = ("\n" + rest).partition("\n-\n")
    more, _, trouble = head.partition("\t")
    if trouble:
        facts.gap("read", "a query's plan could not be read: " + trouble)
    left = int(more) + _tell(_lines(ran), _lines(seen))
    if left:
        facts.gap("read", "%d more tables, versions or files were read" % left)
    note(drained=spark_attach.name())
    _reads = None


def _lines(text):
    return [l.split("\t") for l in text.strip("\n").split("\n") if l.count("\t") == 6]


def _tell(ran, seen):
    """Facts of lines; how many are left out."""
    paths = {l[1] for l in ran}
    versions = {(l[1], l[2]) for l in ran}
    known = [(l, "plan") for l in ran]
    for l in seen:  # not every use of a frame is a query: df.rdd and the JVM's own machine learning are none
        if l[1] not in paths or l[0] == "delta" and (l[1], l[2]) not in versions and _asked(l):
            known.append((l, "hook"))
    left, count = 0, {}
    for l, how in known:
        count[l[0]] = count.get(l[0], 0) + 1
        if count[l[0]] > _MOST:
            left += 1
        elif l[0] == "delta":
            facts.emit("read", json.dumps(_table(l, how)))
        elif l[0] == "file":
            facts.emit("read", json.dumps(dict(file_facts.described(l[1]), format=l[5], how=how, sure=how == "plan")))
        elif l[0] == "wrote":
            facts.emit("wrote", json.dumps(dict(file_facts.place(l[1]), format=l[5], how=how, sure=True)))
        else:
            facts.gap("read", "%s: neither a table nor files; its content is not recorded" % l[1].split("?")[0][:200])
    return left


def _table(l, how):
    from flowctl_rt import spark_patch

    path, version, table, name = l[1], l[2], l[3], l[4]
    fact = dict(file_facts.place(path), kind="delta", table=table, version=int(version), how=how, sure=how == "plan" and l[6] == "1")
    name = name[len("spark_catalog."):] if name.startswith("spark_catalog.") else name
    name = _name_of(path) or (spark_patch.catalog.names.unfold(name) if name else "")
    if name:
        fact["name"] = name
    asked = _asked(l)
    if asked:
        fact["asked"] = asked
    return fact


def _name_of(path):
    """The name of the table in a folder, as far as the code has named it."""
    return next((n for p, n in _touched if p == path and n), None)


def _asked(l):
    """What the code asked for where it got this version."""
    for matcher, asked, version in _asks:
        if matcher(l) and (version == l[2] or version is None and str(asked.get("versionAsOf", l[2])) == l[2]):
            return asked
    return None


def _versions(jvm, session):
    found = {"spark": session.version(), "java": jvm.System.getProperty("java.version")}
    try:
        found["scala"] = jvm.scala.util.Properties.versionNumberString()
        found["delta"] = getattr(jvm.io.delta, "package").VERSION()
    except Exception:
        pass  # the others tell enough
    facts.emit("runtime", json.dumps(found))

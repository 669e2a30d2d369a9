"""Runs a Python cell: plainly where it is plain Python, line by line of magics
where it holds some, through IPython where only that understands it."""
from flowctl_rt import notebook

_ONLY_AST, _TOP_LEVEL_AWAIT, _COROUTINE = 0x400, 0x2000, 0x80
_LINE_MAGICS = ("pip", "restart_python", "run", "sh", "fs", "skip", "set_cell_max_output_size_in_mb")


def run(runner, cell, name):
    source = cell.source + "\n"
    if "IPython" in source and runner.shell is None:
        _offer_ipython(runner)
    try:
        tree = compile(source, name, "exec", _ONLY_AST | _TOP_LEVEL_AWAIT)
    except SyntaxError:
        if not _magic(source):
            notebook._sources[name] = source
            raise
        _segments(runner, cell, name)
        return
    _plain(runner, tree, source, name)


def _offer_ipython(runner):
    """Code that asks IPython for its shell finds one that has our namespace."""
    from flowctl_rt import FlowctlUnsupported, shell

    try:
        shell.start(runner)
    except FlowctlUnsupported:
        pass  # the import in the cell will say that it is not there


def _magic(source):
    return any(
        line.lstrip()[:1] in ("%", "!", "?") or line.rstrip().endswith("?") or _assigned(line) for line in source.split("\n")
    )


def _assigned(line):
    """Whether the line is like: files = !ls"""
    name, sep, rest = line.partition("=")
    return bool(sep) and rest.lstrip()[:1] in ("!", "%") and name.strip().isidentifier()


def _segments(runner, cell, name):
    """Python with magic lines in between."""
    if cell.source.lstrip().startswith("%%") or not _known(cell.source):
        _ipython(runner, cell.source)
        return
    code, first = [], 0
    for n, line in enumerate(cell.source.split("\n")):
        if line.startswith("%"):
            _chunk(runner, code, first, name)
            _line(runner, line[1:], runner.path)
            code, first = [], n + 1
        elif line.startswith("!"):
            _chunk(runner, code, first, name)
            from flowctl_rt import magics

            magics.shell(line[1:], fail=False)
            code, first = [], n + 1
        else:
            code.append(line)
    _chunk(runner, code, first, name)


def _known(source):
    """Whether all magic lines are ones that need no IPython."""
    for line in source.split("\n"):
        if line.startswith("%"):
            if line[1:].split(" ", 1)[0] not in _LINE_MAGICS:
                return False
        elif line.lstrip()[:1] in ("%", "!", "?") and not line.startswith("!") or line.rstrip().endswith("?") or _assigned(line):
            return False
    return True


def _chunk(runner, lines, first, name):
    source = "\n" * first + "\n".join(lines) + "\n"
    if not source.strip():
        return
    try:
        tree = compile(source, name, "exec", _ONLY_AST | _TOP_LEVEL_AWAIT)
    except SyntaxError:
        notebook._sources[name] = source
        raise
    _plain(runner, tree, source, name)


def _line(runner, text, path):
    from flowctl_rt import cells, magics

    word, _, rest = text.partition(" ")
    if word == "pip":
        from flowctl_rt import library

        library.pip(_interpolated(runner, rest))
    elif word == "restart_python":
        from flowctl_rt import library

        raise library.RestartPython()
    elif word in ("run", "sh", "fs"):
        magics.run(runner, cells.Cell(0, word, "", "", rest.strip()), path)


def _interpolated(runner, text):
    """{expression} and $name, as IPython fills them in."""
    out, i = "", 0
    while i < len(text):
        c = text[i]
        if c == "{" and "}" in text[i:]:
            end = text.index("}", i)
            out += str(eval(text[i + 1:end], runner.space))
            i = end + 1
        elif c == "$" and i + 1 < len(text) and (text[i + 1].isalpha() or text[i + 1] == "_"):
            end = i + 1
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
            value = runner.space.get(text[i + 1:end])
            out += text[i:end] if value is None else str(value)
            i = end
        else:
            out += c
            i += 1
    return out


def _plain(runner, tree, source, name):
    """Run the statements; the value of a last expression is shown."""
    import _ast

    notebook._sources[name] = source
    last = None
    if tree.body and isinstance(tree.body[-1], _ast.Expr) and not source.rstrip().endswith(";"):
        last = tree.body.pop()
    if tree.body:
        _execute(runner, compile(tree, name, "exec", _TOP_LEVEL_AWAIT), False)
    if last is not None and runner.exit is None:
        value = _execute(runner, compile(_ast.Expression(last.value), name, "eval", _TOP_LEVEL_AWAIT), True)
        if value is not None:
            from flowctl_rt import display

            runner.space["_"] = value
            print(display.render(value) if not isinstance(value, str) else repr(value))


def _execute(runner, code, wanted):
    if code.co_flags & _COROUTINE:
        import asyncio

        if runner.loop is None:
            runner.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(runner.loop)
        return runner.loop.run_until_complete(eval(code, runner.space))
    if wanted:
        return eval(code, runner.space)
    exec(code, runner.space)
    return None


def _ipython(runner, source):
    from flowctl_rt import shell

    result = shell.start(runner).run_cell(source, store_history=True)
    if runner.exit is not None:
        raise runner.exit
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        raise error

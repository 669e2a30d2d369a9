"""What an exception that ended the user's code becomes: error and trace."""
import os
import sys

from flowctl_rt import quote

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIMIT = 256 * 1024


def result(error):
    """The result line and the process's exit status for an exception."""
    if isinstance(error, SystemExit):
        return _exit(error)
    if isinstance(error, KeyboardInterrupt):
        return '{"outcome":"CANCELED","message":"interrupted"}', 130
    spark = sys.modules.get("flowctl_rt.spark_attach")
    if spark:
        error = spark.explain(error)
    text = trace(error)
    sys.stderr.write(text)
    return (
        '{"outcome":"FAILED","message":%s,"trace":%s}' % (quote(_redacted(message(error))), quote(_redacted(text))),
        1,
    )


def _exit(error):
    code = error.code
    if code is None or code == 0:
        return '{"outcome":"SUCCESS"}', 0
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        return '{"outcome":"FAILED","message":%s}' % quote(_redacted("SystemExit: %s" % (code,))), 1
    return '{"outcome":"FAILED","message":%s}' % quote("SystemExit: %d" % code), code & 0xFF or 1


def message(error):
    """Type and text on one line."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = "<no text: its __str__ failed>"
    return name + ": " + " ".join(text.split())[:4096] if text.strip() else name


def trace(error):
    """The traceback without the runtime's own frames."""
    import linecache
    import traceback

    notebook = sys.modules.get("flowctl_rt.notebook")
    if notebook:
        notebook.remember_sources(linecache)
    seen = set()
    strip(error, seen)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return text if len(text) <= _LIMIT else text[: _LIMIT // 2] + "\n[...]\n" + text[-_LIMIT // 2:]


def strip(error, seen):
    """Take the runtime's frames off an exception and those it came from."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    tb = error.__traceback__
    while tb is not None and _ours(tb):
        tb = tb.tb_next
    if isinstance(error, SyntaxError) and tb is None:
        tb = None
    error.__traceback__ = tb
    before = tb
    while before is not None:  # frames of ours in the middle: a %run, a wrapped open
        while before.tb_next is not None and _ours(before.tb_next):
            before.tb_next = before.tb_next.tb_next
        before = before.tb_next
    strip(error.__cause__, seen)
    strip(error.__context__, seen)


def _ours(tb):
    return tb.tb_frame.f_code.co_filename.startswith(_HERE)


def _redacted(text):
    redact = sys.modules.get("flowctl_rt.redact")
    return redact.clean(text) if redact else text

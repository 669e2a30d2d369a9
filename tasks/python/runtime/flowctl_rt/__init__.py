"""The part of Databricks' runtime that code can see, for one attempt."""


class FlowctlUnsupported(NotImplementedError):
    """Code asked for something that cannot be had here."""


def attempt():
    """The attempt that this process runs, None outside of one."""
    import sys

    entry = sys.modules.get("flowctl_attempt")
    if entry is not None and entry.attempt is not None:
        return entry.attempt
    return _adopt()


_adopted = None


def _adopt():
    """In a child process of an attempt: the same attempt, by its directory."""
    global _adopted
    import os

    directory = os.environ.get("FLOWCTL_TASK_DIR")
    if _adopted is None and directory and os.path.exists(os.path.join(directory, "context.json")):
        import flowctl_attempt

        _adopted = flowctl_attempt.Attempt(directory)
    return _adopted


def quote(text):
    """A string as JSON, without importing json."""
    try:
        from _json import encode_basestring_ascii
    except ImportError:
        from json.encoder import py_encode_basestring_ascii as encode_basestring_ascii
    return encode_basestring_ascii(text)


def warn(text):
    """Tell the engine something that people should see on the run."""
    import sys

    a = attempt()
    if a is not None:
        a.emit('{"t":"warning","text":%s}' % quote(text))
    print("warning: " + text, file=sys.stderr)


_warned = set()


def warn_once(text):
    """Warn of something that may come again and again, the first time."""
    if text not in _warned:
        _warned.add(text)
        warn(text)


def main_script():
    """The script that starts an attempt, for the processes that this one starts."""
    import os

    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "main.py")

"""IPython, loaded only when a cell or a library asks for it."""
from flowctl_rt import FlowctlUnsupported


def start(runner):
    """The IPython shell over the notebook's namespace."""
    if runner.shell is not None:
        return runner.shell
    try:
        from IPython.core.interactiveshell import InteractiveShell
    except ImportError:
        raise FlowctlUnsupported(
            "this cell needs IPython, which is not installed for this interpreter: add ipython to the task's dependencies"
        ) from None
    shell = InteractiveShell.instance(user_module=runner.module, user_ns=runner.space)
    shell.ns_table["user_global"] = runner.space
    shell.colors = "NoColor"
    shell.showtraceback = lambda *a, **k: None  # the error ends the cell and is reported once
    shell.showsyntaxerror = lambda *a, **k: None
    runner.shell = shell
    _magics(runner, shell)
    return shell


def _magics(runner, shell):
    """Databricks' own magics under IPython."""
    from flowctl_rt import pycell

    for word in ("pip", "restart_python", "run", "fs"):
        shell.register_magic_function(
            lambda line, word=word: pycell._line(runner, word + " " + line, runner.path), "line", word
        )

"""MLflow restores the environment of a model (env_manager="virtualenv") with
pyenv and virtualenv, which are there on Databricks. Here it needs neither for a
model of the Python that asks: Python's own venv does the same. Seen with MLflow
2.11 and 3.17."""
import os
import shutil
import sys


def change(module):
    """mlflow.utils.virtualenv has been loaded."""
    install, execute = getattr(module, "_install_python", None), getattr(module, "_exec_cmd", None)
    if install is None or execute is None:
        return

    def installed(version, *args, **kwargs):
        if str(version).split(".")[:2] == [str(n) for n in sys.version_info[:2]]:
            return os.path.realpath(sys.executable)
        if shutil.which("pyenv") is None:
            from mlflow.exceptions import MlflowException

            raise MlflowException(
                "the model was made by Python %s, and this is %d.%d: make it anew with this one, choose the task's interpreter "
                "with --python, or install pyenv, by which MLflow gets others" % ((version,) + sys.version_info[:2])
            )
        return install(version, *args, **kwargs)

    def executed(cmd, *args, **kwargs):
        if isinstance(cmd, list) and cmd[1:4] == ["-m", "virtualenv", "--python"] and not _has_virtualenv():
            cmd = [cmd[4], "-m", "venv", cmd[5]]
        return execute(cmd, *args, **kwargs)

    module._install_python, module._exec_cmd = installed, executed
    module._is_pyenv_available = module._is_virtualenv_available = lambda: True  # what is missing is said when it is missed
    module._get_pyenv_bin_path = lambda: shutil.which("pyenv")  # not that of a cluster


def _has_virtualenv():
    import importlib.util

    return importlib.util.find_spec("virtualenv") is not None

package local_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A store is opened by the MLflow whose tables it has. Any other, as old
// projects pin it, speaks to flowctl's API.
func TestMLflowOfAnotherVersion(t *testing.T) {
	l := newLab(t)
	l.wheelOf("mlflow", "", map[string]string{
		"mlflow/__init__.py":                              "",
		"mlflow/store/db_migrations/versions/a_first.py":  "revision = \"aaaa\"\ndown_revision = None\n",
		"mlflow/store/db_migrations/versions/b_second.py": "revision: str = 'bbbb'\ndown_revision: str = 'aaaa'\n",
	})
	l.wheel("sqlalchemy", "", "")
	l.libs = `[{"whl":"mlflow-1.0-py3-none-any.whl"},{"whl":"sqlalchemy-1.0-py3-none-any.whl"}]`
	l.notebook("n", `import os, sqlite3
from flowctl_rt import mlflow_import
from flowctl_rt.dbutils import context
context()["api"] = True
def remote():
    mlflow_import._opens = None
    return mlflow_import.remote()
print("no store:", remote())
context()["mlflow_maker"] = "1.0"
print("no store, the same version:", remote())
os.makedirs(mlflow_import.home(), exist_ok=True)
db = sqlite3.connect(os.path.join(mlflow_import.home(), "mlflow.db"))
db.execute("CREATE TABLE alembic_version (version_num TEXT)")
for revision in ("aaaa", "bbbb", "cccc"):
    db.execute("DELETE FROM alembic_version")
    db.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    db.commit()
    print(revision, remote())`)
	assert.Contains(t, l.ok("n"), "no store: True\nno store, the same version: False\naaaa True\nbbbb False\ncccc True\n")
}

// MLflow restores a model's environment with neither pyenv nor virtualenv, if the
// model is of the Python that asks.
func TestMLflowMakesAnEnvironment(t *testing.T) {
	l := newLab(t)
	l.notebook("n", `import os, subprocess, sys, types
from flowctl_rt import mlflow_virtualenv
os.environ["PATH"] = ""
m = types.SimpleNamespace(_install_python=lambda version: "by pyenv", _exec_cmd=lambda cmd: subprocess.check_call(cmd))
mlflow_virtualenv.change(m)
print(m._is_pyenv_available(), m._is_virtualenv_available())
python = m._install_python("%d.%d.99" % sys.version_info[:2])
m._exec_cmd([sys.executable, "-m", "virtualenv", "--python", python, "made"])
subprocess.check_call(["made/bin/python", "-m", "pip", "--version"])
sys.modules["mlflow"], sys.modules["mlflow.exceptions"] = types.ModuleType("mlflow"), types.SimpleNamespace(MlflowException=ValueError)
try:
    m._install_python("3.6.1")
except ValueError as e:
    print(e)`)
	log := l.ok("n")
	assert.Contains(t, log, "True True\n")
	assert.Contains(t, log, "pip ")
	assert.Contains(t, log, "the model was made by Python 3.6.1, and this is 3.")
}

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

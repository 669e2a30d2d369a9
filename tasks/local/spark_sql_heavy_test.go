package local_test

import (
	"github.com/stretchr/testify/assert"
)

// copyInto: each file goes in once, also where a statement was broken off
// between its list of files and its rows.
func (l *lab) copyInto() {
	l.notebook("copy", `
import json, os
spark.sql("CREATE SCHEMA IF NOT EXISTS main.cp"); spark.sql("USE main.cp")
os.makedirs("/Volumes/main/cp/v/in", exist_ok=True)
def put(n, text):
    with open("/Volumes/main/cp/v/in/" + n, "w") as f: f.write(text)
for i in range(2): put("f %d.json" % i, json.dumps({"id": i, "v": "x"}))
def copy(rest="", table="t", source="'/Volumes/main/cp/v/in'", kind="JSON"):
    return tuple(spark.sql("COPY INTO %s FROM %s FILEFORMAT = %s %s" % (table, source, kind, rest)).first())
spark.sql("CREATE TABLE t (id BIGINT, v STRING)")
print(copy("VALIDATE ALL"), copy("PATTERN = '*.json'"), copy())`, `
from flowctl_rt import spark_copy
real = spark_copy.Copy.write
def broken(self, frame, version): raise OSError("broken off")
put("f2.json", json.dumps({"id": 2, "v": "x"}))
spark_copy.Copy.write = broken
try: copy()
except OSError as e: print(e)
spark_copy.Copy.write = real
print(copy(), copy(), copy("COPY_OPTIONS ('force' = 'true')"), spark.table("t").count())`, `
put("a.csv", "id,name\n1,a\n2,b\n")
spark.sql("CREATE TABLE c"); spark.sql("CREATE TABLE p (a BIGINT, b STRING)")
head = "FORMAT_OPTIONS ('header' = 'true')"
print(copy("FILES = ('a.csv') " + head + " COPY_OPTIONS ('mergeSchema' = 'true')", "c", "(SELECT *, _metadata.file_name AS f FROM '/Volumes/main/cp/v/in')", "CSV"), spark.table("c").orderBy("id").collect()[0])
print(copy("PATTERN = '*.csv' " + head, "p (b, a)", "(SELECT name, id::bigint FROM '/Volumes/main/cp/v/in')", "CSV"), spark.table("p").count())
for bad in (lambda: copy(kind="EXCEL"), lambda: copy(source="'/Volumes/main/cp/none'"), lambda: copy(table="none"), lambda: copy("COPY_OPTIONS ('x' = 'y')")):
    try: bad()
    except Exception as e: print(str(e).split(". ")[0][:60].rstrip())`)
	assert.Equal(l, `(0, 'x') (2, 2, 0) (0, 0, 0)
broken off
(1, 1, 0) (0, 0, 0) (3, 3, 0) 6
(2, 2, 0) Row(id=1, name='a', f='a.csv')
(2, 2, 0) 2
[PARSE_SYNTAX_ERROR] COPY INTO: FILEFORMAT EXCEL is none of
[PATH_NOT_FOUND] Path does not exist: file:`+l.home[:min(17, len(l.home))]+`
[TABLE_OR_VIEW_NOT_FOUND] The table or view `+"`main`.`cp`.`non"+`
[PARSE_SYNTAX_ERROR] COPY INTO: COPY_OPTIONS has no 'x'; the
`, l.ok("copy"))
}

// dialect: what only Databricks' SQL has, on real tables.
func (l *lab) dialect() {
	l.notebook("dialect", `
spark.sql("CREATE SCHEMA IF NOT EXISTS main.di"); spark.sql("USE main.di")
def rows(sql, **kw): return [tuple(r) for r in spark.sql(sql, **kw).collect()]
spark.sql("CREATE TABLE k (id INT NOT NULL CONSTRAINT pk PRIMARY KEY, g INT) PARTITIONED BY (g) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
spark.sql("INSERT INTO k VALUES (1, 1), (2, 1), (3, 2)")
print(rows("SELECT id FROM k QUALIFY row_number() OVER (PARTITION BY g ORDER BY id DESC) = 1 ORDER BY id"), rows("SELECT count(*) FROM main.di.k@v0"))
print(rows("SELECT count(*) FROM table_changes('main.di.k', 1)"), rows("SHOW COLUMNS IN main.di.k"))
spark.sql("CREATE OR REPLACE TABLE main.di.deep DEEP CLONE k VERSION AS OF 1")
print(rows("SELECT count(*) FROM deep"), spark.sql("DESCRIBE DETAIL deep").first()["partitionColumns"], spark.sql("DESCRIBE DETAIL deep").first()["name"])
spark.sql("ALTER TABLE k ALTER COLUMN g SET NOT NULL"); spark.sql("ALTER TABLE k ADD CONSTRAINT f FOREIGN KEY (g) REFERENCES main.di.deep (id)")
try: spark.sql("INSERT INTO k VALUES (9, NULL)")
except Exception as e: print("g_not_null" in str(e))
spark.sql("DECLARE VARIABLE tab STRING DEFAULT 'main.di.' || 'k'")
print(rows("SELECT count(*) FROM IDENTIFIER(tab)"), rows("EXECUTE IMMEDIATE 'SELECT max(id) FROM main.di.k WHERE id < ?' USING 3"))
spark.sql("CREATE VIEW v AS SELECT 1 AS one"); spark.sql("ALTER VIEW main.di.v AS SELECT 2 AS two"); spark.sql("ALTER VIEW v RENAME TO w")
print(rows("SELECT * FROM w"), rows("SELECT view_definition FROM main.information_schema.views WHERE table_name = 'w'"))
spark.sql("CREATE VOLUME vol"); dbutils.fs.put("/Volumes/main/di/vol/a.csv", "x,y\n1,2\n")
spark.sql("CREATE VIEW files AS SELECT x, _metadata.file_name AS f FROM read_files('/Volumes/main/di/vol/a.csv')")
print(rows("SELECT * FROM files"), rows("SELECT y FROM read_files(:p)", args={"p": "/Volumes/main/di/vol/a.csv"}), rows("SHOW VOLUMES IN main.di"), rows("LIST '/Volumes/main/di/vol'")[0][:3])
print(rows("SHOW CREATE TABLE k")[0][0].split("\n")[0], rows("SELECT volume_name FROM system.information_schema.volumes WHERE volume_schema = 'di'"))
from delta.tables import DeltaTable
DeltaTable.forName(spark, "k").clone("main.di.shallow", isShallow=True)
print(spark.table("main.di.shallow").count())
try: spark.table("system.billing.usage")
except Exception as e: print(type(e).__name__)`, `
spark.sql("CREATE FUNCTION main.di.inc(x INT) RETURNS INT RETURN x + 1")
print(rows("SELECT main.di.inc(1), di.inc(2), inc(3)"))`)
	out := l.ok("dialect")
	for _, want := range []string{
		"[(2,), (3,)] [(0,)]\n", "[(3,)] [('id',), ('g',)]\n", "[(3,)] ['g'] main.di.deep\n", "\nTrue\n", "[(3,)] [(2,)]\n",
		"[(2,)] [('SELECT 2 AS two',)]\n", "[(1, 'a.csv')] [(2,)] [('di', 'vol')] ('dbfs:/Volumes/main/di/vol/a.csv', 'a.csv', 8)\n",
		"CREATE TABLE main.di.k ( [('vol',)]\n3\nFlowctlUnsupported\n", "[(2, 3, 4)]\n",
	} {
		assert.Contains(l, out, want)
	}
}

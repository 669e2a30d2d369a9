# Prints what becomes of SQL that only Databricks understands.
from flowctl_rt.spark_dialect import translated

for sql in """SELECT * FROM a.b@v12 JOIN c@20240131120000000
SELECT a, iff(b, 1, 2), x.iff(1) FROM t
SELECT a, row_number() OVER (PARTITION BY b ORDER BY c) AS n FROM t WHERE a > 0 QUALIFY n = 1 AND x <> 2 ORDER BY a
INSERT INTO t SELECT * FROM (SELECT b FROM u QUALIFY rank() OVER (ORDER BY b) = 1) LIMIT 3
CREATE TABLE t (id INT NOT NULL CONSTRAINT k PRIMARY KEY RELY COMMENT 'c', x INT REFERENCES a.b.c (id) NOT ENFORCED, y DECIMAL(3,1), FOREIGN KEY (x) REFERENCES u) COMMENT 'z'
CREATE TABLE t (id INT, CONSTRAINT pk PRIMARY KEY (id)) CLUSTER BY AUTO
CREATE TABLE t CLUSTER BY AUTO AS SELECT 'PRIMARY KEY' AS x
CREATE TABLE t (key INT, primary STRING)
SELECT DISTINCT a FROM t QUALIFY rank() OVER (ORDER BY a) = 1
CREATE OR REPLACE FUNCTION f(x INT) RETURNS INT LANGUAGE PYTHON AS 'return x'""".split("\n"):
    try:
        print(translated(sql))
    except NotImplementedError as e:
        print("no:", e)

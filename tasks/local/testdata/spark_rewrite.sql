# one statement a line; the current catalog is main, the current schema recsys
SELECT a.x, main.s.t.col FROM main.s.t a, dev.q.u JOIN v ON a.id=v.id
CREATE TABLE IF NOT EXISTS main.s.t (a INT) USING delta LOCATION '/Volumes/x/y'
SELECT * FROM s.t WHERE s.t.a = 'main.s.t' -- main.s.t
MERGE INTO main.s.t AS t USING (SELECT * FROM main.s.u) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
MERGE INTO a.b.c USING upd.x.y AS s ON a.b.c.id=s.id WHEN MATCHED THEN DELETE
CREATE SCHEMA IF NOT EXISTS main.q
USE SCHEMA foo
DROP TABLE IF EXISTS c.s.t
select main.f.fn(x) from delta.`dbfs:/a/b`
WITH c AS (select 1) select * from c
select * from IDENTIFIER(:cat || '.' || :sch || '.t') where a = :z
INSERT OVERWRITE TABLE a.b.c SELECT * FROM x
DESCRIBE HISTORY main.s.t
OPTIMIZE main.s.t ZORDER BY (a)
CREATE OR REPLACE VIEW main.s.v AS SELECT * FROM main.s.t VERSION AS OF 3
SELECT extract(year FROM ts) FROM range(10)
ALTER TABLE main.s.t ADD CONSTRAINT c CHECK (a > 0)
SHOW TABLES IN main.s
DELETE FROM main.s.t WHERE a IN (SELECT b FROM main.s.u)
UPDATE main.s.t SET a=1
CREATE TABLE a.b.c SHALLOW CLONE a.b.d
SHOW CREATE TABLE a.b.c
DESCRIBE main.s.t
DESCRIBE TABLE EXTENDED main.s.t
INSERT INTO main.s.t VALUES (1,'x')
CREATE TABLE main.s.t USING delta AS SELECT * FROM parquet.`/tmp/x`
SELECT x:a.b.c, trim(both from y) FROM a.b.c
COMMENT ON TABLE a.b.c IS 'x'
TRUNCATE TABLE a.b.c
SELECT * FROM (SELECT * FROM a.b.c) x, a.b.d
CREATE FUNCTION a.b.f(x INT) RETURNS INT RETURN x+1
SELECT * FROM a.b.c TIMESTAMP AS OF '2020-01-01'
ANALYZE TABLE a.b.c COMPUTE STATISTICS
USE foo
USE main.foo
select schema from a.b.c
select * from (select 1) x, a.b.c
INSERT INTO a.b.c (x,y) select 1,2
select date '2020-01-01', 1.5e3, a.b from 2024_t
SELECT * FROM table_changes('a.b.c', 1)
SHOW COLUMNS IN a.b.c
SHOW TABLE EXTENDED IN a.b LIKE 'x*'
SHOW USER FUNCTIONS IN a.b
SELECT s.f(1), count(DISTINCT x) FROM t

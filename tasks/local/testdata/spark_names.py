# Databricks notebook source
dbutils.widgets.text("cat","x")
cat = dbutils.widgets.get("cat")
spark.sql(f"CREATE CATALOG IF NOT EXISTS {cat}")
spark.sql(f"USE CATALOG {cat}")
spark.sql("CREATE SCHEMA IF NOT EXISTS bronze COMMENT 'x'")
print(spark.sql("select current_catalog(), current_schema(), current_user()").collect())
# COMMAND ----------
from pyspark.sql import functions as F
df = spark.range(5).withColumn("g", F.col("id") % 2)
df.write.mode("overwrite").saveAsTable(f"{cat}.bronze.t")
df.write.mode("append").saveAsTable("bronze.t")
print(spark.table("bronze.t").count(), spark.read.table("dev.bronze.t").count())
spark.sql("USE SCHEMA bronze")
print(spark.table("t").count())
# COMMAND ----------
# MAGIC %sql
# MAGIC CREATE OR REPLACE VIEW v AS SELECT g, count(*) n FROM t GROUP BY g;
# MAGIC CREATE FUNCTION IF NOT EXISTS dev.bronze.dbl(x INT) RETURNS INT RETURN x * 2;
# MAGIC SELECT *, dev.bronze.dbl(3) d FROM IDENTIFIER(:cat || '.bronze.v') ORDER BY g
# COMMAND ----------
print(_sqldf.collect())
try:
    spark.sql("select * from dev.bronze.nope")
except Exception as e:
    print(str(e).split("\n")[0])
# COMMAND ----------
# MAGIC %sql
# MAGIC MERGE INTO dev.bronze.t AS t USING (SELECT 0 id, 9 g) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *;
# MAGIC SELECT count(*) AS n FROM dev.bronze.t
# COMMAND ----------
spark.sql("DESCRIBE HISTORY dev.bronze.t").select("version", "operation").show()
# COMMAND ----------
df.write.format("delta").save("dbfs:/tmp/ext")
df.write.format("csv").option("header","true").save("/Volumes/main/s/v/csv")
import os
print(os.listdir("/Volumes/main/s/v"), os.path.exists("/dbfs/tmp/ext/_delta_log"))
print(spark.read.option("header",True).csv("/Volumes/main/s/v/csv").count(), spark.sql("select count(*) from delta.`/tmp/ext`").first()[0])
spark.sql("CREATE TABLE dev.bronze.ext LOCATION 'dbfs:/tmp/ext'")
spark.sql("CREATE TABLE dev.bronze.pq USING parquet AS SELECT 1 a")
spark.sql("CREATE VOLUME IF NOT EXISTS dev.bronze.vol")
print(os.path.isdir("/Volumes/dev/bronze/vol"))
spark.sql("GRANT SELECT ON TABLE dev.bronze.t TO `x`")
print([r.tableName for r in spark.sql("SHOW TABLES IN dev.bronze").collect()], [c.databaseName for c in spark.sql("SHOW SCHEMAS").collect()])
from delta.tables import DeltaTable
print(DeltaTable.forName(spark, "dev.bronze.t").history(1).select("version").first()[0], DeltaTable.isDeltaTable(spark, "/tmp/ext"))
print(spark.read.option("versionAsOf", 0).table("dev.bronze.t").count(), spark.sql("select count(*) from dev.bronze.t version as of 0").first()[0])
spark.sql("select table_name, table_type from dev.information_schema.tables").display()
display(spark.sql("select table_name, column_name, data_type from dev.information_schema.columns where table_name='t'"))
# COMMAND ----------
import json
os.makedirs("/Volumes/dev/bronze/vol/in", exist_ok=True)
open("/Volumes/dev/bronze/vol/in/a.json","w").write(json.dumps({"a":1}))
q = (spark.readStream.format("cloudFiles").option("cloudFiles.format","json").option("cloudFiles.schemaLocation","/Volumes/dev/bronze/vol/s").load("/Volumes/dev/bronze/vol/in")
  .writeStream.option("checkpointLocation","/Volumes/dev/bronze/vol/ck").trigger(availableNow=True).toTable("dev.bronze.streamed"))
q.awaitTermination()
print(spark.table("dev.bronze.streamed").collect())
spark.sql("ALTER TABLE dev.bronze.t RENAME TO dev.bronze.t2")
spark.sql("create or replace view dev.bronze.v as select g, count(*) n from t2 group by g")
print(spark.catalog.tableExists("dev.bronze.t"), spark.catalog.tableExists("dev.bronze.t2"), spark.catalog.currentCatalog())
df.writeTo("dev.bronze.w").using("delta").createOrReplace()
spark.sql("DROP TABLE dev.bronze.w")
print(spark.catalog.tableExists("dev.bronze.w"))

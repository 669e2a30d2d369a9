# Databricks notebook source
import helper, pandas as pd
from pyspark.sql import SparkSession, functions as F
plus = F.udf(lambda x: helper.plus(x), "int")  # before anything has touched spark
@F.pandas_udf("double")
def twice(s: pd.Series) -> pd.Series:
    return s * 2.0
print([tuple(r) for r in spark.range(2).select(plus(F.col("id").cast("int")), twice("id")).collect()])
from databricks.connect import DatabricksSession
print(type(spark).__module__, SparkSession.builder.master("local[7]").config("spark.sql.shuffle.partitions", "3").getOrCreate() is spark,
      SparkSession.getActiveSession() is spark, DatabricksSession.builder.getOrCreate() is spark, spark.conf.get("spark.sql.shuffle.partitions"))
# COMMAND ----------
from pyspark import SparkContext
def refused(what):
    try:
        print("there is", what())
    except Exception as e:
        print(type(e).__name__, str(e)[:70])
for what in (
    lambda: sc.parallelize([1]), lambda: sqlContext.sql("select 1"), lambda: spark.sparkContext, lambda: spark._jvm, lambda: spark.range(1).rdd,
    lambda: spark.range(1)._jdf, lambda: SparkContext.getOrCreate(),
):
    refused(what)
# COMMAND ----------
from delta.tables import DeltaTable
spark.sql("CREATE SCHEMA IF NOT EXISTS main.c")
spark.range(4).withColumn("v", F.lit("a")).write.saveAsTable("main.c.m")
t = DeltaTable.forName(spark, "main.c.m")
new = spark.createDataFrame([(3, "new"), (9, "nine")], "id long, v string")
t.alias("t").merge(new.alias("s"), "t.id = s.id").whenMatchedUpdate(set={"v": F.col("s.v")}).whenNotMatchedInsertAll().execute()
t.update("id = 0", {"v": F.lit("zero")})
t.delete(F.col("id") == 1)
print(sorted(map(tuple, t.toDF().collect())), type(t.toDF()).__module__)
print([r.operation for r in t.history().select("operation").collect()], DeltaTable.isDeltaTable(spark, "/tmp/nothing"))
DeltaTable.createIfNotExists(spark).tableName("main.c.built").addColumn("a", "INT").execute()
print(spark.catalog.tableExists("main.c.built"), t.optimize().executeZOrderBy("id").count())
refused(lambda: DeltaTable.forName(spark, "main.c.none"))
refused(lambda: t.update("nope = 0", {"v": F.lit("zero")}))
# COMMAND ----------
import datetime, decimal
print(spark.sql("select :a a, :b b, :c c, :d d, :l l, id from main.c.m where id = :id", args={
    "a": 1.5, "b": "it's; :a", "c": decimal.Decimal("1.20"), "d": datetime.date(2026, 1, 2), "l": F.array(F.lit(1), F.lit(2)), "id": 9}).collect())
print(spark.sql("select ? x, ? y", args=[None, "?"]).collect(), spark.sql("select {d}.id from {d} where id > {n}", d=spark.range(3), n=1).collect())
refused(lambda: spark.sql("select :nobody").collect())
# COMMAND ----------
import os
os.makedirs("/Volumes/main/c/in/json")
with open("/Volumes/main/c/in/json/a.json", "w") as f:
    f.write('{"a": 1}')
spark.sql("CREATE TABLE main.c.copied (a BIGINT)")
print(spark.sql("COPY INTO main.c.copied FROM '/Volumes/main/c/in/json' FILEFORMAT = JSON").collect())
print(spark.sql("select * from read_files('/Volumes/main/c/in/json', format => 'json')").collect(), spark.read.json("dbfs:/Volumes/main/c/in/json").schema.simpleString())
# COMMAND ----------
spark.range(5).createOrReplaceTempView("mine")
spark.sql("USE main.c")
spark.stop()
dbutils.jobs.taskValues.set("rows", spark.table("mine").count())
x = 1
# COMMAND ----------
dbutils.library.restartPython()
# COMMAND ----------
print("x" in globals(), spark.table("mine").count(), spark.range(2).toPandas().shape, spark.catalog.currentCatalog(), spark.table("m").count())
# COMMAND ----------
from delta.tables import DeltaTable
def keep(frame, batch):
    frame.write.mode("append").saveAsTable("seen")
    DeltaTable.forName(frame.sparkSession, "main.c.m").alias("t").merge(frame.alias("f"), "t.id = f.id").whenMatchedDelete().execute()
spark.range(3).write.saveAsTable("main.c.source")
q = spark.readStream.table("main.c.source").writeStream.queryName("kept").foreachBatch(keep).trigger(availableNow=True).option("checkpointLocation", "dbfs:/ck/1").start()

from pyspark import pipelines as dp
from pyspark.sql.functions import col


@dp.table(comment="every order, as it came in")
def raw_orders():
    return spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").load("/Volumes/main/shop/incoming")


@dp.table
@dp.expect_or_drop("worth the trouble", "amount >= %s" % spark.conf.get("least_amount"))
def orders():
    return spark.readStream.table("raw_orders").select("id", "customer", "amount", (col("amount") * 0.2).alias("tax"))

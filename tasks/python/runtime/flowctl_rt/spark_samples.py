"""The samples catalog: what templates and tutorials read from it, made up."""
from flowctl_rt import warn
from flowctl_rt.spark_names import back, folded

_TRIPS = """
SELECT timestampadd(SECOND, CAST(seconds AS INT), TIMESTAMP '2016-01-01 00:00:00') AS tpep_pickup_datetime,
       timestampadd(SECOND, CAST(seconds + 240 + miles * 210 AS INT), TIMESTAMP '2016-01-01 00:00:00') AS tpep_dropoff_datetime,
       CAST(miles AS DOUBLE) AS trip_distance, CAST(round(2.5 + 2.7 * miles, 1) AS DOUBLE) AS fare_amount,
       CAST(10001 + id % 40 AS INT) AS pickup_zip, CAST(10001 + (id * 7) % 40 AS INT) AS dropoff_zip
FROM (SELECT id, (id * 2357) % 5184000 AS seconds, round(0.3 + (id * 37 % 149) / 10.0, 1) AS miles FROM range(2000))
"""
TABLES = {("nyctaxi", "trips"): _TRIPS}


def make(catalog, schema, name):
    """Make samples.SCHEMA.NAME in the warehouse, if it is one that is known."""
    import os

    query = TABLES.get((schema.lower(), name.lower()))
    if query is None or os.path.isdir(catalog.data("samples", schema, name)):
        return
    os.makedirs(catalog.folder("samples", schema), exist_ok=True)
    with catalog.alone("samples", schema, name):
        if os.path.isdir(catalog.data("samples", schema, name)):
            return
        catalog.schema("samples", schema)
        catalog.sql("CREATE TABLE IF NOT EXISTS %s.%s USING delta AS %s" % (back(folded("samples", schema)), back(name), query))
        warn("samples.%s.%s is made up here: it has the columns of Databricks' own, and other rows" % (schema, name))

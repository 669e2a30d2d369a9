"""What a workspace has for templates and tutorials to read, made up: the
tables of the samples catalog, and the Delta tables of /databricks-datasets.

A table is made when a statement first names it, with the columns of
Databricks' own and other rows, the same ones each time. The queries of the
larger sets are in samples_tpcds and samples_tpch.
"""
import os

from flowctl_rt import warn
from flowctl_rt.spark_catalog import is_table
from flowctl_rt.spark_names import back, folded

_TRIPS = """
SELECT timestampadd(SECOND, CAST(seconds AS INT), TIMESTAMP '2016-01-01 00:00:00') AS tpep_pickup_datetime,
       timestampadd(SECOND, CAST(seconds + 240 + miles * 210 AS INT), TIMESTAMP '2016-01-01 00:00:00') AS tpep_dropoff_datetime,
       CAST(miles AS DOUBLE) AS trip_distance, CAST(round(2.5 + 2.7 * miles, 1) AS DOUBLE) AS fare_amount,
       CAST(10001 + id % 40 AS INT) AS pickup_zip, CAST(10001 + (id * 7) % 40 AS INT) AS dropoff_zip
FROM (SELECT id, (id * 2357) % 5184000 AS seconds, round(0.3 + (id * 37 % 149) / 10.0, 1) AS miles FROM range(2000))
"""
_BOOKINGS = """
SELECT id + 1 AS booking_id, 1 + id * 7 % 300 AS user_id, 1 + id * 13 % 120 AS property_id, check_in, date_add(check_in, 1 + CAST(id % 9 AS INT)) AS check_out,
       CAST(1 + id % 5 AS INT) AS guests_count, CAST(80 + id * 37 % 900 AS FLOAT) AS total_amount,
       element_at(array('confirmed', 'confirmed', 'pending', 'cancelled', 'completed'), CAST(1 + id % 5 AS INT)) AS status,
       CAST(date_sub(check_in, 30) AS TIMESTAMP) AS created_at, CAST(date_sub(check_in, 20) AS TIMESTAMP) AS updated_at
FROM (SELECT id, date_add(DATE '2023-01-01', CAST(id * 3 % 900 AS INT)) AS check_in FROM range(1500))
"""
_SALES = """
SELECT 1000000 + id AS transactionID, 2000000 + id * 7 % 300 AS customerID, 3000000 + id * 13 % 48 AS franchiseID,
       timestampadd(MINUTE, CAST(id * 13 % 24480 AS INT), TIMESTAMP '2024-05-01 00:00:00') AS dateTime,
       element_at(array('Golden Gate Ginger', 'Outback Oatmeal', 'Austin Almond Biscotti', 'Tokyo Tidbits', 'Pearly Pies', 'Orchard Oasis'), CAST(1 + id % 6 AS INT)) AS product,
       1 + id % 40 AS quantity, CAST(3 AS BIGINT) AS unitPrice, 3 * (1 + id % 40) AS totalPrice,
       element_at(array('visa', 'mastercard', 'amex'), CAST(1 + id % 3 AS INT)) AS paymentMethod, 4000000000000000 + id * 7919 AS cardNumber
FROM range(3000)
"""


def _query(schema, name):
    """The query that makes samples.SCHEMA.NAME; None if it is not known."""
    from flowctl_rt import samples_tpcds, samples_tpch

    schema, name = schema.lower(), name.lower()
    return {
        "nyctaxi": {"trips": lambda: _TRIPS}, "wanderbricks": {"bookings": lambda: _BOOKINGS}, "bakehouse": {"sales_transactions": lambda: _SALES},
        "tpch": samples_tpch.QUERIES, "tpcds_sf1": samples_tpcds.QUERIES, "tpcds_sf1000": samples_tpcds.QUERIES,
    }.get(schema, {}).get(name, lambda: None)()


SCHEMAS = ("nyctaxi", "wanderbricks", "bakehouse", "tpch", "tpcds_sf1", "tpcds_sf1000")


def make(catalog, schema, name):
    """Make samples.SCHEMA.NAME in the warehouse, if it is one that is known."""
    query = _query(schema, name)
    if query is None or is_table(catalog.data("samples", schema, name)):
        return
    os.makedirs(catalog.folder("samples", schema), exist_ok=True)
    with catalog.alone("samples", schema, name):
        if is_table(catalog.data("samples", schema, name)):
            return
        catalog.schema("samples", schema)
        catalog.sql("CREATE TABLE IF NOT EXISTS %s.%s USING delta AS %s" % (back(folded("samples", schema)), back(name), query))
        warn("samples.%s.%s is made up here: it has the columns of Databricks' own, and other rows" % (schema, name))


_FOLDERS = {"/databricks-datasets/nyctaxi-with-zipcodes/subsampled": _TRIPS}


def make_folder(catalog, folder, url):
    """Make the Delta table that the url of a path of DBFS names, if it is a known one. folder: where that path is here."""
    name = "/" + url[len("dbfs:") if url.startswith("dbfs:") else len("/dbfs") if url.startswith("/dbfs/") else 0:].strip("/")
    query = _FOLDERS.get(name)
    if query is None or os.path.exists(folder):
        return
    import shutil
    import tempfile

    os.makedirs(os.path.dirname(folder), exist_ok=True)
    made = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(folder))
    try:
        catalog.sql("CREATE TABLE delta.%s AS %s" % (back("file:" + os.path.join(made, "new")), query))
        os.rename(os.path.join(made, "new"), folder)
        warn("%s is made up here: it has the columns of Databricks' own, and other rows" % name)
    except OSError:
        if not os.path.exists(folder):  # else another task has made it meanwhile
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)

# Databricks notebook source
# MAGIC %md
# MAGIC # Data preparation
# MAGIC
# MAGIC Reads the raw ratings, refuses them if they break a limit, cleans them, and stores what is left as an
# MAGIC immutable version: a folder named by the sha256 of its content. The same raw data gives the same version.

# COMMAND ----------

# MAGIC %run ./common

# COMMAND ----------

import hashlib
import os

from recsys import generate, ratings
from recsys.store import replace

for name, default in {
    "rows": "106000",
    "data_seed": "7",
    "max_null_fraction": "0.02",
    "max_out_of_range_fraction": "0.01",
    "max_duplicate_fraction": "0.02",
    "min_records": "100000",
    "min_rating_mean": "3.0",
    "max_rating_mean": "4.2",
    "min_rating_stddev": "0.5",
    "max_rating_drift": "0.2",
}.items():
    dbutils.widgets.text(name, default)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The raw file
# MAGIC No download: if the file is not there, one is made up from latent factors (`recsys/generate.py`).

# COMMAND ----------

raw_path = dbutils.widgets.get("training_dataset")
if not raw_path.startswith("/"):
    raw_path = store.path(raw_path)

if not os.path.exists(raw_path):
    rows, seed = number("rows", int, 1000, 5000000), number("data_seed", int)
    os.makedirs(os.path.dirname(raw_path), exist_ok=True)
    replace(raw_path, "".join(line + "\n" for line in generate.lines(rows, seed)).encode())
    print("made", raw_path)

with open(raw_path, "rb") as f:
    raw_bytes = f.read()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Validation: schema, nulls, ranges, distribution

# COMMAND ----------

day = datetime.strptime(dbutils.widgets.get("date"), "%Y-%m-%d").replace(tzinfo=timezone.utc)
raw = ratings.read(raw_bytes.decode("utf-8-sig", "replace").splitlines(), until=(day + timedelta(days=1)).timestamp())
stats = ratings.statistics(raw)

# Compare the distribution with what the present champion was trained on.
champion = store.champion(dbutils.widgets.get("deploy_target"))
stats["rating_drift"] = 0.0
if champion:
    reference = store.manifest("datasets", champion["data_version"])["statistics"]
    stats["rating_drift"] = ratings.drift(stats["rating_histogram"], reference["rating_histogram"])

for name, value in stats.items():
    print("%-22s %s" % (name, value))

ratings.check(
    stats,
    [
        ("null_fraction", None, number("max_null_fraction", float, 0, 1), "max_null_fraction"),
        ("out_of_range_fraction", None, number("max_out_of_range_fraction", float, 0, 1), "max_out_of_range_fraction"),
        ("duplicate_fraction", None, number("max_duplicate_fraction", float, 0, 1), "max_duplicate_fraction"),
        ("record_count", number("min_records", int, 1), None, "min_records"),
        ("rating_mean", number("min_rating_mean", float), None, "min_rating_mean"),
        ("rating_mean", None, number("max_rating_mean", float), "max_rating_mean"),
        ("rating_stddev", number("min_rating_stddev", float, 0), None, "min_rating_stddev"),
        ("rating_drift", None, number("max_rating_drift", float, 0), "max_rating_drift"),
    ],
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## An immutable version

# COMMAND ----------

version = store.publish(
    "datasets",
    ratings.to_bytes(raw.rows),
    {
        "columns": ratings.COLUMNS,
        "statistics": stats,
        "parents": [{"path": raw_path, "sha256": hashlib.sha256(raw_bytes).hexdigest(), "bytes": len(raw_bytes)}],
        "code_hash": code_hash(),
        "date": dbutils.widgets.get("date"),
    },
)

publish(
    output_path=store.path("datasets", version),
    output_version=version,
    record_count=stats["record_count"],
    null_fraction=round(stats["null_fraction"], 6),
    rating_mean=round(stats["rating_mean"], 6),
    rating_drift=round(stats["rating_drift"], 6),
)

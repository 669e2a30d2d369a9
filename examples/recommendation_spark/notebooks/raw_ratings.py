# Databricks notebook source
# MAGIC %md
# MAGIC # Raw ratings
# MAGIC Makes up a Delta table of ratings where there is none: users and items with hidden tastes, some noise, and a few
# MAGIC lines without a rating, as real sources have them.

# COMMAND ----------

import math
import random
from datetime import datetime, timedelta

from delta.exceptions import ConcurrentAppendException, ConcurrentDeleteReadException, ConcurrentWriteException
from delta.exceptions import MetadataChangedException, ProtocolChangedException
from delta.tables import DeltaTable


def make_ratings(users=120, items=60, each=25, seed=7):
    rng = random.Random(seed)
    taste = [[rng.gauss(0, 0.7) for _ in range(3)] for _ in range(users)]
    trait = [[rng.gauss(0, 0.7) for _ in range(3)] for _ in range(items)]
    start = datetime(2026, 1, 1)
    for user in range(users):
        for item in rng.sample(range(items), each):
            likes = sum(a * b for a, b in zip(taste[user], trait[item]))
            rating = min(5.0, max(1.0, round(2 * (3.4 + 1.3 * math.tanh(likes) + rng.gauss(0, 0.35))) / 2))
            seen = start + timedelta(minutes=rng.randrange(200000))
            yield user, item, None if rng.random() < 0.01 else rating, seen


REFUSED = (
    ConcurrentAppendException, ConcurrentDeleteReadException, ConcurrentWriteException, MetadataChangedException, ProtocolChangedException,
)


def in_turn(write, tries=10):
    """Write a Delta table that another run may be making or writing at the same time: Delta lets one of them
    through and refuses the others, who try again."""
    for left in reversed(range(tries)):
        try:
            return write()
        except REFUSED:
            if left == 0:
                raise


def ensure_raw_ratings(path):
    if not DeltaTable.isDeltaTable(spark, path):
        schema = "user_id INT, item_id INT, rating DOUBLE, timestamp TIMESTAMP"
        ratings = spark.createDataFrame(list(make_ratings()), schema).coalesce(1)
        in_turn(lambda: ratings.write.format("delta").mode("ignore").save(path))

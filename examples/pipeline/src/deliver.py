# Databricks notebook source
# One more file of orders arrives.
import json
import os

folder = "/Volumes/main/shop/incoming"
os.makedirs(folder, exist_ok=True)
first = 4 * len(os.listdir(folder))
orders = [{"id": first + i, "customer": "ab"[i % 2], "amount": 5.0 + 10 * i} for i in range(4)]
with open("%s/%d.json" % (folder, first), "w") as f:
    f.write("\n".join(json.dumps(o) for o in orders))

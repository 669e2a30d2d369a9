# Databricks notebook source
# MAGIC %md
# MAGIC # Model validation
# MAGIC
# MAGIC Judges the stored model on ratings that neither it nor the present champion has learnt from, against
# MAGIC two baselines and the champion. It refuses nothing itself: it publishes `passed` and `reasons`, and the
# MAGIC condition task behind it decides what runs next.

# COMMAND ----------

# MAGIC %run ./common

# COMMAND ----------

from recsys import als, baselines, ratings, split

for name, default in {"run_id": "", "max_rmse": "0.95", "min_gain": "0.02", "champion_tolerance": "0.0"}.items():
    dbutils.widgets.text(name, default)

run_id = dbutils.widgets.get("run_id")
params = store.run(run_id, "params.json")
lineage = store.run(run_id, "lineage.json")
rows = ratings.from_bytes(store.read("datasets", lineage["data_version"]))
challenger = als.Model.from_bytes(store.read("models", lineage["model_version"]))

champion = store.champion(dbutils.widgets.get("deploy_target"))
test_fraction = params["test_fraction"]
if champion:  # judge both on what both have been kept from
    test_fraction = min(test_fraction, champion["test_fraction"])
train, _ = split.divide(rows, params["test_fraction"])
_, test = split.divide(rows, test_fraction)

# COMMAND ----------

results = {
    "global mean": baselines.errors(baselines.GlobalMean(train), test),
    "user and item biases": baselines.errors(baselines.Biases(train), test),
    "challenger": baselines.errors(challenger, test),
}
if champion:
    old = als.Model.from_bytes(store.read("models", champion["model_version"]))
    results["champion"] = baselines.errors(old, test)

print("%d held-out ratings" % len(test))
for name, result in results.items():
    print("%-22s rmse %.4f   mae %.4f" % (name, result["rmse"], result["mae"]))

# COMMAND ----------

max_rmse = number("max_rmse", float, 0)
min_gain = number("min_gain", float, 0, 1)
tolerance = number("champion_tolerance", float, 0)

rmse = results["challenger"]["rmse"]
baseline = results["user and item biases"]["rmse"]
reasons = []
if rmse > max_rmse:
    reasons.append("rmse %.4f is above %.4f (max_rmse)" % (rmse, max_rmse))
if rmse > baseline * (1 - min_gain):
    reasons.append("rmse %.4f is not %g%% better than the baseline's %.4f (min_gain)" % (rmse, 100 * min_gain, baseline))
if champion and rmse > results["champion"]["rmse"] + tolerance:
    reasons.append(
        "rmse %.4f is worse than the champion's %.4f (%s, champion_tolerance %g)"
        % (rmse, results["champion"]["rmse"], champion["model_version"][:12], tolerance)
    )
passed = not reasons
store.add_to_run(run_id, "validation.json", {"passed": passed, "reasons": reasons, "results": results, "test_rows": len(test)})

# COMMAND ----------

publish(
    passed=passed,
    reasons=reasons,
    rmse=round(rmse, 6),
    baseline_rmse=round(baseline, 6),
    champion_version=champion["model_version"] if champion else "",
    champion_number=champion["number"] if champion else 0,
)

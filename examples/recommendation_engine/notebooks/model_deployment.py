# Databricks notebook source
# MAGIC %md
# MAGIC # Model deployment
# MAGIC
# MAGIC Makes the validated model the champion of a target and tries it out the way that a consumer would:
# MAGIC through the target, not through the run. If that fails, the champion before it is put back.

# COMMAND ----------

# MAGIC %run ./common

# COMMAND ----------

from recsys import als, ratings

for name, default in {"run_id": "", "deploy_to": "staging", "champion_number": "0"}.items():
    dbutils.widgets.text(name, default)

run_id = dbutils.widgets.get("run_id")
target = dbutils.widgets.get("deploy_to")
params, metrics, lineage, validation = (
    store.run(run_id, name) for name in ("params.json", "metrics.json", "lineage.json", "validation.json")
)
if not validation["passed"]:
    raise ValueError("run %s did not pass validation: %s" % (run_id, "; ".join(validation["reasons"])))

record = {
    "model_name": dbutils.widgets.get("model_name"),
    "model_version": lineage["model_version"],
    "model_path": store.path("models", lineage["model_version"]),
    "data_version": lineage["data_version"],
    "test_fraction": params["test_fraction"],
    "rmse": metrics["rmse"],
    "run_id": run_id,
    "promoted_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
}

# COMMAND ----------


def smoke_test(champion):
    """Load a model and ask it for recommendations, as a consumer would. Returns {user: [(item, stars)]}."""
    model = als.Model.from_bytes(store.read("models", champion["model_version"]))
    seen = {}
    for user, item, _ in ratings.from_bytes(store.read("datasets", champion["data_version"])):
        seen.setdefault(user, set()).add(item)
    by_activity = sorted(model.users, key=lambda u: (-len(seen[u]), u))
    stranger = max(model.users) + 1
    lists = {}
    for user in (by_activity[0], by_activity[len(by_activity) // 2], by_activity[-1], stranger):
        best = model.top(user, 5, seen.get(user, ()))
        if len(best) != 5 or any(item in seen.get(user, ()) for item, _ in best):
            raise RuntimeError("smoke test: bad recommendations for user %d: %s" % (user, best))
        lists[user] = best
    if all([i for i, _ in best] == [i for i, _ in lists[stranger]] for best in lists.values()):
        raise RuntimeError("smoke test: everybody gets the same recommendations")
    return lists


# COMMAND ----------

# MAGIC %md
# MAGIC ## Try, promote, look through the target
# MAGIC `champion_number` is the promotion that validation compared with. Should there be a newer one by now,
# MAGIC nothing is promoted. A model that is the champion already is only tried out again.

# COMMAND ----------

answers = smoke_test(record)
for user, best in answers.items():
    print("user %-6d %s" % (user, "  ".join("%d (%.2f)" % pair for pair in best)))

before = store.champion(target)
promoted = not before or before["model_version"] != record["model_version"]
promotion = store.promote(target, record, after=number("champion_number", int, 0)) if promoted else before["number"]

champion = store.promotion(target, promotion)
if smoke_test(champion) != answers:
    if promoted and before:
        back = dict(before, reason="promotion %d did not answer as before it was deployed" % promotion)
        store.promote(target, back, after=promotion)
    raise RuntimeError("%s does not answer as the model did before it was deployed" % target)

# COMMAND ----------

dbutils.notebook.exit(
    json.dumps(
        {
            "champion": champion["model_version"],
            "target": target,
            "promotion": champion["number"],
            "promoted": promoted,
            "rmse": round(champion["rmse"], 4),
            "baseline_rmse": round(validation["results"]["user and item biases"]["rmse"], 4),
            "path": champion["model_path"],
        }
    )
)

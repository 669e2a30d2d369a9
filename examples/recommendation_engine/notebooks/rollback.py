# Databricks notebook source
# MAGIC %md
# MAGIC # Rollback
# MAGIC
# MAGIC Makes an older champion the champion again: the one before the present, or the one whose model version
# MAGIC begins with `to_version`. Nothing is trained and nothing is lost; it is one more line in the history.

# COMMAND ----------

# MAGIC %run ./common

# COMMAND ----------

dbutils.widgets.text("to_version", "")
target, wanted = dbutils.widgets.get("deploy_target"), dbutils.widgets.get("to_version")

history = store.history(target)
for entry in history:
    print("%4d  %s  rmse %.4f  %s  %s" % (
        entry["number"], entry["model_version"][:12], entry["rmse"], entry["promoted_at"], entry.get("reason", "")))

present = history[0] if history else None
older = [e for e in history[1:] if e["model_version"] != present["model_version"] and e["model_version"].startswith(wanted)]
if not older:
    raise ValueError("%s has no older champion %s in its history" % (target, wanted or "to go back to"))

store.read("models", older[0]["model_version"])  # it is there, and whole
back = dict(older[0], promoted_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            reason="rollback from promotion %d to %d" % (present["number"], older[0]["number"]))
store.promote(target, back, after=present["number"])

dbutils.notebook.exit(json.dumps({"champion": back["model_version"], "was": present["model_version"], "rmse": round(back["rmse"], 4)}))
